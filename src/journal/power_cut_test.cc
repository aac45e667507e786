#include "journal/journal_harness.hpp"

#include <sqlite3.h>

#include <map>
#include <string>

/// A power cut takes every write that was not brought to the disk. It is played by a layer under SQLite that remembers each
/// file as it was at its last fsync.
namespace hotspare::journal {
namespace {

class Disk {
 public:
  Disk() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "power-cut";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pAppData = this;
    vfs_.pNext = nullptr;
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~Disk() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  /// What the disk has of a journal whose -open file was last synced with these bytes.
  Picture after_a_cut(const std::string& path, const std::string& hold) {
    Picture picture;
    for (const char* end : {"", "-wal"}) {
      if (const auto found = synced_.find(path + end); found != synced_.end()) picture[end] = found->second;
    }
    picture["-open"] = hold;
    return picture;
  }

 private:
  struct File {
    sqlite3_file base;
    Disk* disk;
    std::string* path;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    auto* const disk = static_cast<Disk*>(vfs->pAppData);
    File& ours = of(file);
    ours.disk = disk;
    ours.path = new std::string(name == nullptr ? "" : name);
    const int code = disk->real_->xOpen(disk->real_, name, ours.real(), flags, out);
    if (code == SQLITE_OK && disk->methods_.xClose == nullptr) disk->learn(*ours.real()->pMethods);
    ours.base.pMethods = code == SQLITE_OK ? &disk->methods_ : nullptr;
    if (code != SQLITE_OK) delete ours.path;
    return code;
  }

  void learn(const sqlite3_io_methods& real) {
    methods_ = {};
    methods_.iVersion = 1;  // no shared memory, no mapping: the journal needs neither
    methods_.xClose = [](sqlite3_file* f) {
      File& file = of(f);
      delete file.path;
      return file.real()->pMethods->xClose(file.real());
    };
    methods_.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return of(f).real()->pMethods->xRead(of(f).real(), to, n, at);
    };
    methods_.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      return of(f).real()->pMethods->xWrite(of(f).real(), from, n, at);
    };
    methods_.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
      return of(f).real()->pMethods->xTruncate(of(f).real(), n);
    };
    methods_.xSync = [](sqlite3_file* f, int) {
      File& file = of(f);
      const auto bytes = *os::Result(os::read_whole(*file.path));
      file.disk->synced_[*file.path] = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
      return SQLITE_OK;  // quicker than the real one
    };
    methods_.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
      return of(f).real()->pMethods->xFileSize(of(f).real(), n);
    };
    methods_.xLock = [](sqlite3_file* f, int how) { return of(f).real()->pMethods->xLock(of(f).real(), how); };
    methods_.xUnlock = [](sqlite3_file* f, int how) { return of(f).real()->pMethods->xUnlock(of(f).real(), how); };
    methods_.xCheckReservedLock = [](sqlite3_file* f, int* out) {
      return of(f).real()->pMethods->xCheckReservedLock(of(f).real(), out);
    };
    methods_.xFileControl = [](sqlite3_file* f, int what, void* with) {
      return of(f).real()->pMethods->xFileControl(of(f).real(), what, with);
    };
    methods_.xSectorSize = [](sqlite3_file* f) { return of(f).real()->pMethods->xSectorSize(of(f).real()); };
    methods_.xDeviceCharacteristics = [](sqlite3_file* f) {
      return of(f).real()->pMethods->xDeviceCharacteristics(of(f).real());
    };
    static_cast<void>(real);
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  sqlite3_io_methods methods_{};
  std::map<std::string, std::string> synced_;
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Commits in small groups; after each, what a power cut would leave is looked at.
template <class Look>
void commit_and_look(Durability durability, int closed, int last, const Look& look) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  Disk disk;
  if (closed > 0) {
    Journal journal(path, durability);
    fill(journal, 1, closed);
  }
  Journal journal(path, durability);
  const std::string hold = bytes_of(path + "-open");
  for (int i = closed; i < last; ++i) {
    fill(journal, i + 1, i + 1);
    disk.after_a_cut(path, hold).put(folder.file("cut"));
    look(folder.file("cut"), i + 1);
    // In the middle of a transaction.
    journal.add(key_of(1000 + i), Kind::value, false, body_of(7));
    disk.after_a_cut(path, hold).put(folder.file("cut"));
    look(folder.file("cut"), i + 1);
    journal.commit();
  }
}

TEST(PowerCut, WhatWasCommittedIsOnTheDiskWithDurabilityPower) {
  for (const int closed : {0, 30}) {
    commit_and_look(Durability::power, closed, closed + 40, [](const std::string& path, int committed) {
      Journal journal(path, Durability::power);
      EXPECT_EQ(intact(journal, committed + 1), committed);
    });
  }
}

TEST(PowerCut, WithDurabilityProcessWhatIsThereIsWhole) {
  commit_and_look(Durability::process, 30, 60, [](const std::string& path, int committed) {
    Journal journal(path, Durability::process);
    const int count = intact(journal, committed + 1);
    EXPECT_GE(count, 30);
    EXPECT_LE(count, committed);
  });
}

}  // namespace
}  // namespace hotspare::journal
