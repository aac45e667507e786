#include "standby/member.hpp"

namespace hotspare::standby {

os::Result<Ties> Ties::make() {
  auto lifeline = os::make_lifeline_sockets();
  if (!lifeline) return lifeline.failure();
  auto orders = os::make_message_sockets();
  if (!orders) return orders.failure();
  auto pipe = os::make_pipe();
  if (!pipe) return pipe.failure();
  return Ties{std::move(*lifeline), std::move(*orders), std::move(*pipe)};
}

}  // namespace hotspare::standby
