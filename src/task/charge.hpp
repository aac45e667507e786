#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace hotspare::detail {

/// What large arguments of a pool's unsettled tasks hold, to be compared with its limits.
struct PayloadRoom {
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::size_t> segments{0};
};

/// One payload's share of that, for as long as it lives.
class Charged {
 public:
  Charged(PayloadRoom& room, std::size_t bytes, std::size_t segments)
      : room_(room), bytes_(bytes), segments_(segments) {
    room_.bytes += bytes_;
    room_.segments += segments_;
  }
  ~Charged() {
    room_.bytes -= bytes_;
    room_.segments -= segments_;
  }
  Charged(const Charged&) = delete;
  Charged& operator=(const Charged&) = delete;

 private:
  PayloadRoom& room_;
  std::size_t bytes_;
  std::size_t segments_;
};

/// A pointer, because few payloads are charged.
using Charge = std::unique_ptr<const Charged>;

}  // namespace hotspare::detail
