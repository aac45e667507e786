#pragma once

#include "life.hpp"

#include <hotspare/hotspare.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// What an environment may be like, and what a pool does there. docs/environments.md has the table for people; a test compares.
namespace hotspare::testing {

enum class Expected : unsigned char {
  works,
  says,    ///< Works, and tells once what is lost: an event with this word.
  refuses  ///< An Error with this word.
};
struct Outcome {
  Expected expected = Expected::works;
  std::string_view word = {};
};

/// Whom it would concern.
enum class Reach : unsigned char {
  own,     ///< This program only: made anywhere.
  machine  ///< The whole machine: made in a guest of make test-kernels only.
};

struct Situation {
  std::string_view name;
  std::string_view what;                    ///< For people: the first column of the table in the docs,
  std::string_view told;                    ///< and the second.
  void (*make)() = nullptr;                 ///< Before there is a pool, in a program of its own with one thread.
  void (*meanwhile)(Pool& pool) = nullptr;  ///< In the midst of the pool's life.
  Outcome with_fork{};
  Outcome with_exec{};
  Stacks stacks = Stacks::any;
  Reach reach = Reach::own;
  void (*live)(Start start) = nullptr;  ///< Instead of the life that all others live.
  void (*undo)() = nullptr;             ///< Of Reach::machine, when all is over.
};

std::span<const Situation> file_situations();
std::span<const Situation> limit_situations();
std::span<const Situation> process_situations();
std::span<const Situation> rights_situations();
std::span<const Situation> machine_situations();

/// This situation cannot be made here: the program ends, and says why.
[[noreturn]] void skip(const std::string& why);
/// skip(), if the call that has just returned this has failed.
void need(long result, const char* what);
bool under_sanitizer();
/// Nobody's user and group, and no rights any more.
void become_nobody();
/// A cgroup of our own: file is of its folder, in v1's and in v2's words. It goes with the program.
void enter_group(const char* controller, const char* file_v1, const char* file_v2, const std::string& value);
/// Those that enter_group has made, when nobody is in them any more.
void leave_group();
void write_to(const std::string& file, const std::string& text);
/// The mount points that this program sees are its own from now on.
void own_mounts();

/// What the parent of the host knows of it, in memory that both share.
struct Shared {
  std::int64_t worker;        ///< Is killed while the host is stopped.
  std::int64_t processes[8];  ///< Of the pool.
};
Shared& shared();

}  // namespace hotspare::testing
