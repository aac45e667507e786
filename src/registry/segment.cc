#include "registry/segment.hpp"

#include "os/file.hpp"
#include "registry/errors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hotspare {
namespace {

void zero(std::span<std::byte> bytes) {
  if (!bytes.empty()) std::memset(bytes.data(), 0, bytes.size());
}

}  // namespace

using registry::CrashPoint;
using registry::data_at;
using registry::or_refused;
using registry::reach;

Segment::State::State(std::string scope_name, registry::HeldFile held_file, bool created)
    : scope(std::move(scope_name)), created_here(created), held(std::move(held_file)) {
  // The head is writable only for who may resize: a stray pointer of a user does not reach it.
  const os::Access access = created ? os::Access::read_write : os::Access::read;
  head = or_refused(os::Mapping::of_part(held.fd(), 0, sizeof(registry::Head), access, os::OnFork::inherit),
                    "a segment's head cannot be mapped");
  // SYNC POINT (size): with Segment::resize.
  map(told().size.load(std::memory_order_acquire));
}

os::Mapping Segment::State::map(std::uint64_t bytes) {
  const std::string what = "the segment cannot be mapped";
  const os::FileFacts facts = or_refused(os::file_facts(held.fd()), what);
  if (facts.size < data_at || bytes > facts.size - data_at) registry::throw_foreign(os::path_of(held.fd()));
  os::Mapping fresh = or_refused(os::Mapping::of_part(held.fd(), data_at, std::max<std::size_t>(bytes, 1),
                                                      os::Access::read_write, os::OnFork::inherit),
                                 what);
  size = bytes;
  longest = std::max(longest, bytes);
  return std::exchange(data, std::move(fresh));
}

bool Segment::State::is_shared() const {
  os::Result<os::Locked> others = os::locked_by_others(held.fd());
  return !others || *others != os::Locked::no || forks != os::forks_so_far();
}

void Segment::State::must_own(const char* what) const {
  if (created_here && told().owner == os::own_identity()) return;
  throw RegistryError(RegistryProblem::not_owner, "only the process that created " + os::path_of(held.fd()) + " (" +
                                                      std::to_string(told().owner.pid) + ") can " + what +
                                                      " it. Ask it to, or create a segment of your own");
}

Segment::Segment(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Segment::Segment(Segment&& other) noexcept = default;
Segment& Segment::operator=(Segment&& other) noexcept = default;
Segment::~Segment() = default;

std::span<std::byte> Segment::bytes() const noexcept { return state_->data.bytes().first(state_->size); }

std::string Segment::name() const {
  const std::string path = registry::current_path(state_->held.fd());
  const auto names = registry::names_of(path.substr(path.rfind('/') + 1));
  return names ? names->name : std::string();
}

bool Segment::owner() const noexcept { return state_->created_here && state_->told().owner == os::own_identity(); }

void Segment::rename(const std::string& new_name) {
  state_->must_own("rename");
  if (!registry::good_name(state_->scope, new_name))
    throw RegistryError(RegistryProblem::bad_name, "'" + new_name +
                                                       "' cannot be a segment's name: letters, digits, - _ "
                                                       "and dots, together with the scope at most 245");
  const std::string to = registry::path_in_folder(registry::file_name(state_->scope, new_name));
  registry::NameClaim claim(to, CrashPoint::rename_orphan_locked, CrashPoint::rename_orphan_removed);
  for (;;) {
    const std::string from = registry::current_path(state_->held.fd());
    if (from == to) return;
    if (from.empty()) registry::throw_absent(os::path_of(state_->held.fd()));
    const os::Status done = os::rename_if_free(from, to);
    if (done) break;
    if (done.failure().code != EEXIST) registry::throw_refused(from + " cannot be renamed", done.failure());
    claim.free();
  }
  reach(CrashPoint::rename_done);
}

void Segment::resize(std::size_t bytes) {
  State& state = *state_;
  state.must_own("resize");
  const std::uint64_t old = state.size;
  const std::string what = os::path_of(state.held.fd()) + " cannot have " + std::to_string(bytes) + " bytes";
  if (bytes > registry::max_bytes)
    throw RegistryError(RegistryProblem::full, what + ": that is more than there can be");
  if (bytes > old) {
    or_refused(os::reserve(state.held.fd(), data_at + old, bytes - old), what);
    reach(CrashPoint::grow_reserved);
  }
  const std::uint64_t longest = state.longest;
  const os::Mapping before = state.map(bytes);
  // What was written behind the end, before a shrink, is not to come back.
  if (bytes > old) zero(state.data.bytes().subspan(old, std::min<std::uint64_t>(bytes, longest) - old));
  reach(CrashPoint::grow_zeroed);
  // SYNC POINT (size): with registry::check, State's constructor and refresh: who reads this size finds the file as long.
  state.told().size.store(bytes, std::memory_order_release);
  if (bytes > old) return reach(CrashPoint::grow_told);
  reach(CrashPoint::shrink_told);
  // Who still has the old size may read and write there: without its pages that would be SIGBUS once /dev/shm is full. Who
  // comes from now on sees the new one, so nobody is missed.
  if (state.is_shared()) return zero(before.bytes().subspan(bytes, old - bytes));
  or_refused(os::give_back(state.held.fd(), data_at + bytes, old - bytes), what);
}

bool Segment::refresh() {
  // SYNC POINT (size): with Segment::resize.
  const std::uint64_t now = state_->told().size.load(std::memory_order_acquire);
  if (now == state_->size) return false;
  state_->map(now);
  return true;
}

}  // namespace hotspare
