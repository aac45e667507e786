#include "os/system_calls.hpp"

#include <sys/syscall.h>

namespace hotspare::os {
namespace {

struct Named {
  int number;
  std::string_view name;
};
constexpr Named system_calls[] = {
#include "system_calls.inc"
};

}  // namespace

std::string_view system_call_name(int number) noexcept {
  for (const Named& each : system_calls) {
    if (each.number == number) return each.name;
  }
  return {};
}

}  // namespace hotspare::os
