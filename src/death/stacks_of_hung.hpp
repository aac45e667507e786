#pragma once

#include "death/evidence.hpp"
#include "death/stack_image.hpp"
#include "os/fd.hpp"
#include "os/result.hpp"
#include "worker/last_words.hpp"

#include <memory>
#include <sys/types.h>
#include <vector>

namespace hotspare::death {

using Stacks = os::Result<std::vector<std::shared_ptr<detail::StackImage>>>;

/// As stacks_of_process, of a process that is ended afterwards. Where a language is embedded the process writes its stack
/// of that into its last words meanwhile, if it can still be brought to do so. Takes milliseconds.
Stacks stacks_of_hung(pid_t pid, const os::Fd& process, const worker::LastWords& words) noexcept;
/// They, or why there are none. What there is no memory for is not told.
void take_stacks(Stacks& stacks, Evidence& into) noexcept;

}  // namespace hotspare::death
