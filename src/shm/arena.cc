#include "shm/arena.hpp"

#include "os/clock.hpp"
#include "os/memory_use.hpp"
#include "os/process.hpp"

#include <algorithm>

namespace hotspare::shm {
namespace {

constexpr std::size_t granule = 64 * 1024;
/// One task's arguments and its result: a caller who submits one task after the other finds these warm, however large.
constexpr std::size_t of_one_task = 2;

os::Result<std::unique_ptr<detail::Segment>> make_segment(std::size_t size, std::uint64_t writer) {
  auto fd = os::make_memfd("hotspare-payload", size, writer == 0 ? os::Room::now : os::Room::later);
  if (!fd) return fd.failure();
  auto mapping = os::Mapping::of(*fd, size, os::Access::read_write);  // a fork may look at what its parent holds
  if (!mapping) return mapping.failure();
  return std::make_unique<detail::Segment>(detail::next_segment_id(), size, std::move(*fd), std::move(*mapping));
}

}  // namespace

class Arena::Promised {
 public:
  Promised(Arena& arena, std::size_t bytes) : arena_(arena), bytes_(bytes) {}
  ~Promised() {
    if (bytes_ == 0) return;
    const std::lock_guard lock(arena_.mutex_);
    arena_.bytes_ -= bytes_;
  }
  Promised(const Promised&) = delete;
  Promised& operator=(const Promised&) = delete;
  void keep() { bytes_ = 0; }

 private:
  Arena& arena_;
  std::size_t bytes_;
};

ArenaLimits arena_limits() {
  const std::size_t memory = os::usable_memory();
  ArenaLimits limits;
  limits.bytes = memory;
  limits.warm_bytes = memory / 16;
  limits.warm = std::min<std::size_t>(128, os::descriptor_limit() / 8);
  limits.idle_bytes = std::min<std::size_t>(std::size_t{64} << 20, limits.warm_bytes);
  limits.idle = std::min<std::size_t>(32, limits.warm);
  limits.warm_for_ns = 1'000'000'000;
  return limits;
}

Arena::Arena(const ArenaLimits& limits) : limits_(limits) { warm_.reserve(limits.warm + 1); }

Arena::~Arena() {
  if (!owner_.is_this()) return;
  for (detail::Segment* segment : warm_) free(segment);
}

os::Result<detail::SegmentRef> Arena::allocate(std::size_t size, std::uint64_t writer) {
  const std::size_t rounded = std::max(granule, (size + granule - 1) / granule * granule);
  const std::string wish = "segment of " + std::to_string(size) + " bytes";
  if (rounded < size) return os::Failure{ENOMEM, wish};
  detail::Segment* segment = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (writer != 0) writers_.insert(writer);
    segment = take_warm(rounded, writer);
    if (segment == nullptr) {
      if (bytes_ - warm_bytes_ > limits_.bytes || rounded > limits_.bytes - (bytes_ - warm_bytes_))
        return os::Failure{ENOMEM, wish + " beside " + std::to_string((bytes_ - warm_bytes_) >> 20) +
                                       " MB in use, where this process may have " +
                                       std::to_string(limits_.bytes >> 20) + " MB in all"};
      bytes_ += rounded;
    }
  }
  if (segment == nullptr) {
    Promised promised(*this, rounded);
    auto made = make_segment(rounded, writer);  // without the mutex: its pages may have to be made
    if (!made) return made.failure();
    const std::lock_guard lock(mutex_);
    alive_.insert((*made)->id());
    segment = made->release();
    promised.keep();
  }
  segment->writer = writer;
  segment->back_at = 0;
  segment->lend(shared_from_this());
  return detail::SegmentRef(segment);
}

detail::Segment* Arena::take_warm(std::size_t size, std::uint64_t writer) {
  const auto fits = [&](const detail::Segment* segment) {
    return segment->writer == writer && segment->size() >= size && segment->size() / 2 <= size;
  };
  // Newest first: its pages are the likeliest to be in the cache.
  const auto found = std::find_if(warm_.rbegin(), warm_.rend(), fits);
  if (found == warm_.rend()) return nullptr;
  detail::Segment* segment = *found;
  warm_.erase(std::next(found).base());
  warm_bytes_ -= segment->size();
  return segment;
}

void Arena::shown(detail::Segment& segment) {
  if (detail::segments_hold_many_descriptors()) segment.close_fd();
}

void Arena::writer_gone(std::uint64_t writer) {
  for (detail::Segment* unsafe = take_warm_of(writer); unsafe != nullptr; unsafe = take_warm_of(writer)) free(unsafe);
}

/// One that it may still write; null: none is left.
detail::Segment* Arena::take_warm_of(std::uint64_t writer) noexcept {
  const std::lock_guard lock(mutex_);
  writers_.erase(writer);
  const auto found =
      std::find_if(warm_.begin(), warm_.end(), [writer](const auto* segment) { return segment->writer == writer; });
  if (found == warm_.end()) return nullptr;
  detail::Segment* const unsafe = *found;
  warm_.erase(found);
  warm_bytes_ -= unsafe->size();
  account_for_end(*unsafe);
  return unsafe;
}

void Arena::take_back(detail::Segment* segment) noexcept { free_surplus(keep_warm(*segment) ? nullptr : segment); }

bool Arena::keep_warm(detail::Segment& segment) noexcept {
  const std::lock_guard lock(mutex_);
  const bool others_may_write = segment.writer != 0 && !writers_.contains(segment.writer);
  if (closed_ || !segment.fd() || others_may_write || segment.may_be_in_a_fork()) {
    account_for_end(segment);
    return false;
  }
  segment.back_at = os::monotonic_ns();
  warm_.push_back(&segment);
  warm_bytes_ += segment.size();
  if (!watched_ && on_warm_) {
    watched_ = true;
    on_warm_();
  }
  return true;
}

bool Arena::too_much_is_warm() const noexcept {
  if (warm_bytes_ > limits_.warm_bytes || warm_.size() > limits_.warm) return true;
  const bool all_are_back = warm_.size() == alive_.size();
  return all_are_back && warm_.size() > of_one_task &&
         (warm_bytes_ > limits_.idle_bytes || warm_.size() > limits_.idle);
}

detail::Segment* Arena::take_surplus() noexcept {
  const std::lock_guard lock(mutex_);
  return too_much_is_warm() ? take_oldest() : nullptr;
}

detail::Segment* Arena::take_oldest() noexcept {
  detail::Segment* oldest = warm_.front();
  warm_.erase(warm_.begin());
  warm_bytes_ -= oldest->size();
  account_for_end(*oldest);
  return oldest;
}

/// The first and what else is too much, without the mutex: to free pages takes time.
void Arena::free_surplus(detail::Segment* first) noexcept {
  if (first != nullptr) free(first);
  while (detail::Segment* surplus = take_surplus()) free(surplus);
}

void Arena::account_for_end(const detail::Segment& segment) noexcept {
  alive_.erase(segment.id());
  bytes_ -= segment.size();
}

void Arena::free(detail::Segment* segment) noexcept {
  if (segment->may_be_in_a_fork() && segment->back_at == 0) {
    left_to_forks_.fetch_add(1, std::memory_order_relaxed);
  } else {
    os::free_pages(segment->bytes());  // workers may still have it mapped
  }
  delete segment;
}

void Arena::on_warm(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  on_warm_ = std::move(call);
}

std::int64_t Arena::trim(std::int64_t now) {
  for (;;) {
    detail::Segment* gone = nullptr;
    {
      const std::lock_guard lock(mutex_);
      watched_ = !warm_.empty();
      if (!watched_) return 0;
      const std::int64_t due = warm_.front()->back_at + limits_.warm_for_ns;
      if (due > now) return due;
      gone = take_oldest();
    }
    free(gone);
  }
}

void Arena::close() {
  for (;;) {
    detail::Segment* gone = nullptr;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      on_warm_ = nullptr;
      if (warm_.empty()) return;
      gone = take_oldest();
    }
    free(gone);
  }
}

bool Arena::exists(std::uint64_t segment) const {
  const std::lock_guard lock(mutex_);
  return alive_.contains(segment);
}

std::size_t Arena::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hotspare::shm
