#pragma once

#include "journal/judge.hpp"
#include "journal/paths.hpp"
#include "os/fd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace hotspare::journal {

using JournalId = std::array<std::byte, 16>;

/// The file PATH-open. Its lock makes its holder the journal's only writer, and it is the witness of how many records were
/// committed: SQLite takes a -wal file that was cut or removed for one that never had more.
///
/// Bytes 0 to 255: who holds it, for people. Then two slots, written in turn, so that a torn write leaves the other whole.
class Hold {
 public:
  /// What a holder before us left.
  struct Witness {
    bool written = false;  ///< It was written to
    bool intact = false;   ///< and can be read.
    JournalId id{};
    std::uint64_t records = 0;
  };

  /// Throws JournalError: busy, with the name of the holder; foreign, and nothing was changed; refused; full.
  Hold(const Paths& paths, bool of_any_user);
  /// Leaves the file, unless release() came first.
  ~Hold();
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  const Witness& found() const { return found_; }
  /// So many records are committed. In the page cache, which outlives the process.
  void note(const JournalId& id, std::uint64_t records);
  /// What was noted, and the file itself, is on the disk.
  void sync();
  /// The journal is closed and needs no witness.
  void release();
  /// In a fork of its process, where the descriptor is closed already.
  void abandon() { static_cast<void>(fd_.release()); }
  /// It was found without any trace of a use: nothing is to be left either.
  bool is_blank() const { return !found_.written && turn_ == 0; }

 private:
  bool try_lock();
  [[noreturn]] void throw_busy() const;
  [[noreturn]] void throw_foreign(Sight sight, const Found& found) const;
  void must_be_ours(bool of_any_user) const;
  void read();
  void sign();

  const Paths& paths_;
  os::Fd fd_;
  Witness found_;
  std::uint64_t turn_ = 0;
};

}  // namespace hotspare::journal
