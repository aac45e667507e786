#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"
#include "os/socket.hpp"

#include <csignal>

/// Where there are no pidfds (Linux before 5.3, or a filter): a process's parent, which alone can't be wrong about a number,
/// tells of its end. Whoever wants to know holds a socket in the pidfd's stead: it becomes readable as a pidfd does, and
/// exited() knows both. A signal by it is always refused: the parent is asked for that, too.
namespace hotspare::os {

/// This failure means that there are none.
bool no_pidfds(const Failure& failure) noexcept;

/// ours: in the pidfd's stead. theirs: the parent's.
Result<SocketPair> make_end_teller();
/// By the parent: the process has ended.
void tell_end(const Fd& teller) noexcept;

/// It stands in a pidfd's stead.
bool is_end_teller(const Fd& fd) noexcept;
/// Whoever was to tell has gone without a word.
bool teller_gone(const Fd& fd) noexcept;

/// While it lives, the ends of this process's children make fd() readable. One thread.
class ChildEnds {
 public:
  static Result<ChildEnds> make();
  ChildEnds(ChildEnds&&) noexcept = default;
  ChildEnds& operator=(ChildEnds&&) = delete;
  ~ChildEnds();
  const Fd& fd() const noexcept { return fd_; }
  /// What made it readable is heard.
  void clear() const noexcept;

 private:
  explicit ChildEnds(Fd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}
  Fd fd_;  ///< A signalfd of SIGCHLD, which is blocked meanwhile.
  sigset_t before_{};
};

/// Until one of them is readable or hung up. True: the first one is.
bool wait_readable(const Fd& first, const Fd& second) noexcept;

}  // namespace hotspare::os
