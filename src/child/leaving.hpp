#pragma once

#include "os/fd.hpp"
#include "zygote/launcher.hpp"

#include <array>
#include <optional>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace hotspare::child {

/// One that ends, and of which it is not known that its parent has reaped it.
struct Unreaped {
  pid_t pid;
  os::Fd pidfd;
};

/// Those on their way out: waits for them without the owner's mutex, and reaps them.
class Leaving {
 public:
  Leaving() = default;
  Leaving(Leaving&& other) noexcept { *this = std::move(other); }
  /// The other has nobody left to wait for.
  Leaving& operator=(Leaving&& other) noexcept {
    wait();
    zygotes_ = std::move(other.zygotes_);
    unreaped_ = std::exchange(other.unreaped_, {});
    seed_ = std::exchange(other.seed_, std::nullopt);
    return *this;
  }
  ~Leaving() { wait(); }
  void wait() noexcept;

 private:
  friend class Nursery;
  std::array<os::Fd, 2> zygotes_;  ///< The zygote, and its standby.
  std::vector<Unreaped> unreaped_;
  std::optional<zygote::Handle> seed_;  ///< Last to go.
};

/// Our own child. The program may have reaped it.
void reap_seed(const zygote::Handle& seed);

}  // namespace hotspare::child
