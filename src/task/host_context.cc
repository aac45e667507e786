#include "task/host_context.hpp"

#include "os/process.hpp"
#include "worker/raised.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <cstring>

namespace hotspare::detail {
namespace {

std::span<const Buffer> buffers_of(const Task& task) {
  if (task.extra_ == nullptr) return {};
  return task.extra_->argument_buffers;
}

}  // namespace

HostContext::HostContext(Task& task, const os::Owner& owner)
    : owner_(owner), entry_(task.site.entry), arguments_(task.payload.bytes()), buffers_(buffers_of(task)) {}

void HostContext::run() {
  watch_throws(true);
  try {
    reinterpret_cast<Entry>(resolve(entry_))(*this);
  } catch (...) {
    const std::string encoded = encode_current_exception();
    drop_attachments(0);
    result_.assign(std::as_bytes(std::span(encoded)));
    raised_ = true;
  }
  watch_throws(false);
  if (!owner_.is_this()) os::exit_now(0);  // a task that forked has returned twice
}

std::byte* HostContext::reserve_part(std::size_t bytes, bool raised) {
  const auto attachments = std::span(attachments_).subspan(attached_before_);
  const std::size_t more = worker::PartWriter::needed(bytes, attachments.size());
  if (!parts_.begun() || !parts_.fits(more)) {
    constexpr std::size_t first_room = 4096;
    std::vector<std::byte> room(std::max(first_room, 2 * (parts_.written() + more)));
    parts_.move_to({room.data(), room.size(), {}}, published_, 1);
    parts_room_ = std::move(room);
  }
  return parts_.begin(bytes, attachments, raised);
}

void HostContext::give_part() {
  parts_.publish(published_);
  attached_before_ = attachments_.size();
}

void HostContext::give_raised_part() {
  drop_attachments(attached_before_);
  const std::string encoded = encode_current_exception();
  std::memcpy(reserve_part(encoded.size(), true), encoded.data(), encoded.size());
  give_part();
}

void HostContext::end_parts() { result_.assign(std::span(parts_room_).first(parts_.written())); }

std::uint64_t HostContext::attach(const Buffer& buffer) {
  Segment* segment = buffer.segment();
  if (segment == nullptr) return 0;
  // write_value may run twice (measure, write): the same Buffer is attached once.
  if (std::find(attachments_.begin(), attachments_.end(), segment->id()) == attachments_.end()) {
    attachments_.push_back(segment->id());
    segments_.push_back(share(segment));
  }
  return segment->id();
}

Buffer HostContext::fetch(std::uint64_t handle, std::uint64_t size) {
  if (handle == 0) return {};
  const auto given = std::find_if(buffers_.begin(), buffers_.end(),
                                  [&](const Buffer& each) { return each.segment()->id() == handle; });
  if (given == buffers_.end() || size > given->segment()->size())
    throw PayloadError("an argument refers to a Buffer that was not given");
  return to_buffer(share(given->segment()), static_cast<std::size_t>(size));
}

/// A copy: what the task writes must not be seen by whoever submitted it.
Buffer HostContext::fetch_private(std::uint64_t handle, std::uint64_t size) {
  const Buffer given = fetch(handle, size);
  if (given.empty()) return {};
  Buffer own = Buffer::make(given.size());
  std::memcpy(own.data(), given.data(), given.size());
  return own;
}

void HostContext::drop_attachments(std::size_t from) {
  attachments_.resize(from);
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(from), segments_.end());
}

}  // namespace hotspare::detail
