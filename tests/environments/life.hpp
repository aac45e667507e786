#pragma once

#include <hotspare/hotspare.hpp>

#include <string_view>

/// A pool's, and a channel's, whole life: what must hold wherever it runs.
namespace hotspare::testing {

/// Notes and tells what does not hold.
void check(bool holds, const char* what);
int failures();
/// Standard error as it was, though the program may have closed it.
int report_fd();

/// Whether the report of a task that hung must have its stack.
enum class Stacks : unsigned char { any, there, none };

struct Life {
  Start start = Start::fork;
  std::string_view says = "-";  ///< A word of what must be told not to be had, once; "-": nothing may be.
  bool idles = true;            ///< It is looked at what it uses then.
  Stacks stacks = Stacks::any;
  void (*meanwhile)(Pool& pool) = nullptr;  ///< After the first half of the tasks.
};

/// 200 tasks from a host of several threads, ten deaths of two kinds, a deadline, idling.
void pool_lives(const Life& life);
/// 300 blocks in each of three modes, whose answers are right while replicas are killed; idling.
void channel_lives(const Life& life);

}  // namespace hotspare::testing
