#pragma once

#include <filesystem>
#include <string>

namespace hotspare::journal {

/// A journal and what may lie beside it. After a clean close it is alone, but for large values.
struct Paths {
  explicit Paths(const std::string& given)
      : journal(canonical(given)), folder(std::filesystem::path(journal).parent_path().string()) {}

  std::string journal;  ///< Without links on the way: whoever names it otherwise means the same lock.
  std::string folder;
  std::string wal = journal + "-wal";                ///< SQLite's: what was committed last.
  std::string hold = journal + "-open";              ///< Who has it open, and how many records there are.
  std::string fresh = journal + "-new";              ///< A new journal before it is one.
  std::string recovering = journal + "-recovering";  ///< What a recovery has saved, before it takes the place.
  std::string values = journal + ".values";          ///< Folder of large values.
  std::string damaged = journal + ".damaged";        ///< What recoveries put aside begins like this.

 private:
  static std::string canonical(const std::string& given) {
    std::error_code error;
    const auto whole = std::filesystem::absolute(given, error);
    const auto path = std::filesystem::weakly_canonical(whole, error);
    return error ? whole.string() : path.string();  // opening it will say what is wrong
  }
};

}  // namespace hotspare::journal
