#pragma once

#include "block_layout.hpp"
#include "block_processor.hpp"
#include "wav.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace hotspare::audio {

struct Rendered {
  std::uint64_t frames = 0;  ///< That were written.
  std::uint64_t blocks = 0;
  std::uint64_t bypassed = 0;                         ///< Of these: without a plug-in whose channel had given it up.
  std::vector<std::chrono::nanoseconds> block_times;  ///< One for each block, in order.
};

/// All of the input, and so many frames of silence after it, through the processor; as many frames come out. The last block
/// is filled up with silence, and what comes out beyond the end is dropped. No deadline: a late block is waited for.
/// Throws Error. The output is not finished here.
Rendered render(WavReader& input, std::uint64_t tail_frames, BlockProcessor& processor, const BlockLayout& layout,
                WavWriter& output);

}  // namespace hotspare::audio
