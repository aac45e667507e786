#pragma once

#include "death/evidence.hpp"

#include <cstdint>
#include <optional>

namespace hotspare::death {

/// From a death to its notice, ns; nothing where the instant of the death is not known. asked_at: when the process was asked
/// for. A stamp that a worker wrote is believed only if it lies between the two.
inline std::optional<std::int64_t> detection(const Evidence& evidence, std::int64_t asked_at, std::int64_t noticed_at) {
  const auto since = [&](std::int64_t at) -> std::optional<std::int64_t> {
    if (at == 0 || at < asked_at || at > noticed_at) return std::nullopt;
    return noticed_at - at;
  };
  if (evidence.ended_by == EndedBy::deadline) return since(evidence.due_at);
  if (evidence.ended_by != EndedBy::nobody) return std::nullopt;  // we were the first to know
  const auto told = since(evidence.words_at);
  return told ? told : since(evidence.struck_at);
}

}  // namespace hotspare::death
