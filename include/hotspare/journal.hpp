#pragma once

#include <hotspare/error.hpp>
#include <hotspare/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace hotspare {

/// What a journal's committed records survive. In both cases: SIGKILL of everything, at any moment.
enum class Durability : unsigned char {
  process,  ///< A power cut may take the newest records: their tasks run again, or the journal says that some are missing.
  power,  ///< A power cut, too: each commit waits for the disk.
};

/// Why a journal can't be used, or not any more.
enum class JournalProblem : unsigned char {
  busy,     ///< Another one writes it, or it belongs to the process that this one is a fork of.
  damaged,  ///< What is there is not all that was written. See recover_journal.
  newer,    ///< A newer hotspare wrote it.
  foreign,  ///< It, or what lies beside it, is something else than a journal's, or another user's; nothing was changed.
  full,     ///< The disk is full, or a quota or file size limit is reached. What was committed is safe.
  refused,  ///< The system said no: permissions, an I/O error; what() has its words.
};

/// what() says what happened to which journal, why, and what to do.
class HOTSPARE_API JournalError : public Error {
 public:
  JournalError(JournalProblem problem, std::string path, const std::string& message, std::uint64_t savable = 0);
  ~JournalError() override;
  JournalProblem problem() const noexcept { return problem_; }
  const std::string& path() const noexcept;
  /// Records that recover_journal would save, if problem() is damaged or newer.
  std::uint64_t savable() const noexcept { return savable_; }

 private:
  JournalProblem problem_;
  std::uint64_t savable_;
  std::shared_ptr<const std::string> path_;
};

/// What recover_journal did.
struct Recovered {
  std::uint64_t saved = 0;  ///< Records in the journal now: all that are whole.
  std::uint64_t lost = 0;   ///< Records that had been committed and are not there or not whole; 0 if that is not known.
  bool all_known = false;   ///< Whether it is known how many records there were.
  std::string damaged_copy;  ///< Where the journal lies as it was found; empty if it was whole.
};

/// Puts a journal that holds all intact records of this one in its place. What was found goes to PATH.damaged and is not
/// changed. A journal that is whole stays as it is. Every record is verified, large values too: takes a while.
/// Throws JournalError: busy, foreign, full, refused.
HOTSPARE_API Recovered recover_journal(const std::string& path);

}  // namespace hotspare
