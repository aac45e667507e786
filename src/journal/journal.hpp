#pragma once

#include "journal/database.hpp"
#include "journal/hold.hpp"
#include "journal/judge.hpp"
#include "journal/paths.hpp"
#include "journal/record.hpp"
#include "journal/value_files.hpp"
#include "os/closed_streams.hpp"
#include "os/file.hpp"
#include "os/owner.hpp"

#include <hotspare/journal.hpp>

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace hotspare::journal {

/// One journal, open for this process alone. Its records are numbered and never changed; it knows by number which of them
/// is the newest of a key. Threads: one at a time; but find() and publish() may run beside the others, under a lock of their
/// own: whoever asks need not wait for the disk.
class Journal {
 public:
  /// What there is of a key.
  struct Entry {
    std::int64_t number = 0;
    Kind kind{};
  };
  struct Stored {
    Kind kind{};
    bool packed = false;
    std::vector<std::byte> body;
  };
  static constexpr std::size_t large = std::size_t{1} << 20;  ///< From so many bytes on, a value has a file of its own.

  /// Opens it, or makes it where nothing is; looks at every record. Throws JournalError. of_any_user: also one that another
  /// user could have written.
  Journal(const std::string& path, Durability durability, bool of_any_user = false);
  /// close(), without what it throws.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::string& path() const { return paths_.journal; }
  /// As os::network_file_system.
  const std::string& network() const { return network_; }
  std::uint64_t records() const { return records_; }
  std::optional<Entry> find(const Digest& key) const;
  /// Throws JournalError if it is no longer what was committed.
  Stored read(std::int64_t number);

  /// Adds a record, which counts when commit() has returned. Both throw JournalError; afterwards nothing of what was added
  /// since the last commit is there.
  void add(const Digest& key, Kind kind, bool packed, std::span<const std::byte> body);
  void commit();
  /// find() knows of what was committed.
  void publish();

  /// Everything is on the disk, in one file (and that of the large values). Throws JournalError; what was committed is safe
  /// in any case.
  void close();

 private:
  struct Added {
    Digest key;
    Entry entry;
  };
  Found look() const;
  void make();
  void open();
  Counted count(Digests& named);
  void count_records(Counted& counted, Digests& named);
  bool read_description(Counted& counted);
  void begin_use();
  void check_in_place() const;
  void roll_back() noexcept;
  [[noreturn]] void throw_unusable(JournalProblem problem, const std::string& why) const;

  const Paths paths_;
  const os::Owner owner_;
  const os::ClosedStreams closed_streams_;
  const bool power_;
  const bool of_any_user_;
  const std::string network_;
  std::optional<Hold> hold_;
  std::unique_ptr<Database> database_;
  ValueFiles values_;
  JournalId id_{};
  os::FileFacts file_;
  Statement insert_, select_;
  Sha256 sha_;
  std::unordered_map<Digest, Entry, DigestHash> newest_;
  std::vector<Added> added_, committed_;
  std::uint64_t records_ = 0;
  std::int64_t last_ = 0;  ///< Number of the last one added.
};

}  // namespace hotspare::journal
