#include "zygote/embedding.hpp"

#include "os/closed_streams.hpp"
#include "worker/worker_state.hpp"

#include <cerrno>

namespace hotspare::detail {
namespace {

Embedding of_this_process;

}  // namespace

void embed(const Embedding& embedding) { of_this_process = embedding; }
const Embedding& embedding() noexcept { return of_this_process; }
bool in_worker_process() noexcept { return worker::in_worker(); }
std::uint64_t worker_number() noexcept { return worker::state.number; }

}  // namespace hotspare::detail

namespace hotspare::zygote {

os::Result<pid_t> spawn_program(const std::vector<std::string>& command, const std::string& variable,
                                const std::string& value, const std::vector<int>& inherited) {
  if (const auto asks = detail::embedding().spawn; asks != nullptr && !command.empty()) {
    if (const std::optional<int> asked = asks(command, inherited, variable + "=" + value); asked) {
      if (*asked < 0) return os::Failure{errno, "starting " + command.front() + " as the program wants it"};
      return *asked;
    }
  }
  return os::spawn(command, variable, value, inherited);
}

namespace {

os::Result<pid_t> fork_as_program_wants() {
  const detail::Embedding& runtime = detail::embedding();
  if (runtime.fork != nullptr) {
    if (const std::optional<int> asked = runtime.fork(); asked) {
      if (*asked < 0) return os::Failure{errno, "fork(), as the program wants it"};
      return *asked;
    }
  }
  call(runtime.before_fork);
  auto child = os::fork_process();
  call(child && *child == 0 ? runtime.after_fork_in_child : runtime.after_fork_in_parent);
  return child;
}

}  // namespace

os::Result<pid_t> fork_image() {
  auto child = fork_as_program_wants();
  if (child && *child == 0) os::keep_closed_streams();
  return child;
}

}  // namespace hotspare::zygote
