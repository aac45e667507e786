#include "journal/errors.hpp"

#include <cerrno>

namespace hotspare {

JournalError::JournalError(JournalProblem problem, std::string path, const std::string& message, std::uint64_t savable)
    : Error(message),
      problem_(problem),
      savable_(savable),
      path_(std::make_shared<const std::string>(std::move(path))) {}
JournalError::~JournalError() = default;
const std::string& JournalError::path() const noexcept { return *path_; }

}  // namespace hotspare

namespace hotspare::journal {

bool no_room(int code) noexcept { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

std::string full_text(const std::string& path, const std::string& detail) {
  return "the journal " + path + " cannot grow: the disk is full, or a quota or file size limit is reached (" + detail +
         "). What was committed is safe: make room and run the batch again, it goes on from there";
}

void throw_refused(const std::string& path, const std::string& what, const os::Failure& failure) {
  if (no_room(failure.code)) throw JournalError(JournalProblem::full, path, full_text(path, failure.text()));
  throw JournalError(JournalProblem::refused, path, "the journal " + path + ": " + what + ": " + failure.text());
}

}  // namespace hotspare::journal
