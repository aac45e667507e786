// In place of what needs lilv and libsndfile, in a build without them.

#include "exit_status.hpp"
#include "plugins.hpp"
#include "render.hpp"

namespace hotspare::cli {

namespace {

[[noreturn]] void refuse(const char* subcommand) {
  throw NotBuilt("this build has no \"" + std::string(subcommand) +
                 "\": lilv and libsndfile were not there when it was configured. Install liblilv-dev, lv2-dev and "
                 "libsndfile1-dev, then configure and build again");
}

}  // namespace

void run_render(const RenderOptions&) { refuse("render"); }
void run_plugins(const PluginsOptions&) { refuse("plugins"); }

}  // namespace hotspare::cli
