#include "os/clock.hpp"
#include "os/closed_streams.hpp"
#include "os/file.hpp"
#include "registry/errors.hpp"
#include "registry/segment.hpp"
#include "registry/survey.hpp"

#include <hotspare/shared_registry.hpp>

#include <cerrno>
#include <chrono>

namespace hotspare {

using registry::CrashPoint;
using registry::or_refused;
using registry::reach;

namespace {

std::int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Everything that a segment is, but for its name: whole, and in use by us, before anybody can see it.
os::Fd make_nameless(std::size_t bytes, const std::string& what) {
  os::Fd fd = or_refused(os::make_nameless_file(os::shared_memory_folder), what);
  reach(CrashPoint::create_nameless);
  registry::Head head;
  head.owner = os::own_identity();
  head.created_ns = wall_clock_ns();
  head.size.store(bytes, std::memory_order_relaxed);  // nobody else can see it yet
  or_refused(os::write_at(fd, 0, std::as_bytes(std::span(&head, 1))), what);
  or_refused(os::set_length(fd, registry::data_at + bytes), what);
  or_refused(os::reserve(fd, registry::data_at, bytes), what);
  reach(CrashPoint::create_whole);
  or_refused(os::lock_shared(fd), what);
  reach(CrashPoint::create_locked);
  return fd;
}

}  // namespace

SharedRegistry::SharedRegistry(std::string scope) : scope_(std::move(scope)) {
  if (!registry::good_scope(scope_))
    throw RegistryError(RegistryProblem::bad_name,
                        "'" + scope_ + "' cannot be a registry's scope: 1 to 99 letters, digits, - and _");
  registry::arm_crash_points();
}

std::string SharedRegistry::path_of(const std::string& name) const {
  if (!registry::good_name(scope_, name))
    throw RegistryError(RegistryProblem::bad_name, "'" + name +
                                                       "' cannot be a segment's name: letters, digits, - _ and "
                                                       "dots, together with the scope at most 245");
  return registry::path_in_folder(registry::file_name(scope_, name));
}

Segment SharedRegistry::create(const std::string& name, std::size_t bytes) {
  const os::ClosedStreams closed;
  const std::string path = path_of(name);
  const std::string what = path + " cannot be created with " + std::to_string(bytes) + " bytes";
  if (bytes > registry::max_bytes)
    throw RegistryError(RegistryProblem::full, what + ": that is more than there can be");
  const registry::HeldFile first(make_nameless(bytes, what));
  registry::NameClaim claim(path, CrashPoint::create_orphan_locked, CrashPoint::create_orphan_removed);
  for (;;) {
    const os::Status named = os::name_file(first.fd(), path);
    if (named) break;
    if (named.failure().code != EEXIST) registry::throw_refused(what, named.failure());
    claim.free();
  }
  reach(CrashPoint::create_named);
  // Opened by its name, since only then the kernel can say its name later (os::path_of).
  os::Fd second = or_refused(os::open_shared_file(path, os::Access::read_write), what);
  const os::FileFacts ours = or_refused(os::file_facts(first.fd()), what);
  if (!or_refused(os::file_facts(second), what).is(ours)) registry::throw_absent(path);  // removed by force
  or_refused(os::lock_shared(second), what);  // nobody has it alone, for the first one is still locked
  reach(CrashPoint::create_held_twice);
  return Segment(std::make_unique<Segment::State>(scope_, registry::HeldFile(std::move(second)), true));
}

Segment SharedRegistry::open(const std::string& name) {
  const os::ClosedStreams closed;
  return Segment(std::make_unique<Segment::State>(scope_, registry::hold(path_of(name)), false));
}

std::vector<SegmentInfo> SharedRegistry::list() const {
  const os::ClosedStreams closed;
  std::vector<registry::Found> found = registry::find_registered(scope_);
  registry::add_users(found);
  return registry::infos_of(std::move(found));
}

Collected SharedRegistry::collect() {
  const os::ClosedStreams closed;
  Collected result;
  for (CollectedObject& each : registry::collect(registry::find_registered(scope_), {}))
    (each.removed ? result.removed : result.kept).push_back(std::move(each.object.path));
  return result;
}

}  // namespace hotspare
