#pragma once

#include "pickling.hpp"

#include <array>
#include <cstring>

/// The bytes that travel between host and worker for a Python task.
///
/// Arguments: Kind, u32 size of the function's pickle, u32 number of buffers, BufferAt × n, function, arguments.
/// Results:   Ended, u32 number of buffers, BufferAt × n, pickle; of a chunk: chunk_values.hpp.
namespace hotspare::python {

enum class Kind : std::uint8_t {
  named_call,          ///< function by name; arguments: a tuple
  named_call_keyword,  ///< function by name; arguments: (tuple, dict)
  any_call,            ///< no function apart; arguments: (function, tuple, dict)
  chunk,               ///< (function, list of its one argument)
  star_chunk,          ///< (function, list of argument tuples)
};

/// What a result is.
enum class Ended : std::uint8_t {
  value,
  none,       ///< None, and no bytes.
  exception,  ///< hotspare._describe.Described
  unread,     ///< The same, raised while the arguments were unpickled: nothing was run.
};

struct ArgumentHead {
  Kind kind{};
  bool goes_on = false;  ///< A chunk: behind an item that raises, too.
  std::uint32_t function_bytes = 0;
  std::uint32_t buffers = 0;
};
/// Tells results of Python from exceptions of the engine's own, which the engine encodes in its own way.
inline constexpr std::array<char, 3> results_mark = {'p', 'y', '\x01'};
struct ResultHead {
  Ended ended{};
  std::array<char, 3> mark = results_mark;  ///< In journals of old: anything.
  std::uint32_t buffers = 0;
};
static_assert(sizeof(ResultHead) == 8);

}  // namespace hotspare::python
