#include "journal/packed.hpp"

#include <cstring>

namespace hotspare::detail {

std::uint64_t PackedValue::attach(const Buffer& buffer) {
  buffers.push_back(buffer);
  return buffers.size();
}

Buffer PackedValue::fetch(std::uint64_t handle, std::uint64_t size) {
  if (handle == 0) return {};
  if (handle > buffers.size() || buffers[handle - 1].size() < size)
    throw PayloadError("a stored value refers to a Buffer that is not there");
  return buffers[handle - 1];
}

}  // namespace hotspare::detail

namespace hotspare::journal {

std::vector<std::byte> packed(const detail::PackedValue& value) {
  std::size_t size = sizeof(std::uint32_t) + sizeof(std::uint64_t) + value.payload.size();
  for (const Buffer& buffer : value.buffers) size += sizeof(std::uint64_t) + buffer.size();
  std::vector<std::byte> body(size);
  detail::ByteSink sink(body);
  const auto put = [&](const auto& number) { sink.put(&number, sizeof number); };
  put(static_cast<std::uint32_t>(value.buffers.size()));
  for (const Buffer& buffer : value.buffers) put(std::uint64_t{buffer.size()});
  put(std::uint64_t{value.payload.size()});
  sink.put(value.payload.data(), value.payload.size());
  for (const Buffer& buffer : value.buffers) sink.put(buffer.data(), buffer.size());
  return body;
}

detail::PackedValue unpacked(std::span<const std::byte> body) {
  detail::PackedValue value;
  detail::ByteSource source(body);
  std::uint32_t count = 0;
  source.take(&count, sizeof count);
  if (count > source.remaining() / sizeof(std::uint64_t)) throw PayloadError("a stored value is cut");
  std::vector<std::uint64_t> sizes(count);
  for (std::uint64_t& size : sizes) source.take(&size, sizeof size);
  std::uint64_t payload = 0;
  source.take(&payload, sizeof payload);
  if (payload > source.remaining()) throw PayloadError("a stored value is cut");
  value.payload.resize(static_cast<std::size_t>(payload));
  source.take(value.payload.data(), value.payload.size());
  for (const std::uint64_t size : sizes) {
    if (size > source.remaining()) throw PayloadError("a stored value is cut");
    Buffer buffer = Buffer::make(static_cast<std::size_t>(size));
    source.take(buffer.data(), buffer.size());
    value.buffers.push_back(std::move(buffer));
  }
  return value;
}

}  // namespace hotspare::journal
