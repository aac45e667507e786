#include "support/gate.hpp"
#include "support/test_pool.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <linux/capability.h>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// P6, while the kernel passes no descriptors: as many of this user's are on their way, unread, as it lets one have open
/// (ETOOMANYREFS).
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

/// Whoever may administer the machine is not bound by that limit.
bool become_ordinary() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> capabilities{};
  return ::syscall(SYS_capset, &header, capabilities.data()) == 0;
}

/// Room for several tests of this kind at a time, each with its own five hundred on their way.
constexpr rlim_t most_descriptors = 4000;
constexpr std::size_t in_a_message = 50;
constexpr int messages = 10;

bool allow_descriptors(rlim_t many) {
  const rlimit limit{many, most_descriptors};
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/// Five hundred descriptors on their way to nobody.
class Unread {
 public:
  Unread() {
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_) != 0) return;
    for (int sent = 0; sent < messages;) {
      if (send()) {
        ++sent;
      } else if (errno == ETOOMANYREFS) {
        ::sched_yield();
      } else {
        return;
      }
    }
    all_sent_ = true;
  }
  ~Unread() {
    for (const int end : ends_) ::close(end);
  }
  Unread(const Unread&) = delete;
  Unread& operator=(const Unread&) = delete;
  bool all_sent() const { return all_sent_; }

 private:
  bool send() {
    std::array<int, in_a_message> fds{};
    fds.fill(STDIN_FILENO);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
    char byte = 0;
    iovec data{&byte, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof fds);
    return ::sendmsg(ends_[0], &message, MSG_DONTWAIT) == 1;
  }
  int ends_[2] = {-1, -1};
  bool all_sent_ = false;
};

std::chrono::microseconds cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

enum Result : int { good, cannot_be_tried = 10, not_refused, spins, wrong, thrown };

/// Another program of this user may be at that limit just now, such as this test with the other start method.
std::unique_ptr<Pool> make_pool(void (*initializer)() = nullptr) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.initializer = initializer;
  for (;;) try {
      return std::make_unique<Pool>(options);
    } catch (const Error&) {
      ::sched_yield();
    }
}

int wait_for_room() try {
  if (!become_ordinary() || !allow_descriptors(most_descriptors)) return cannot_be_tried;
  const std::unique_ptr<Pool> made = make_pool();
  Pool& pool = *made;
  pool.started_pids(2);
  pool.submit([] {}).get();
  Future<std::size_t> to;
  Future<std::string> from;
  Future<int> small;
  {
    const Unread others;
    if (!others.all_sent() || !allow_descriptors(200)) return cannot_be_tried;
    from = pool.submit([] { return std::string(400'000, 'f'); });
    to = pool.submit([](const std::string& text) { return text.size(); }, std::string(500'000, 't'));
    small = pool.submit([] { return 3; });
    const auto before = cpu_time();
    if (from.wait_for(300ms)) return not_refused;
    if (cpu_time() - before > 150ms) return spins;
  }
  return from.get() == std::string(400'000, 'f') && to.get() == 500'000 && small.get() == 3 ? good : wrong;
} catch (const std::exception&) {
  return thrown;
}

/// What waits at a gate in its initializer, and then wants memory.
void initialize_with_buffer() {
  const char* gate = std::getenv("P6_PASSING_GATE");
  if (gate == nullptr) return;
  Gate::pass(gate);
  static const Buffer large = Buffer::make(400'000);
}

int wait_for_room_in_the_initializer() try {
  if (!become_ordinary() || !allow_descriptors(most_descriptors)) return cannot_be_tried;
  Gate gate;
  ::setenv("P6_PASSING_GATE", gate.path().c_str(), 1);
  const std::unique_ptr<Pool> pool = make_pool(initialize_with_buffer);
  pool->started_pids(1);
  Future<int> small = pool->submit([] { return 3; });
  {
    const Unread others;
    if (!others.all_sent() || !allow_descriptors(200)) return cannot_be_tried;
    gate.open(2);
    if (small.wait_for(300ms)) return not_refused;
  }
  return small.get() == 3 ? good : wrong;
} catch (const std::exception&) {
  return thrown;
}

void expect_good(int (*what)()) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == cannot_be_tried) GTEST_SKIP() << "this process may not change its capabilities";
  EXPECT_EQ(WEXITSTATUS(status), good);
}

TEST(P6Passing, TasksWaitForRoomAndNobodySpins) { expect_good(wait_for_room); }

TEST(P6Passing, ABufferOfAnInitializerWaitsForRoomToo) { expect_good(wait_for_room_in_the_initializer); }

}  // namespace
}  // namespace hotspare::testing
