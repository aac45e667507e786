#include "chaos/registry_victim.hpp"

#include <registry/crash_point.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <poll.h>
#include <set>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// SIGKILLs at labelled and at any other instants of register, rename, resize, drop and gc, several processes at once, some
/// of them stopped in the midst of it: nothing leaks, nothing that lives is collected, the registry is never unreadable.
/// HOTSPARE_REGISTRY_KILLS: how many (200).
namespace hotspare::testing {
namespace {

int wanted_kills() {
  const char* wish = std::getenv("HOTSPARE_REGISTRY_KILLS");
  return wish != nullptr ? std::atoi(wish) : 200;
}

std::string scope() { return "test-" + std::to_string(::getpid()) + "-chaos"; }

/// The next pass of a label, of all in turn by the seed, or one of many passes of any.
std::string crash_wish(std::uint64_t seed) {
  static constexpr std::array labels{
#define HOTSPARE_NAME(name) #name,
      HOTSPARE_REGISTRY_CRASH_POINTS(HOTSPARE_NAME)
#undef HOTSPARE_NAME
  };
  const std::string draw = ":" + std::to_string(seed % 1'000'000);
  if (seed % 3 == 0) return "any:" + std::to_string(1 + seed / 3 % 200) + draw;
  return labels[seed / 3 % labels.size()] + (":" + std::to_string(1 + seed % 5)) + draw;
}

/// A child that dies with us.
template <class Work>
pid_t start(Work work) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) work();
  ::_exit(0);
}

/// A process that has some of the kept segments, is never struck, and says whether they are well.
class Keeper {
 public:
  Keeper(const std::string& in, int first, int count) {
    int to[2];
    int from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) std::abort();
    asks_ = to[1];
    answers_ = from[0];
    pid_ = start([&] { keep(in, first, count, to[0], from[1]); });
    ::close(to[0]);
    ::close(from[1]);
    EXPECT_EQ(answer(), 'y');
  }
  ~Keeper() {
    EXPECT_EQ(::write(asks_, "q", 1), 1);
    int status = -1;
    ::waitpid(pid_, &status, 0);
    EXPECT_EQ(status, 0);
    ::close(asks_);
    ::close(answers_);
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  bool is_well() { return ::write(asks_, "?", 1) == 1 && answer() == 'y'; }

 private:
  char answer() {
    char byte = 'n';
    return ::read(answers_, &byte, 1) == 1 ? byte : 'n';
  }
  static void keep(const std::string& in, int first, int count, int asked, int answer) {
    SharedRegistry registry(in);
    std::map<std::string, Segment> segments;
    for (int i = first; i < first + count; ++i) {
      Segment segment = registry.create(kept(i), 50'000);
      fill(segment, kept(i).back());
      segments.emplace(kept(i), std::move(segment));
    }
    for (char question = '?'; question == '?';) {
      bool well = true;
      for (const auto& [name, segment] : segments)
        well = well && segment.name() == name && all_are(segment, name.back()) &&
               all_are(registry.open(name), name.back());
      if (::write(answer, well ? "y" : "n", 1) != 1 || ::read(asked, &question, 1) != 1) ::_exit(1);
    }
  }

  pid_t pid_ = -1;
  int asks_ = -1;
  int answers_ = -1;
};

struct Struck {
  pid_t pid;
  int pidfd;
  bool by_label;  ///< It kills itself at a label; else the saboteur kills it.
  bool stopped = false;
};

/// Has so many victims at work and kills them. Counts by itself.
class Saboteur {
 public:
  static constexpr std::size_t at_once = 5;

  Saboteur(std::string in, std::string log) : scope_(std::move(in)), log_(std::move(log)), random_(2026) {}
  ~Saboteur() {
    while (!victims_.empty()) {
      ::kill(victims_.back().pid, SIGKILL);
      bury(victims_.size() - 1);
    }
  }
  Saboteur(const Saboteur&) = delete;
  Saboteur& operator=(const Saboteur&) = delete;

  /// One more death.
  void strike() {
    while (victims_.size() < at_once) victims_.push_back(new_victim());
    // Not a time that anything has to keep to: the instant of the next blow, unless a victim dies before it.
    const timespec instant{0, static_cast<long>(random_() % 4'000'000)};
    std::vector<pollfd> ends;
    for (const Struck& each : victims_) ends.push_back({each.pidfd, POLLIN, 0});
    const int ended = ::ppoll(ends.data(), ends.size(), &instant, nullptr);
    for (std::size_t i = 0; ended > 0 && i < ends.size(); ++i)
      if (ends[i].revents != 0) return bury(i);
    strike(random_() % victims_.size());
  }

  int deaths() const { return deaths_; }
  int blows() const { return blows_; }
  int stopped() const { return stopped_; }

 private:
  Struck new_victim() {
    const std::uint64_t seed = random_();
    const bool by_label = random_() % 2 == 0;
    const pid_t pid = start([&] {
      const std::string wish = crash_wish(seed);
      if (by_label) ::setenv("HOTSPARE_REGISTRY_CRASH_AT", wish.c_str(), 1);
      ::setenv("HOTSPARE_CRASH_LOG", log_.c_str(), 1);
      std::string wrong;
      try {
        wrong = Victim(scope_, seed).run();
      } catch (const std::exception& error) {
        wrong = error.what();
      }
      std::fprintf(stderr, "victim %d: %s\n", ::getpid(), wrong.c_str());
      ::_exit(3);
    });
    return {pid, static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), by_label};
  }

  /// Some are stopped first, where they are, and killed much later.
  void strike(std::size_t which) {
    Struck& victim = victims_[which];
    if (!victim.stopped && random_() % 4 == 0 && stopped_now() < 2) {
      ::kill(victim.pid, SIGSTOP);
      victim.stopped = true;
      ++stopped_;
      return;
    }
    if (victim.by_label && !victim.stopped) return;
    ::kill(victim.pid, SIGKILL);
    ++blows_;
    bury(which);
  }

  std::size_t stopped_now() const {
    std::size_t count = 0;
    for (const Struck& each : victims_) count += each.stopped ? 1 : 0;
    return count;
  }

  void bury(std::size_t which) {
    const Struck victim = victims_[which];
    victims_.erase(victims_.begin() + static_cast<std::ptrdiff_t>(which));
    int status = -1;
    ::waitpid(victim.pid, &status, 0);
    ::close(victim.pidfd);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "a victim found something wrong, or crashed";
    ++deaths_;
  }

  std::string scope_;
  std::string log_;
  std::mt19937_64 random_;
  std::vector<Struck> victims_;
  int deaths_ = 0;
  int blows_ = 0;
  int stopped_ = 0;
};

void expect_readable(const SharedRegistry& registry) {
  std::set<std::string> names;
  for (const SegmentInfo& info : registry.list()) {
    EXPECT_NE(info.state, SegmentState::damaged) << info.name;
    names.insert(info.name);
  }
  for (int i = 0; i < kept_names; ++i) EXPECT_TRUE(names.contains(kept(i))) << kept(i);
}

std::map<std::string, int> deaths_at_labels(const std::string& log) {
  std::map<std::string, int> count;
  std::ifstream file(log);
  for (std::string label; std::getline(file, label);) ++count[label];
  return count;
}

void expect_only_the_kept(SharedRegistry& registry) {
  const auto before = registry.list();
  const Collected collected = registry.collect();
  std::printf("orphans at the end: %zu, collected %zu\n", before.size() - kept_names, collected.removed.size());
  EXPECT_EQ(collected.removed.size(), before.size() - kept_names);
  EXPECT_EQ(registry.list().size(), static_cast<std::size_t>(kept_names));
  for (const SegmentInfo& info : registry.list()) EXPECT_EQ(info.state, SegmentState::used) << info.name;
  expect_readable(registry);
}

TEST(RegistryChaos, NoKillLeaksCollectsTheLivingOrMakesItUnreadable) {
  SharedRegistry registry(scope());
  const auto log = (std::filesystem::temp_directory_path() / "deaths").string();
  std::ofstream(log).close();
  {
    Keeper first(scope(), 0, kept_names / 2);
    Keeper second(scope(), kept_names / 2, kept_names - kept_names / 2);
    int deaths = 0;
    int blows = 0;
    {
      Saboteur saboteur(scope(), log);
      for (int next_look = 0; saboteur.deaths() < wanted_kills() && !::testing::Test::HasFailure();) {
        saboteur.strike();
        if (saboteur.deaths() < next_look) continue;
        next_look = saboteur.deaths() + 20;
        expect_readable(registry);
        EXPECT_TRUE(first.is_well() && second.is_well());
      }
      deaths = saboteur.deaths();
      blows = saboteur.blows();
      std::printf("%d deaths: %d blows, %d at labels; %d stopped\n", deaths, blows, deaths - blows, saboteur.stopped());
    }
    EXPECT_TRUE(first.is_well() && second.is_well());
    expect_only_the_kept(registry);
    int labelled = 0;
    for (const auto& [label, count] : deaths_at_labels(log)) {
      std::printf("  %-24s %d\n", label.c_str(), count);
      labelled += count;
    }
    EXPECT_GE(labelled, deaths - blows) << "the saboteur's own count";
    EXPECT_LE(labelled, deaths - blows + static_cast<int>(Saboteur::at_once)) << "those that died when all was over";
  }
  EXPECT_THAT(registry.list(), ::testing::IsEmpty()) << "the last users removed what was theirs";
  std::filesystem::remove(log);
}

}  // namespace
}  // namespace hotspare::testing
