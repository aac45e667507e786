#pragma once

#include <filesystem>

namespace hotspare::audio {

/// A file that has its name only when it is complete. Until then it has none at all where the file system knows such files
/// (O_TMPFILE), so that nothing is left behind even by a SIGKILL; elsewhere it is called NAME.unfinished, and removed by
/// the destructor. What is no regular file (a device, a pipe) is written to as it is; "-" is standard output. A symbolic link
/// is followed: what it names is replaced.
class OutputFile {
 public:
  /// Throws std::filesystem::filesystem_error.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  /// Gives it its name, in place of what had it. Throws std::filesystem::filesystem_error.
  void publish();

 private:
  void open();

  std::filesystem::path path_;
  std::filesystem::path unfinished_;  ///< Its name until then; empty: it has none, or its own already.
  bool nameless_ = false;
  int descriptor_ = -1;
};

}  // namespace hotspare::audio
