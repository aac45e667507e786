#pragma once

#include <hotspare/detail/batch_core.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace hotspare::journal {

/// A value and its Buffers in one row of bytes: u32 number of Buffers, u64 size of each, u64 size of the payload, payload,
/// Buffers.
std::vector<std::byte> packed(const detail::PackedValue& value);
/// Throws PayloadError.
detail::PackedValue unpacked(std::span<const std::byte> body);

}  // namespace hotspare::journal
