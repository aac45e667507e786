#pragma once

#include "pickling.hpp"

#include <hotspare/detail/task_ref.hpp>
#include <hotspare/serialize.hpp>

#include <cstdint>

/// Large buffers of a result, which lie beside its pickle in shared memory. GIL held.
namespace hotspare::python {

/// In the worker: puts a large buffer where the host can map it.
BufferAt hand_out(const nb::object& view, detail::TaskContext& context);
/// In the host: a Python object for each buffer that came with a result; nothing if there are none.
nb::object blocks_of(detail::ByteSource& source, std::uint32_t count, detail::Attachments& attachments);

}  // namespace hotspare::python
