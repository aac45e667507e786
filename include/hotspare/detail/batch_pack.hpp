#pragma once

#include <hotspare/detail/batch_core.hpp>
#include <hotspare/serialize.hpp>

namespace hotspare::detail {

/// The value of a result with its Buffers beside it.
template <class R>
void pack_result(const Task& task, PackedValue& into) {
  ByteSource source(result_bytes(task));
  const R value = read_value<R>(source, result_attachments(task));
  ByteSink count({});
  write_value(count, &into, value);
  into.buffers.clear();
  into.payload.resize(count.size());
  ByteSink sink(into.payload);
  write_value(sink, &into, value);
}

/// Null for types that cannot refer to a Buffer.
template <class R>
constexpr Pack pack_of() {
  if constexpr (Plain<R> || View<R> || Block<R> || !Archived<R>) {
    return nullptr;
  } else {
    return &pack_result<R>;
  }
}

}  // namespace hotspare::detail
