#pragma once

#include "os/closed_streams.hpp"
#include "os/memory.hpp"
#include "os/owner.hpp"
#include "registry/held_file.hpp"
#include "registry/layout.hpp"

#include <hotspare/shared_registry.hpp>

#include <string>

namespace hotspare {

struct Segment::State {
  /// Maps what is held. Throws RegistryError: full, refused.
  State(std::string scope_name, registry::HeldFile held_file, bool created);

  /// Returns the mapping of before.
  os::Mapping map(std::uint64_t bytes);
  registry::Head& told() const noexcept { return *head.as<registry::Head>(); }
  void must_own(const char* what) const;
  /// Somebody else may have it mapped as it is now: another user of it, or a fork of this process.
  bool is_shared() const;

  const os::ClosedStreams closed_streams;
  std::string scope;
  bool created_here;
  // In this order: the mappings go before the file is left.
  registry::HeldFile held;
  os::Mapping head;
  os::Mapping data;
  std::uint64_t size = 0;
  std::uint64_t longest = 0;  ///< It had that size once: behind its end now there may be other bytes than zeros.
  std::uint64_t forks = os::forks_so_far();
};

}  // namespace hotspare
