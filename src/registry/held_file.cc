#include "registry/held_file.hpp"

#include "os/clock.hpp"
#include "os/file.hpp"
#include "os/folder_watch.hpp"
#include "registry/decide.hpp"
#include "registry/errors.hpp"

#include <algorithm>
#include <cerrno>
#include <span>

namespace hotspare::registry {
namespace {

/// For a remover that is between its lock and its unlink: microseconds, unless it is stopped there.
constexpr std::int64_t patience_ns = 1'000'000'000;
/// A remover that dies there unlocks and removes nothing, of which no event tells.
constexpr std::int64_t look_again_ns = 20'000'000;

/// Empty if there is nothing.
os::Fd open_there(const std::string& path) {
  os::Result<os::Fd> fd = os::open_shared_file(path, os::Access::read_write);
  if (fd) return std::move(*fd);
  const int code = fd.failure().code;
  if (code == ENOENT) return {};
  if (code == ELOOP || code == EISDIR || code == ENXIO) throw_foreign(path);
  throw_refused(path + " cannot be opened", fd.failure());
}

/// Throws RegistryError: foreign.
void must_be_ours(const os::Fd& fd, const std::string& path) {
  const os::FileFacts facts = or_refused(os::file_facts(fd), path + " cannot be looked at");
  if (facts.owner != os::own_user()) throw_of_another_user(path, facts.owner);
  if (!read_head(fd)) throw_foreign(path);
}

}  // namespace

std::string path_in_folder(const std::string& file) { return std::string(os::shared_memory_folder) + "/" + file; }

bool is_named(const os::Fd& fd, const std::string& path) {
  os::Result<os::FileFacts> file = os::file_facts(fd);
  os::Result<os::FileFacts> named = os::file_facts(path);
  return file && named && named->is(*file);
}

std::string current_path(const os::Fd& fd) {
  // Again if it was renamed between the two looks. Not for ever: this process may have been moved to where /dev/shm is
  // another one.
  for (int looks = 0; looks < 100; ++looks) {
    const std::string told = os::path_of(fd);
    if (told.empty() || told.ends_with(" (deleted)")) break;
    std::string path = path_in_folder(told.substr(told.rfind('/') + 1));
    if (is_named(fd, path)) return path;
  }
  return {};
}

std::optional<HeadSeen> read_head(const os::Fd& fd) {
  os::Result<os::FileFacts> facts = os::file_facts(fd);
  Head head;
  if (!facts || !facts->regular || facts->size < data_at) return std::nullopt;
  os::Result<std::size_t> got = os::read_at(fd, 0, std::as_writable_bytes(std::span(&head, 1)));
  if (!got || *got != sizeof head) return std::nullopt;
  // Its length again, since it may have grown before its size was read; it never becomes shorter.
  facts = os::file_facts(fd);
  return facts ? check(head, facts->size) : std::nullopt;
}

void HeldFile::leave() noexcept {
  if (!fd_) return;
  // Another open() of it, by which to ask whether anybody else has it once this one is closed. To turn our own lock into a
  // lone one would not do: a fork of this process has it as well, and two that leave at once would each see the other.
  os::Result<os::Fd> last = os::open_again(fd_);
  reach(CrashPoint::drop_opened_again);
  fd_.reset();
  reach(CrashPoint::drop_released);
  if (!last) return;  // no descriptor to be had: an orphan may be left, for collect()
  os::Result<bool> alone = os::lock_alone(*last);
  if (!alone || !*alone) return;
  reach(CrashPoint::drop_locked);
  if (const std::string path = current_path(*last); !path.empty()) static_cast<void>(os::remove_file(path));
  reach(CrashPoint::drop_removed);
}

HeldFile hold(const std::string& path) {
  for (;;) {
    os::Fd fd = open_there(path);
    if (!fd) throw_absent(path);
    reach(CrashPoint::open_unlocked);
    must_be_ours(fd, path);
    if (!or_refused(os::lock_shared(fd), path + " cannot be registered")) throw_absent(path);
    HeldFile held(std::move(fd));  // also if it is not the one: its last user may have left meanwhile, trusting us
    reach(CrashPoint::open_locked);
    if (is_named(held.fd(), path)) return held;
  }
}

void NameClaim::free() {
  const os::Fd fd = open_there(path_);
  if (!fd) return;
  must_be_ours(fd, path_);
  const std::string what = path_ + " cannot be locked";
  const bool got = or_refused(os::lock_alone(fd), what);
  const os::Locked others = got ? os::Locked::no : or_refused(os::locked_by_others(fd), what);
  switch (decide_taken(got, is_named(fd, path_), others)) {
    case Taken::remove: remove_orphan(); break;
    case Taken::wait: wait_for_remover(fd); break;
    case Taken::again: break;
    case Taken::refuse:
      throw RegistryError(
          RegistryProblem::exists,
          path_ + " exists and is in use; `hotspare shm ls` shows by whom. Open it, or take another name");
  }
}

void NameClaim::remove_orphan() {
  reach(locked_);
  or_refused(os::remove_file(path_), "the orphan " + path_ + " cannot be removed");
  reach(removed_);
}

void NameClaim::wait_for_remover(const os::Fd& fd) {
  const std::int64_t now = os::monotonic_ns();
  if (deadline_ns_ == 0) deadline_ns_ = now + patience_ns;
  if (now >= deadline_ns_)
    throw RegistryError(RegistryProblem::busy, "another process has begun to remove the orphan " + path_ +
                                                   " and does not end it; it must be stopped. Let it go on or end it, "
                                                   "or take another name");
  os::FolderWatch watch = or_refused(os::FolderWatch::make(os::shared_memory_folder), path_ + " cannot be waited for");
  if (is_named(fd, path_)) watch.wait(std::min(deadline_ns_, now + look_again_ns));
}

bool remove_if_orphaned(const std::string& path, std::uint64_t inode) {
  os::Result<os::Fd> fd = os::open_shared_file(path, os::Access::read_write);
  if (!fd) return false;
  os::Result<bool> alone = os::lock_alone(*fd);
  os::Result<os::FileFacts> facts = os::file_facts(*fd);
  if (!alone || !*alone || !facts || facts->inode != inode || !is_named(*fd, path)) return false;
  reach(CrashPoint::collect_locked);
  const bool removed = static_cast<bool>(os::remove_file(path));
  reach(CrashPoint::collect_removed);
  return removed;
}

}  // namespace hotspare::registry
