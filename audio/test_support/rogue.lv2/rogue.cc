// Plug-ins that do what no plug-in should: see manifest.ttl.in.

#include <lv2/core/lv2.h>
#include <lv2/worker/worker.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

enum class Deed : int { none, crash, abort, exit, hang };

struct Plugin {
  void* ports[4] = {};
  unsigned long block = 0;
  float value = 0;  // the worker's
  LV2_Worker_Schedule* schedule = nullptr;
};

__attribute__((no_sanitize("undefined"))) void crash() {
  volatile int* nowhere = nullptr;
  *nowhere = 1;  // NOLINT(clang-analyzer-core.NullDereference): on purpose
}

void do_it(Deed deed) {
  switch (deed) {
    case Deed::none: return;
    case Deed::crash: return crash();
    case Deed::abort: std::abort();
    case Deed::exit: std::_Exit(7);
    case Deed::hang:
      for (volatile bool for_ever = true; for_ever;) {
      }
  }
}

LV2_Handle make(const LV2_Descriptor*, double, const char*, const LV2_Feature* const* features) {
  auto* plugin = new Plugin;
  for (; *features != nullptr; ++features)
    if (std::string_view((*features)->URI) == LV2_WORKER__schedule)
      plugin->schedule = static_cast<LV2_Worker_Schedule*>((*features)->data);
  return plugin;
}
LV2_Handle crash_when_made(const LV2_Descriptor*, double, const char*, const LV2_Feature* const*) {
  crash();
  return nullptr;
}
LV2_Handle never(const LV2_Descriptor*, double, const char*, const LV2_Feature* const*) { return nullptr; }

void connect(LV2_Handle handle, uint32_t port, void* data) { static_cast<Plugin*>(handle)->ports[port] = data; }

void run_rogue(LV2_Handle handle, uint32_t frames) {
  auto* plugin = static_cast<Plugin*>(handle);
  const auto number = [&](int port) { return *static_cast<const float*>(plugin->ports[port]); };
  if (plugin->block++ == static_cast<unsigned long>(number(3))) do_it(static_cast<Deed>(number(2)));
  std::copy_n(static_cast<const float*>(plugin->ports[0]), frames, static_cast<float*>(plugin->ports[1]));
}
void run_crash(LV2_Handle, uint32_t) { crash(); }

/// What the worker answered to the blocks before is heard; this one is asked for.
void run_worker(LV2_Handle handle, uint32_t frames) {
  auto* plugin = static_cast<Plugin*>(handle);
  std::fill_n(static_cast<float*>(plugin->ports[0]), frames, plugin->value);
  plugin->schedule->schedule_work(plugin->schedule->handle, sizeof plugin->value, &plugin->value);
}
LV2_Worker_Status work(LV2_Handle, LV2_Worker_Respond_Function respond, LV2_Worker_Respond_Handle handle, uint32_t size,
                       const void* data) {
  float value = 0;
  std::memcpy(&value, data, std::min<std::size_t>(size, sizeof value));
  value += 1;
  return respond(handle, sizeof value, &value);
}
LV2_Worker_Status work_response(LV2_Handle handle, uint32_t, const void* data) {
  std::memcpy(&static_cast<Plugin*>(handle)->value, data, sizeof(float));
  return LV2_WORKER_SUCCESS;
}
const void* worker_extension(const char* uri) {
  static const LV2_Worker_Interface interface { work, work_response, nullptr };
  return std::string_view(uri) == LV2_WORKER__interface ? &interface : nullptr;
}

void unmake(LV2_Handle handle) { delete static_cast<Plugin*>(handle); }

constexpr LV2_Descriptor plugins[] = {
    {"urn:hotspare:test:rogue", make, connect, nullptr, run_rogue, nullptr, unmake, nullptr},
    {"urn:hotspare:test:crash_when_made", crash_when_made, connect, nullptr, run_rogue, nullptr, unmake, nullptr},
    {"urn:hotspare:test:crash_when_run", make, connect, nullptr, run_crash, nullptr, unmake, nullptr},
    {"urn:hotspare:test:never_made", never, connect, nullptr, run_rogue, nullptr, unmake, nullptr},
    {"urn:hotspare:test:worker", make, connect, nullptr, run_worker, nullptr, unmake, worker_extension},
};

}  // namespace

LV2_SYMBOL_EXPORT const LV2_Descriptor* lv2_descriptor(uint32_t index) {
  return index < std::size(plugins) ? &plugins[index] : nullptr;
}
