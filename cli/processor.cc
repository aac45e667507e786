#include "processor.hpp"

#include "exit_status.hpp"

#include <audio/direct_processor.hpp>
#include <audio/replicated_processor.hpp>
#include <audio/saboteur.hpp>
#include <audio/serial_processor.hpp>

#include <cstdio>
#include <string>

namespace hotspare::cli {
namespace {

/// What people want to know while it goes on.
void print(const Event& event) {
  if (event.kind == Event::Kind::death) std::fprintf(stderr, "hotspare: %s\n", event.report->summary().c_str());
  if (event.kind == Event::Kind::unavailable) std::fprintf(stderr, "hotspare: %s\n", event.detail.c_str());
  if (event.kind == Event::Kind::broken)
    std::fprintf(stderr, "hotspare: BYPASSED from now on: %s\n", event.detail.c_str());
}

std::string name_of(const audio::ChainSpec& spec) {
  std::string name;
  for (const audio::PluginSpec& plugin : spec.plugins) name += (name.empty() ? "" : " + ") + plugin.uri;
  return name;
}

StandbyOptions standby_options(const audio::ChainSpec& spec, const ChannelOptions& options) {
  StandbyOptions standby;
  standby.replicas = options.replicas;
  standby.spare = options.spare;
  standby.when_late = WhenLate::bypass;
  standby.history = options.history;
  standby.name = name_of(spec);
  standby.most_deaths = options.bypass_after.value_or(0);
  standby.realtime_priority = options.realtime_priority;
  standby.lock_memory = options.realtime_priority > 0;
  standby.keep_cores_awake = options.realtime_priority > 0;
  // The program itself, started afresh: a sound server's threads may be in this process.
  standby.start = Start::exec;
  standby.on_event = print;
  return standby;
}

/// A channel with somebody who strikes at it.
class SabotagedProcessor final : public audio::BlockProcessor {
 public:
  SabotagedProcessor(const audio::ChainSpec& spec, const ChannelOptions& options)
      : replicated_(spec, standby_options(spec, options)),
        saboteur_([this](chaos::How how) { return strike(how); }, options.chaos->kill_every, options.chaos->ways,
                  options.chaos->seed) {}
  ~SabotagedProcessor() override {
    std::fprintf(stderr, "hotspare: %llu strikes, %llu deaths\n", static_cast<unsigned long long>(saboteur_.strikes()),
                 static_cast<unsigned long long>(replicated_.figures().deaths));
  }
  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override {
    return replicated_.process(in, out, deadline);
  }
  audio::ChannelFigures figures() const override { return replicated_.figures(); }

 private:
  /// Spares the last one: the sound that is in its filters would be lost with it.
  bool strike(chaos::How how) {
    return replicated_.channel().stats().in_step >= 2 && replicated_.channel().strike(how) != 0;
  }

  audio::ReplicatedProcessor replicated_;
  audio::Saboteur saboteur_;
};

}  // namespace

namespace {

std::unique_ptr<audio::BlockProcessor> make_one(const audio::ChainSpec& spec, const ChannelOptions& options) {
  if (options.chaos) return std::make_unique<SabotagedProcessor>(spec, options);
  if (options.replicas != 0) return std::make_unique<audio::ReplicatedProcessor>(spec, standby_options(spec, options));
  return std::make_unique<audio::DirectProcessor>(spec);
}

}  // namespace

std::unique_ptr<audio::BlockProcessor> make_processor(const audio::ChainSpec& spec, const ChannelOptions& options) {
  if (options.chaos && options.replicas < 2)
    throw UsageError("--chaos needs --replicas 2 or more: somebody has to go on");
  if ((options.separate || options.bypass_after || options.spare) && options.replicas == 0)
    throw UsageError(
        "--separate, --spare and --bypass-after need --replicas: without them nothing outlives a plug-in's crash");
  if (!options.separate) return make_one(spec, options);
  return std::make_unique<audio::SerialProcessor>(spec,
                                                  [&](const audio::ChainSpec& one) { return make_one(one, options); });
}

}  // namespace hotspare::cli
