// The program itself, killed in the middle and started again.

#include "made_up_curve.hpp"
#include "test_folder.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iomanip>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <vector>

namespace transit {
namespace {

constexpr unsigned bands = 96;
constexpr unsigned workers = 3;
constexpr unsigned in_flight = 4 * workers;  // as the program has it

std::string csv_of(double period) {
  const LightCurve curve = noise_with_box(30, period, 0.15, 0.001, 0.0005);
  std::ostringstream text;
  text << std::setprecision(17) << "time,flux\n";
  for (std::size_t i = 0; i < curve.size(); ++i) text << curve.time[i] << ',' << curve.flux[i] << '\n';
  return text.str();
}

/// One life of the program: its stdout goes to a file, its stderr to us.
class Life {
 public:
  Life(const std::vector<std::string>& arguments, const std::string& output) : output_(output) {
    int told[2];
    EXPECT_EQ(pipe2(told, O_CLOEXEC), 0);
    std::vector<std::string> all{TRANSIT_SEARCH};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& each : all) argv.push_back(each.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      dup2(out, STDOUT_FILENO);
      dup2(told[1], STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(told[1]);
    stderr_ = fdopen(told[0], "r");
  }
  ~Life() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    end();
    std::fclose(stderr_);
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  /// Until it says that so many bands of a star are finished; false if it ends before.
  bool wait_for(unsigned finished) {
    for (std::string line = next(); !line.empty(); line = next()) {
      unsigned number = 0;
      const std::size_t colon = line.rfind(": ");
      if (colon != std::string::npos && std::sscanf(line.c_str() + colon, ": %u of ", &number) == 1 &&
          number >= finished)
        return true;
    }
    return false;
  }
  void kill_it() const { kill(pid_, SIGKILL); }
  /// Its status as wait has it, once it has ended.
  int end() {
    if (pid_ <= 0) return status_;
    for (std::string line = next(); !line.empty(); line = next()) {
    }
    EXPECT_EQ(waitpid(pid_, &status_, 0), pid_);
    pid_ = 0;
    return status_;
  }
  bool ended_well() {
    const int status = end();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  std::string told() const { return said_ + bytes_of(output_); }

 private:
  std::string next() {
    char line[4096];
    if (std::fgets(line, sizeof line, stderr_) == nullptr) return {};
    said_ += line;
    return line;
  }
  std::string output_;
  std::string said_;
  pid_t pid_ = 0;
  int status_ = 0;
  std::FILE* stderr_ = nullptr;
};

using Band = std::pair<unsigned, unsigned>;
/// What a --log says: which bands have begun, were given, were kept.
std::map<std::string, std::multiset<Band>> read_log(const std::string& file) {
  std::map<std::string, std::multiset<Band>> log;
  std::istringstream lines(bytes_of(file));
  std::string what;
  for (Band band; lines >> what >> band.first >> band.second;) log[what].insert(band);
  return log;
}

std::set<Band> of(const std::multiset<Band>& all) { return {all.begin(), all.end()}; }

std::set<Band> both(const std::set<Band>& a, const std::set<Band>& b) {
  std::set<Band> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

/// The lines that tell what was found.
std::vector<std::string> found(const std::string& told) {
  std::vector<std::string> lines;
  std::istringstream all(told);
  for (std::string line; std::getline(all, line);)
    for (const char* label : {"  period ", "  transit ", "  SDE ", "  as serial run ", "  tasks lost "})
      if (line.starts_with(label)) lines.push_back(line);
  return lines;
}

class Resume : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    if (start() == "fork") GTEST_SKIP() << "ThreadSanitizer has a thread of its own, and a fork needs a host without";
#endif
    star_ = folder_.write("a star.csv", csv_of(4.321));
  }
  static std::string start() { return GetParam(); }
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
  std::vector<std::string> arguments(std::vector<std::string> more) const {
    more.insert(more.end(),
                {"--start", start(), "--workers", std::to_string(workers), "--bands", std::to_string(bands)});
    more.push_back(star_);
    return more;
  }
  std::vector<std::string> durable(const std::string& log, std::vector<std::string> more) const {
    more.insert(more.end(), {"--journal", file("journal"), "--log", file(log)});
    return arguments(std::move(more));
  }
  std::vector<std::string> undisturbed() const {
    Life life(arguments({"--no-sabotage"}), file("undisturbed"));
    EXPECT_TRUE(life.ended_well()) << life.told();
    return found(life.told());
  }

  TestFolder folder_;
  std::string star_;
};

TEST_P(Resume, RunsWhatWasNotFinishedAndNothingElse) {
  {
    // Two bands hang and leave one worker: it cannot come to an end, however late the kill is.
    Life first(durable("first", {"--chaos", "every=50,how=hang", "--timeout", "3600"}), file("out"));
    ASSERT_TRUE(first.wait_for(bands / 3)) << first.told();
    first.kill_it();
    ASSERT_TRUE(WIFSIGNALED(first.end()));
  }
  Life second(durable("second", {"--resume", "--no-sabotage"}), file("out"));
  ASSERT_TRUE(second.ended_well()) << second.told();
  EXPECT_EQ(found(second.told()), undisturbed());
  EXPECT_NE(second.told().find("equals serial run bit for bit: yes"), std::string::npos) << second.told();

  auto before = read_log(file("first"));
  auto after = read_log(file("second"));
  EXPECT_GE(before["given"].size(), bands / 3);
  EXPECT_LT(before["given"].size(), bands);
  EXPECT_EQ(after["kept"].size() + after["given"].size(), bands);
  EXPECT_EQ(after["begun"], after["given"]);
  EXPECT_EQ(both(of(before["given"]), of(after["kept"])), of(before["given"])) << "what was given is in the journal";
  EXPECT_EQ(both(of(after["kept"]), of(after["begun"])), std::set<Band>()) << "and is not run again";
  EXPECT_LE(both(of(before["begun"]), of(after["begun"])).size(), in_flight);
  const std::string counts = "journal: " + std::to_string(after["kept"].size()) + " bands came from the journal, " +
                             std::to_string(after["begun"].size()) + " were run";
  EXPECT_NE(second.told().find(counts), std::string::npos) << second.told();
}

class LongResume : public Resume {};

TEST_P(LongResume, KillAfterKillWhileWorkersDie) {
  std::set<Band> given;
  std::vector<std::set<Band>> begun;
  bool ended = false;
  for (unsigned life = 1; !ended; ++life) {
    ASSERT_LE(life, 2 * bands);
    const std::string log = "log" + std::to_string(life);
    Life host(durable(log, {"--resume", "--chaos", "every=7,how=sigkill"}), file("out"));
    // Each life gets further than the one before it.
    if (host.wait_for(std::min(12 * life, bands + 1))) host.kill_it();
    ended = WIFEXITED(host.end());
    if (ended) {
      EXPECT_TRUE(host.ended_well()) << host.told();
      EXPECT_EQ(found(host.told()), undisturbed());
    }
    auto told = read_log(file(log));
    begun.push_back(of(told["begun"]));
    EXPECT_EQ(both(given, begun.back()), std::set<Band>()) << "given in an earlier life, run again in life " << life;
    for (const char* what : {"given", "kept"}) given.merge(of(told[what]));
  }
  EXPECT_EQ(given.size(), bands);
  std::size_t runs = 0;
  for (const auto& each : begun) runs += each.size();
  EXPECT_LE(runs, bands + (begun.size() - 1) * in_flight) << "more were run again than were in flight at the kills";
}

TEST_P(LongResume, EveryWayToDieWithAJournal) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator and signal handlers end a process in their own ways";
#endif
  const std::string all = "how=sigkill+sigsegv+abort+exit+stack_overflow+memory+leak+hang+stop+raise";
  const std::vector<std::vector<std::string>> sabotages{{}, {"--chaos", "every=9,attempts=2,bytes=1048576," + all}};
  for (const std::vector<std::string>& sabotage : sabotages) {
    Life life(durable("log", sabotage), file("out"));
    EXPECT_TRUE(life.ended_well()) << life.told();  // the counts agree, too
    EXPECT_NE(life.told().find("counts agree: yes"), std::string::npos) << life.told();
    EXPECT_EQ(found(life.told()), undisturbed());
    std::filesystem::remove(file("journal"));
  }
}

TEST_P(Resume, AJournalThatIsThereIsNotGoneOnWithByAccident) {
  const std::string journal = folder_.write("journal", "somebody's");
  Life life(durable("log", {}), file("out"));
  const int status = life.end();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
  EXPECT_NE(life.told().find(journal + " exists: --resume goes on with it, or remove it"), std::string::npos)
      << life.told();
  EXPECT_EQ(bytes_of(journal), "somebody's");
}

const auto starts = testing::Values("fork", "exec");
const auto name_of = [](const auto& how) { return std::string(how.param); };
INSTANTIATE_TEST_SUITE_P(Start, Resume, starts, name_of);
INSTANTIATE_TEST_SUITE_P(Long, LongResume, starts, name_of);

}  // namespace
}  // namespace transit
