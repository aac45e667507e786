// What memory does across fork, between processes and at its limits: docs/kernel_facts.md, "Memory".
#include "child.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace kernel_facts {
namespace {

const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
constexpr std::size_t large = std::size_t{64} << 20;

class Mapping {
 public:
  Mapping(std::size_t size, int flags, int fd = -1)
      : size_(size), at_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0)) {}
  ~Mapping() {
    if (valid()) ::munmap(at_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool valid() const { return at_ != MAP_FAILED; }
  char* data() const { return static_cast<char*>(at_); }

 private:
  std::size_t size_;
  void* at_;
};

Descriptor memfd(std::size_t size) {
  Descriptor fd(::memfd_create("kernel_facts", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  return fd;
}

std::size_t pages_held(const Descriptor& fd) {
  struct stat about {};
  EXPECT_EQ(::fstat(fd.get(), &about), 0);
  return static_cast<std::size_t>(about.st_blocks) * 512 / page;
}

TEST(Fork, WipeOnForkGivesTheChildZeros) {
  const Mapping secret(page, MAP_PRIVATE | MAP_ANONYMOUS);
  ASSERT_EQ(::madvise(secret.data(), page, MADV_WIPEONFORK), 0);
  secret.data()[0] = 'x';
  Child child([&](const Child&) { ::_exit(secret.data()[0]); });
  EXPECT_EQ(child.reap().si_status, 0);
  EXPECT_EQ(secret.data()[0], 'x');
}

TEST(Fork, DontForkLeavesAHoleInTheChild) {
  const Mapping bulky(page, MAP_PRIVATE | MAP_ANONYMOUS);
  ASSERT_EQ(::madvise(bulky.data(), page, MADV_DONTFORK), 0);
  Child child([&](const Child&) {
    unsigned char resident = 0;
    ::_exit(::mincore(bulky.data(), page, &resident) == -1 && errno == ENOMEM ? 0 : 1);
  });
  EXPECT_EQ(child.reap().si_status, 0) << "no mapping there";
}

TEST(Memfd, IsSharedByAllWhoMapIt) {
  const Descriptor fd = memfd(page);
  const Mapping ours(page, MAP_SHARED, fd.get());
  Child child([&](const Child&) {
    const Mapping theirs(page, MAP_SHARED, fd.get());
    theirs.data()[0] = 'x';
  });
  child.reap();
  EXPECT_EQ(ours.data()[0], 'x');
}

TEST(Memfd, PunchedHoleFreesPagesThatAreMapped) {
  const Descriptor fd = memfd(4 * page);
  const Mapping first(4 * page, MAP_SHARED, fd.get());
  const Mapping second(4 * page, MAP_SHARED, fd.get());
  std::memset(first.data(), 'x', 4 * page);
  EXPECT_EQ(pages_held(fd), 4U);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(3 * page)), 0);
  EXPECT_EQ(pages_held(fd), 1U);
  EXPECT_EQ(second.data()[0], 0) << "reads as zeros for all";
  EXPECT_EQ(second.data()[3 * page], 'x');
}

// WARNING: so whoever maps a memfd that another may shrink must hold a seal against it, or expect SIGBUS.
TEST(Memfd, TouchBeyondATruncatedEndIsSigbus) {
  const Descriptor fd = memfd(2 * page);
  const Mapping mapping(2 * page, MAP_SHARED, fd.get());
  ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(page)), 0);
  Child child([&](const Child&) {
    ::signal(SIGBUS, SIG_DFL);
    ::_exit(const_cast<volatile char*>(mapping.data())[page]);
  });
  const siginfo_t info = child.reap();
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGBUS);
}

TEST(Memfd, SealRefusesToShrink) {
  const Descriptor fd(::memfd_create("kernel_facts", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(2 * page)), 0);
  ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(page)), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(DataLimit, RefusesPrivateMemoryButNotShared) {
  Child child([](const Child&) {
    const rlimit tight{page, page};
    if (::setrlimit(RLIMIT_DATA, &tight) != 0) ::_exit(1);
    if (Mapping(large, MAP_PRIVATE | MAP_ANONYMOUS).valid() || errno != ENOMEM) ::_exit(2);
    void* volatile from_heap = std::malloc(large);
    if (from_heap != nullptr) ::_exit(3);
    if (!Mapping(large, MAP_SHARED | MAP_ANONYMOUS).valid()) ::_exit(4);
  });
  EXPECT_EQ(child.reap().si_status, 0);
}

/// The lines of a process's maps or smaps about shared anonymous memory, the first figure of that name after each.
std::vector<std::pair<std::string, long>> shared_anonymous(const std::string& file, const std::string& figure) {
  std::vector<std::pair<std::string, long>> found;
  std::ifstream lines(file);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line[0] < 'A' || line[0] > 'Z') {
      inside = line.find("/dev/zero (deleted)") != std::string::npos;
      if (inside) found.emplace_back(line, -1);
    } else if (inside && line.compare(0, figure.size() + 1, figure + ":") == 0) {
      found.back().second = std::atol(line.c_str() + figure.size() + 1);
    }
  }
  return found;
}

TEST(Smaps, SharesAddUpToWhatThereIs) {
  const Mapping room(large, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE);
  const auto alone = shared_anonymous("/proc/self/smaps", "Pss");
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0].second, static_cast<long>(large / 1024));
  Child child([&](const Child&) {
    for (std::size_t at = 0; at < large; at += page) room.data()[at] = 1;
    const auto mine = shared_anonymous("/proc/self/smaps", "Pss");
    const auto parents = shared_anonymous("/proc/" + std::to_string(::getppid()) + "/smaps", "Pss");
    const long half = static_cast<long>(large / 1024 / 2);
    ::_exit(mine.size() == 1 && mine[0].second == half && parents.size() == 1 && parents[0].second == half ? 0 : 1);
  });
  EXPECT_EQ(child.reap().si_status, 0);
}

TEST(Smaps, NamesSharedAnonymousMemory) {
  const Mapping room(large, MAP_SHARED | MAP_ANONYMOUS);
  const auto here = shared_anonymous("/proc/self/maps", "");
  ASSERT_EQ(here.size(), 1U);
  Child child([&](const Child&) { ::_exit(shared_anonymous("/proc/self/maps", "") == here ? 0 : 1); });
  EXPECT_EQ(child.reap().si_status, 0);
}

TEST(DataLimit, CanBeSetFromOutside) {
  Child child([](const Child&) {
    ::raise(SIGSTOP);
    ::_exit(Mapping(large, MAP_PRIVATE | MAP_ANONYMOUS).valid() ? 1 : 0);
  });
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  const rlimit tight{page, RLIM_INFINITY};
  ASSERT_EQ(::prlimit(child.pid(), RLIMIT_DATA, &tight, nullptr), 0);
  ASSERT_EQ(::kill(child.pid(), SIGCONT), 0);
  EXPECT_EQ(child.reap().si_status, 0);
}

// So a crash handler reads memory that may be gone without a second fault.
TEST(ProcessVmReadv, EndsAtAHoleInsteadOfFaulting) {
  const Mapping pages(2 * page, MAP_PRIVATE | MAP_ANONYMOUS);
  ASSERT_EQ(::munmap(pages.data() + page, page), 0);
  pages.data()[0] = 'x';
  std::vector<char> copy(2 * page);
  iovec to{copy.data(), copy.size()};
  std::array<iovec, 2> from{iovec{pages.data(), page}, iovec{pages.data() + page, page}};
  EXPECT_EQ(::process_vm_readv(::getpid(), &to, 1, from.data(), from.size(), 0), static_cast<ssize_t>(page));
  EXPECT_EQ(copy[0], 'x');
  EXPECT_EQ(::process_vm_readv(::getpid(), &to, 1, &from[1], 1, 0), -1);
  EXPECT_EQ(errno, EFAULT);
}

}  // namespace
}  // namespace kernel_facts
