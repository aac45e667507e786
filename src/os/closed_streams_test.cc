#include "os/closed_streams.hpp"
#include "os/fd.hpp"
#include "support/no_processes.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

using testing::in_child;

bool is_closed(int fd) { return ::fcntl(fd, F_GETFD) < 0; }
bool refuses(int fd) {
  char byte = 'x';
  return ::write(fd, &byte, 1) == -1 && errno == EBADF && ::read(fd, &byte, 1) == -1 && errno == EBADF;
}
/// Where the next file of the program's would land.
int next_number() {
  const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::close(fd);
  return fd;
}

TEST(ClosedStreams, AreNobodysWhileOneLives) {
  EXPECT_EQ(in_child([] {
              ::close(1);
              ::close(2);
              {
                const ClosedStreams closed;
                EXPECT_TRUE(refuses(1));
                EXPECT_TRUE(refuses(2));
                EXPECT_GT(next_number(), 2);
              }
              EXPECT_TRUE(is_closed(1));
              EXPECT_TRUE(is_closed(2));
            }),
            0);
}

TEST(ClosedStreams, OpenOnesAreLeftAlone) {
  EXPECT_EQ(in_child([] {
              const std::uint64_t before[] = {Fd::file_at(0), Fd::file_at(1), Fd::file_at(2)};
              {
                const ClosedStreams closed;
                for (int fd = 0; fd <= 2; ++fd) EXPECT_EQ(Fd::file_at(fd), before[fd]);
              }
              for (int fd = 0; fd <= 2; ++fd) EXPECT_EQ(Fd::file_at(fd), before[fd]);
            }),
            0);
}

TEST(ClosedStreams, TheLastOfSeveralLetsGo) {
  EXPECT_EQ(in_child([] {
              ::close(1);
              std::optional<ClosedStreams> first(std::in_place), second(std::in_place);
              first.reset();
              EXPECT_TRUE(refuses(1));
              EXPECT_GT(next_number(), 2);
              second.reset();
              EXPECT_TRUE(is_closed(1));
            }),
            0);
}

TEST(ClosedStreams, GiveWayToTheProgram) {
  EXPECT_EQ(in_child([] {
              ::close(0);
              ::close(1);
              {
                const ClosedStreams closed;
                ::close(0);
                EXPECT_EQ(::open("/dev/null", O_RDWR | O_CLOEXEC), 0);
                ::dup2(0, 1);
              }
              EXPECT_FALSE(is_closed(0));
              EXPECT_FALSE(is_closed(1));
            }),
            0);
}

TEST(ClosedStreams, AForkHasNone) {
  EXPECT_EQ(in_child([] {
              ::close(1);
              std::optional<ClosedStreams> closed(std::in_place);
              const pid_t child = ::fork();
              if (child == 0) {
                bool right = is_closed(1);
                closed.reset();  // it was the parent's
                const ClosedStreams own;
                right = right && refuses(1);
                ::_exit(right ? 0 : 1);
              }
              int status = -1;
              ::waitpid(child, &status, 0);
              EXPECT_EQ(status, 0);
              EXPECT_TRUE(refuses(1));
            }),
            0);
}

TEST(ClosedStreams, AreKeptInAProcessOfOurs) {
  EXPECT_EQ(in_child([] {
              ::close(2);
              keep_closed_streams();
              { const ClosedStreams closed; }
              EXPECT_TRUE(refuses(2));
            }),
            0);
}

}  // namespace
}  // namespace hotspare::os
