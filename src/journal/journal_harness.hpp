#pragma once

#include "journal/journal.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

/// For the journal's own tests: journals in a folder that goes with the test, and ways to spoil them.
namespace hotspare::journal {

namespace fs = std::filesystem;

class TestFolder {
 public:
  TestFolder() : path_(fs::temp_directory_path() / "hotspare-journal-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~TestFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(path_)) all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::string path_;
};

inline Digest key_of(int number) {
  Sha256 sha;
  sha.add(static_cast<std::uint64_t>(number));
  return sha.finish();
}

/// Of sizes from none to several pages.
inline std::vector<std::byte> body_of(int number) {
  const std::size_t size = number % 10 == 3 ? 0 : number % 10 == 7 ? 9'000 + static_cast<std::size_t>(number) : 20;
  std::vector<std::byte> body(size);
  for (std::size_t i = 0; i < size; ++i)
    body[i] = static_cast<std::byte>((i * 7 + static_cast<std::size_t>(number)) & 0xff);
  return body;
}

/// Adds records first to last, in commits of so many.
inline void fill(Journal& journal, int first, int last, int each = 10) {
  for (int i = first; i <= last; ++i) {
    const auto body = body_of(i);
    journal.add(key_of(i), Kind::value, false, body);
    if (i % each == 0 || i == last) journal.commit();
  }
  journal.publish();
}

/// How many of records 1 to n it has, each of them as it was written.
inline int intact(Journal& journal, int last) {
  int count = 0;
  for (int i = 1; i <= last; ++i) {
    const auto entry = journal.find(key_of(i));
    if (!entry) continue;
    EXPECT_EQ(journal.read(entry->number).body, body_of(i)) << i;
    ++count;
  }
  return count;
}

/// What files a folder has, and their bytes: a picture of it, as a crash leaves it.
class Picture {
 public:
  static Picture of(const std::string& path) {
    Picture picture;
    for (const char* end : {"", "-wal", "-open"}) {
      if (fs::exists(path + end)) picture.files_[end] = bytes_of(path + end);
    }
    return picture;
  }
  void put(const std::string& path) const {
    for (const char* end : {"", "-wal", "-open", "-new", "-recovering"}) fs::remove(path + end);
    for (const auto& [end, bytes] : files_) {
      std::ofstream file(path + end, std::ios::binary);
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
  }
  std::string& operator[](const std::string& end) { return files_[end]; }
  void drop(const std::string& end) { files_.erase(end); }

 private:
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::map<std::string, std::string> files_;
};

/// What SIGKILL in the middle of a batch leaves: so many records in the file itself and so many in its -wal file.
inline Picture after_a_kill(const TestFolder& folder, int closed, int open) {
  const std::string path = folder.file("killed");
  if (closed > 0) {
    Journal journal(path, Durability::process);
    fill(journal, 1, closed);
    journal.close();
  }
  Journal journal(path, Durability::process);
  fill(journal, closed + 1, closed + open);
  return Picture::of(path);
}

/// What opening says.
inline std::optional<JournalError> refusal(const std::string& path) {
  try {
    const Journal journal(path, Durability::process);
    return std::nullopt;
  } catch (const JournalError& error) {
    return error;
  }
}

}  // namespace hotspare::journal
