#pragma once

#include "death/debug_session.hpp"

#include <vector>

namespace hotspare::death {

/// Appends the frames of one program counter, innermost first: functions that were inlined there, then the one that
/// holds the code. At least one frame, with what little is known.
void append_frames(DebugSession& session, Pc pc, std::vector<Frame>& frames);

}  // namespace hotspare::death
