#pragma once

#include "death/module_map.hpp"
#include "death/stack_image.hpp"

#include <elfutils/libdwfl.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hotspare::death {

/// A program counter of one call frame. `is_call`: it is a return address, so the call itself lies just before it.
struct Pc {
  std::uint64_t address = 0;
  bool is_call = true;
};

/// libdw's view of one set of mapped modules: opened images, parsed unwind tables, parsed line tables. Dear to make,
/// cheap to use again. Not thread-safe, as libdw is not: reach one through with_session().
class DebugSession {
 public:
  explicit DebugSession(const std::string& maps);
  DebugSession(const DebugSession&) = delete;
  DebugSession& operator=(const DebugSession&) = delete;

  const std::vector<MappedCode>& map() const { return map_; }
  Dwfl* dwfl() const { return dwfl_.get(); }
  /// Call frames, innermost first, at most `limit`. Always at least the program counter itself.
  std::vector<Pc> walk(const detail::StackImage& image, std::size_t limit);

  /// Frames of addresses that were named before: deaths in a row die in the same places. Kept by append_frames().
  std::map<std::pair<std::uint64_t, bool>, std::vector<Frame>> known_frames;

  /// What libdw's callbacks see of the stack that is being walked.
  struct Walk {
    const detail::StackImage* image = nullptr;
    os::Registers registers;
  };

 private:
  void report_modules();
  struct End {
    void operator()(Dwfl* dwfl) const { ::dwfl_end(dwfl); }
  };

  std::vector<MappedCode> map_;
  std::unique_ptr<Dwfl, End> dwfl_;
  std::unique_ptr<Walk> walk_;  // at a fixed address: libdw holds it
  bool can_walk_ = false;
};

/// Calls `use` with the session for these mappings. The last few are kept, since workers forked from one zygote share
/// their mappings: twenty deaths in a row parse debug information once. One caller at a time in the whole process.
/// WARNING: not in a process forked from a multi-threaded one, where the lock may be held by nobody.
void with_session(const std::string& maps, const std::function<void(DebugSession&)>& use);

}  // namespace hotspare::death
