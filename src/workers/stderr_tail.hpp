#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace hotspare::workers {

/// The last lines that a worker wrote to stderr, bounded in number and length.
class StderrTail {
 public:
  static constexpr std::size_t most_lines = 20;
  static constexpr std::size_t longest_line = 1000;

  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      const char c = static_cast<char>(byte);
      if (c == '\n') {
        finish_line();
      } else if (open_.size() < longest_line) {
        open_.push_back(c);
      }
    }
  }
  std::vector<std::string> lines() const {
    const bool one_too_many = !open_.empty() && lines_.size() == most_lines;
    std::vector<std::string> all(lines_.begin() + (one_too_many ? 1 : 0), lines_.end());
    if (!open_.empty()) all.push_back(open_);
    return all;
  }

 private:
  void finish_line() {
    lines_.push_back(std::move(open_));
    open_.clear();
    if (lines_.size() > most_lines) lines_.pop_front();
  }
  std::deque<std::string> lines_;
  std::string open_;
};

}  // namespace hotspare::workers
