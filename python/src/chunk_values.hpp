#pragma once

#include "python.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <cstddef>
#include <span>

/// The values of a chunk's items, given one by one: what is finished outlives the worker. GIL held throughout.
///
/// Each is a part (hotspare/detail/parts.hpp): one byte says which kind, then come its bytes. Whole numbers up to 64 bits,
/// floats, strings, bytes, booleans and None travel as they are; all else is pickled. A raised part is the description of an
/// exception (hotspare._worker.describe), pickled; the last part of a whole chunk says how many seconds it took.
namespace hotspare::python {

/// In the worker: the items are unpickled, the first one begins.
void begin_chunk(detail::TaskContext& context);
/// Throws nb::python_error if the value cannot be pickled; then nothing was given.
void give_chunk_value(detail::TaskContext& context, nb::handle value);
void give_chunk_failure(detail::TaskContext& context, const nb::object& described);
void end_chunk(detail::TaskContext& context, double seconds);

/// In the host: (values, failures, seconds). failures: (index, what) of those that have none, where values has a
/// None; what is a description, or the exception that unpickling the value raised.
nb::tuple chunk_values(std::span<const std::byte> parts, detail::Attachments& attachments);

}  // namespace hotspare::python
