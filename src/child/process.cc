#include "child/process.hpp"

namespace hotspare::child {

os::Result<Ties> Ties::make() {
  auto lifeline = os::make_lifeline_sockets();
  if (!lifeline) return lifeline.failure();
  auto pipe = os::make_pipe();
  if (!pipe) return pipe.failure();
  return Ties{std::move(*lifeline), std::move(*pipe)};
}

}  // namespace hotspare::child
