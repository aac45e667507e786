#include "journal/hold.hpp"

#include "journal/errors.hpp"
#include "journal/judge.hpp"
#include "journal/sha256.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "supervisor/fork_guard.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace hotspare::journal {
namespace {

constexpr std::size_t signature_bytes = 256;
constexpr std::string_view signature = "process ";

/// As it stands in the file.
struct Slot {
  JournalId id{};
  std::uint64_t records = 0;
  std::uint64_t turn = 0;  ///< 0: never written. The higher one counts.
  Digest sum{};
};
static_assert(sizeof(Slot) == 64 && std::endian::native == std::endian::little);
constexpr std::size_t file_bytes = signature_bytes + 2 * sizeof(Slot);

Digest sum_of(const Slot& slot) {
  Sha256 sha;
  sha.add("hotspare hold 1");
  sha.add(slot.id);
  sha.add(slot.records);
  sha.add(slot.turn);
  return sha.finish();
}

}  // namespace

Hold::Hold(const Paths& paths, bool of_any_user) : paths_(paths) {
  while (!try_lock()) {
  }
  must_be_ours(of_any_user);
  supervisor::close_in_forks(fd_.get());
  read();
  sign();
}

Hold::~Hold() {
  if (!fd_) return;
  // One that tells nothing would only puzzle people.
  if (is_blank()) static_cast<void>(os::remove_file(paths_.hold));
  supervisor::forget_in_forks(fd_.get());
}

/// False: its last holder removed the file between our opening and locking it.
bool Hold::try_lock() {
  os::Result<os::Fd> opened = os::open_or_create(paths_.hold);
  if (!opened && opened.failure().code == ELOOP) throw_foreign(Sight::link, {.link = paths_.hold});
  fd_ = or_refused(std::move(opened), paths_.journal, "cannot be opened for writing");
  if (!or_refused(os::lock_exclusively(fd_), paths_.journal, "cannot be locked")) throw_busy();
  const os::FileFacts ours = or_refused(os::file_facts(fd_), paths_.journal, "cannot be locked");
  return or_refused(os::file_facts(paths_.hold), paths_.journal, "cannot be locked").is(ours);
}

void Hold::throw_foreign(Sight sight, const Found& found) const {
  throw JournalError(JournalProblem::foreign, paths_.journal,
                     "the journal " + paths_.journal + " cannot be used: " + explain(sight, found));
}

/// A file that somebody else put there is neither written to nor believed.
void Hold::must_be_ours(bool of_any_user) const {
  const os::FileFacts facts = or_refused(os::file_facts(fd_), paths_.journal, "cannot be looked at");
  if (!of_any_user && !trusts(os::own_user(), facts.owner))
    throw_foreign(Sight::of_another_user, {.strange = paths_.hold, .owner = facts.owner});
  std::array<char, 8> head{};
  if (facts.regular && facts.size != 0)
    or_refused(os::read_at(fd_, 0, std::as_writable_bytes(std::span(head))), paths_.journal,
               "its -open file cannot be read");
  // Zeros: a power cut took what had been written.
  const std::string_view text(head.data(), head.size());
  if (facts.regular && (text == signature || text == std::string_view("\0\0\0\0\0\0\0\0", 8))) return;
  throw JournalError(
      JournalProblem::foreign, paths_.journal,
      "the journal " + paths_.journal + " cannot be used: " + paths_.hold +
          " is something else than the file by which journals are locked. It was not changed: move it away");
}

void Hold::throw_busy() const {
  std::array<char, signature_bytes> text{};
  auto got = os::read_at(fd_, 0, std::as_writable_bytes(std::span(text)));
  std::string holder(text.data(), got ? *got : 0);
  holder = holder.substr(0, holder.find('\n'));
  if (holder.empty()) holder = "another process";
  throw JournalError(JournalProblem::busy, paths_.journal,
                     "the journal " + paths_.journal + " has one writer at a time, and " + holder +
                         " has it open. Wait until it has ended, or end it");
}

void Hold::read() {
  std::array<std::byte, file_bytes> bytes{};
  const std::size_t got = or_refused(os::read_at(fd_, 0, bytes), paths_.journal, "its -open file cannot be read");
  found_.written = got > signature_bytes;
  for (std::size_t i = 0; i < 2; ++i) {
    Slot slot;
    std::memcpy(&slot, bytes.data() + signature_bytes + i * sizeof slot, sizeof slot);
    if (slot.turn <= turn_ || slot.sum != sum_of(slot)) continue;
    turn_ = slot.turn;
    found_.intact = true;
    found_.id = slot.id;
    found_.records = slot.records;
  }
}

void Hold::sign() {
  std::string text = std::string(signature) + std::to_string(os::own_pid());
  if (const std::string host = os::host_name(); !host.empty()) text += " on " + host;
  text.resize(signature_bytes - 1, ' ');
  std::replace(text.begin(), text.end(), '\n', ' ');
  text[text.find_last_not_of(' ') + 1] = '\n';
  text += '\n';
  or_refused(os::write_at(fd_, 0, std::as_bytes(std::span(text.data(), text.size()))), paths_.journal,
             "its -open file cannot be written");
}

void Hold::note(const JournalId& id, std::uint64_t records) {
  Slot slot{id, records, turn_ + 1, {}};
  slot.sum = sum_of(slot);
  const std::size_t place = signature_bytes + (slot.turn % 2) * sizeof slot;
  or_refused(os::write_at(fd_, place, std::as_bytes(std::span(&slot, 1))), paths_.journal,
             "its -open file cannot be written");
  turn_ = slot.turn;
}

void Hold::sync() {
  or_refused(os::sync_file(fd_), paths_.journal, "its -open file cannot be brought to the disk");
  or_refused(os::sync_folder(paths_.folder), paths_.journal, "its folder cannot be brought to the disk");
}

void Hold::release() {
  or_refused(os::remove_file(paths_.hold), paths_.journal, "its -open file cannot be removed");
  supervisor::forget_in_forks(fd_.get());
  fd_.reset();
}

}  // namespace hotspare::journal
