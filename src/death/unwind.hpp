#pragma once

#include "death/stack_image.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hotspare::death {

/// The call stack in `image`, innermost first. Functions that were inlined have frames of their own, so there may be
/// more than `max_frames`, which counts real ones. The image may be garbage: the answer then is short, or wrong, but comes.
/// Any thread; one at a time does the work.
std::vector<Frame> unwind(const detail::StackImage& image, int max_frames = 64);

/// Names a stack that was taken as return addresses, innermost first, in a process with these mappings (the form of
/// /proc/PID/maps).
std::vector<Frame> symbolise(std::span<const std::uint64_t> return_addresses, const std::string& maps);

/// Function and source of a code address of this very process, "image::decode(std::string const&) (photo.cc:31)"; the
/// address in hexadecimal if nothing is known. Remembered. The first call may take some 100 ms.
std::string describe_address(const void* host_address);

}  // namespace hotspare::death
