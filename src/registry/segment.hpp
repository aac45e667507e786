#pragma once

#include "os/memory.hpp"
#include "registry/held_file.hpp"
#include "registry/layout.hpp"

#include <hotspare/shared_registry.hpp>

#include <string>

namespace hotspare {

struct Segment::State {
  /// Maps what is held. Throws RegistryError: full, refused.
  State(std::string scope_name, registry::HeldFile held_file, bool created);

  void map(std::uint64_t bytes);
  registry::Head& told() const noexcept { return *head.as<registry::Head>(); }
  void must_own(const char* what) const;

  std::string scope;
  bool created_here;
  // In this order: the mappings go before the file is left.
  registry::HeldFile held;
  os::Mapping head;
  os::Mapping data;
  std::uint64_t size = 0;
};

}  // namespace hotspare
