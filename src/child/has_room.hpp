#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace hotspare::child {

/// What a message tells is told, though there may be no memory by then. False: it is to stay where it is.
template <class Element>
bool has_room_for_one(std::vector<Element>& into) noexcept try {
  constexpr std::size_t at_most = 4;  // by one message, and what it leads to
  if (into.capacity() - into.size() < at_most) into.reserve(2 * into.size() + at_most);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

}  // namespace hotspare::child
