#pragma once

#include "journal/hold.hpp"
#include "journal/judge.hpp"
#include "journal/paths.hpp"

#include <cstdint>

namespace hotspare::journal {

/// What lies there, without SQLite. hold: there was an -open file that was written to.
Found look_at(const Paths& paths, bool hold, bool of_any_user);

/// A new, empty journal, closed and on the disk, under this name.
JournalId make_journal(const Paths& paths, const std::string& as);

/// Records that a recovery would save; the files of large values are looked at, not read.
std::uint64_t count_savable(const Paths& paths);

}  // namespace hotspare::journal
