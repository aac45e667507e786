#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <vector>

/// Exceptions on their way to another process: standard ones arrive as what they were, others as RemoteError.
namespace hotspare::detail {

/// The exception being handled, as bytes. Call inside a catch block.
std::string encode_current_exception();
/// The exception that those bytes stand for (a PayloadError if they make no sense).
std::exception_ptr decode_exception(std::span<const std::byte> bytes);

/// The stack of the last throw on this thread since begin_watching_throws (see throw_hook.cc), innermost first.
std::span<void* const> last_throw() noexcept;
void watch_throws(bool on) noexcept;

}  // namespace hotspare::detail
