#pragma once

#include <hotspare/shared_registry.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

/// For tests of the registry: scopes that nobody else has, and processes that do one thing and die.
namespace hotspare::registry::testing {

inline std::string new_scope() {
  static std::atomic<int> count{0};
  return "test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

/// The wait status of a process that does this.
template <class Work>
int status_of(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

/// A process that does something, says so, and stays until it is killed.
class Living {
 public:
  template <class Work>
  explicit Living(Work work) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      [[maybe_unused]] const auto kept = work();
      static_cast<void>(!::write(ready[1], "x", 1));
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
  }
  ~Living() { kill(); }
  Living(const Living&) = delete;
  Living& operator=(const Living&) = delete;
  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

inline void fill(Segment& segment, char with) { std::memset(segment.bytes().data(), with, segment.bytes().size()); }
inline bool holds(const Segment& segment, char only) {
  for (const std::byte byte : segment.bytes())
    if (byte != static_cast<std::byte>(only)) return false;
  return true;
}

inline std::vector<std::string> names_of(const std::vector<SegmentInfo>& infos) {
  std::vector<std::string> names;
  for (const SegmentInfo& info : infos) names.push_back(info.name);
  return names;
}

}  // namespace hotspare::registry::testing
