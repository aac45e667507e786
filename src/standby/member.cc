#include "standby/member.hpp"

namespace hotspare::standby {

os::Result<Ties> Ties::make() {
  auto process = child::Ties::make();
  if (!process) return process.failure();
  auto orders = os::make_message_sockets();
  if (!orders) return orders.failure();
  return Ties{std::move(*process), std::move(*orders)};
}

}  // namespace hotspare::standby
