#pragma once

#include "os/result.hpp"

#include <csignal>
#include <cstdint>

namespace hotspare::os {

/// A file of so many bytes may be made (RLIMIT_FSIZE, memfds included). To ask for a larger one is SIGXFSZ, which ends the
/// process: so it is looked at before.
Status within_file_size_limit(std::uint64_t size);

/// For as long as it lives, what this thread writes beyond RLIMIT_FSIZE fails with EFBIG, without SIGXFSZ. For writers whose
/// sizes are not known before. Threads: one.
class FileSizeErrors {
 public:
  FileSizeErrors() noexcept;
  ~FileSizeErrors();
  FileSizeErrors(const FileSizeErrors&) = delete;
  FileSizeErrors& operator=(const FileSizeErrors&) = delete;

 private:
  bool limited_ = false;      ///< Otherwise there is nothing to do.
  bool was_pending_ = false;  ///< Then it is somebody else's.
  sigset_t before_{};
};

}  // namespace hotspare::os
