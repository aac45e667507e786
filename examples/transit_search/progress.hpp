#pragma once

#include <cstdint>
#include <string>

namespace transit {

/// Tells on stderr how far a star's search is: one line that rewrites itself on a terminal, else a line for each
/// tenth of the work.
class Progress {
 public:
  Progress(std::string label, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t done, std::uint64_t deaths);

 private:
  std::string label_;
  std::uint64_t total_;
  std::uint64_t tenths_shown_ = 0;
  bool terminal_;
};

}  // namespace transit
