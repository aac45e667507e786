#include "buffers_at.hpp"

#include "block.hpp"

#include <cstring>

namespace hotspare::python {

BufferAt hand_out(const nb::object& view, detail::TaskContext& context) {
  const auto bytes = bytes_of(view);
  Buffer buffer = shared_buffer_at(bytes.data(), bytes.size());
  if (buffer.segment() == nullptr) {
    buffer = Buffer::make(bytes.size());
    const WithoutGil others_may_run;
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
  }
  return {context.attach(buffer), bytes.size()};
}

nb::object blocks_of(detail::ByteSource& source, std::uint32_t count, detail::Attachments& attachments) {
  if (count == 0) return {};
  nb::list blocks;
  for (std::uint32_t i = 0; i < count; ++i) {
    BufferAt at{};
    source.take(&at, sizeof at);
    blocks.append(make_block(attachments.fetch(at.handle, at.size)));
  }
  return std::move(blocks);
}

}  // namespace hotspare::python
