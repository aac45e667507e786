#pragma once

#include <hotspare/crash_report.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::death {

/// "0x7f00"
std::string hex(std::uint64_t value);

/// "photo.cc:31", without folders.
std::string place(const Frame& frame);

/// "decode (photo.cc:31)", as short as it goes.
std::string short_text(const Frame& frame);

/// "0x00007f... image::decode(int) at /src/photo.cc:31 in /lib/libphoto.so+0x12", all that is known.
std::string long_text(const Frame& frame);

/// The frame to name in one line: the innermost one outside the C and C++ run-time libraries, for abort() is where a
/// program ends but hardly ever where it went wrong. Null if no frame has a name.
const Frame* telling_frame(const std::vector<Frame>& frames);

}  // namespace hotspare::death
