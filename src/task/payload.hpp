#pragma once

#include "shm/segment.hpp"
#include "task/charge.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

namespace hotspare::detail {

/// The bytes of arguments or of a result: small ones inside, medium ones on the heap, large ones in a segment.
class Payload {
 public:
  static constexpr std::size_t small = 40;

  std::span<const std::byte> bytes() const {
    if (segment_ != nullptr) return {segment_->data(), size_};
    if (heap_ != nullptr) return {heap_.get(), size_};
    return {inside_, size_};
  }
  Segment* segment() const { return segment_.get(); }
  /// Until these bytes go they count in a pool's limits.
  void hold(Charge charge) { charge_ = std::move(charge); }

  /// Room for so many bytes in this process's own memory; what was there is gone.
  std::byte* reserve(std::size_t size) {
    clear();
    size_ = size;
    if (size <= small) return inside_;
    heap_ = std::make_unique_for_overwrite<std::byte[]>(size);
    return heap_.get();
  }
  void assign(std::span<const std::byte> from) {
    std::byte* room = reserve(from.size());
    if (!from.empty()) std::memcpy(room, from.data(), from.size());
  }
  void adopt(SegmentRef segment, std::size_t size) {
    clear();
    segment_ = std::move(segment);
    size_ = size;
  }
  /// What it holds; it is empty then.
  Payload take() {
    Payload taken = std::move(*this);
    clear();
    return taken;
  }
  void clear() {
    heap_.reset();
    segment_.reset();
    charge_.reset();
    size_ = 0;
  }

 private:
  alignas(16) std::byte inside_[small];  // first: what follows fills the gap that the alignment leaves
  std::size_t size_ = 0;
  std::unique_ptr<std::byte[]> heap_;
  SegmentRef segment_;
  Charge charge_;
};

}  // namespace hotspare::detail
