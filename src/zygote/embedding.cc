#include "zygote/embedding.hpp"

#include "worker/worker_state.hpp"

namespace hotspare::detail {
namespace {

Embedding of_this_process;

}  // namespace

void embed(const Embedding& embedding) { of_this_process = embedding; }
const Embedding& embedding() noexcept { return of_this_process; }
bool in_worker_process() noexcept { return worker::in_worker(); }

}  // namespace hotspare::detail

namespace hotspare::zygote {

os::Result<pid_t> fork_image() {
  const detail::Embedding& runtime = detail::embedding();
  call(runtime.before_fork);
  auto child = os::fork_process();
  call(child && *child == 0 ? runtime.after_fork_in_child : runtime.after_fork_in_parent);
  return child;
}

}  // namespace hotspare::zygote
