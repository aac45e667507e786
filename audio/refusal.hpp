#pragma once

#include "lv2_world.hpp"
#include "plugin_ports.hpp"

#include <hotspare/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::audio {

/// A plug-in that this host cannot run; what() has each reason.
class Refused : public Error {
 public:
  using Error::Error;
};

/// Why the plug-in cannot be hosted with blocks of so many frames, from its description alone: one text for each reason.
/// Empty: nothing speaks against it.
std::vector<std::string> reasons_to_refuse(const Lv2World& world, const LilvPlugin& plugin,
                                           const std::vector<PluginPort>& ports, std::uint32_t frames);

/// Throws Refused if there is a reason.
void refuse_unless_possible(const Lv2World& world, const LilvPlugin& plugin, const std::vector<PluginPort>& ports,
                            std::uint32_t frames);

}  // namespace hotspare::audio
