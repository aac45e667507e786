#pragma once

#include "chain_spec.hpp"

#include <string>
#include <vector>

namespace hotspare::audio {

/// What a plug-in's description says.
struct Description {
  std::string uri;
  std::string name;
  std::string shape;                 ///< "2>2 MIDI": audio inputs and outputs.
  std::vector<std::string> refused;  ///< Why it cannot be hosted; empty: nothing speaks against it.
  std::string unreadable;            ///< Why nothing is known but its URI; empty: it is.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(uri, name, shape, refused, unreadable);
  }
};

/// Of all that are installed and whose URI holds this, by URI. Descriptions are files of strangers, and reading them may end
/// a process: each is read in one that may die. Throws Error. WARNING: forks; call it while this process has one thread.
std::vector<Description> describe_installed(const std::string& only);
/// Throws Error if one of them has a description that cannot be read. WARNING: as above.
void require_readable(const std::vector<PluginSpec>& plugins);

}  // namespace hotspare::audio
