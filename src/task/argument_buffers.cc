#include "task/argument_buffers.hpp"

#include "shm/segment.hpp"

#include <hotspare/error.hpp>

#include <cstring>

namespace hotspare::detail {

ArgumentBuffers::ArgumentBuffers() = default;
ArgumentBuffers::~ArgumentBuffers() = default;

std::uint64_t ArgumentBuffers::attach(const Buffer& buffer) {
  if (buffer.segment() == nullptr) return 0;
  if (state_ == nullptr) state_ = std::make_unique<State>();
  if (!buffer.segment()->fd()) {
    // There were so many that its descriptor was closed: no worker could be shown it.
    auto copy = make_standalone_segment(buffer.size(), Descriptor::kept);
    if (!copy) throw PayloadError("a Buffer cannot be an argument: " + copy.failure().text());
    if (!buffer.empty()) std::memcpy((*copy)->data(), buffer.data(), buffer.size());
    state_->buffers.push_back(to_buffer(std::move(*copy), buffer.size()));
  } else {
    state_->buffers.push_back(buffer);
  }
  return state_->buffers.back().segment()->id();
}

Buffer ArgumentBuffers::fetch(std::uint64_t, std::uint64_t) { return {}; }

void ArgumentBuffers::rewind() {
  if (state_ != nullptr) *state_ = State();
}

void ArgumentBuffers::hold(std::shared_ptr<const void> what) {
  if (state_ == nullptr) state_ = std::make_unique<State>();
  state_->held.push_back(std::move(what));
}

void ArgumentBuffers::count_last() {
  if (state_ == nullptr) return;
  state_->counted_bytes += state_->buffers.back().size();
  ++state_->counted;
}

}  // namespace hotspare::detail
