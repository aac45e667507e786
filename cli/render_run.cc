#include "processor.hpp"
#include "render.hpp"

#include <audio/description.hpp>
#include <audio/lv2_world.hpp>
#include <audio/render.hpp>
#include <audio/resolve.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hotspare::cli {

namespace {

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

/// The figures of the run, on stderr: stdout may be the sound.
void print(const RenderOptions& options, const audio::Rendered& rendered, double sample_rate) {
  std::vector<std::chrono::nanoseconds> times = rendered.block_times;
  std::sort(times.begin(), times.end());
  const auto quantile = [&](double part) {
    return milliseconds(times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))]);
  };
  std::fprintf(stderr,
               "%s: %.3f s of sound, %llu blocks of %u frames (%.3f ms each); a block took %.3f ms (median), %.3f ms "
               "(99th percentile), at most %.3f ms\n",
               options.output.c_str(), static_cast<double>(rendered.frames) / sample_rate,
               static_cast<unsigned long long>(rendered.blocks), options.frames, 1e3 * options.frames / sample_rate,
               quantile(0.5), quantile(0.99), milliseconds(times.back()));
  if (rendered.bypassed != 0)
    std::fprintf(stderr, "hotspare: WARNING: %llu of these blocks went without a plug-in that had been given up\n",
                 static_cast<unsigned long long>(rendered.bypassed));
}

}  // namespace

void run_render(const RenderOptions& options) {
  audio::WavReader input(options.input);
  audio::require_readable(options.plugins);
  const audio::ChainSpec spec = audio::resolve({.plugins = options.plugins,
                                                .sample_rate = input.sample_rate(),
                                                .frames = options.frames,
                                                .channels = input.channels()},
                                               audio::Lv2World());
  ChannelOptions channel = options.channel;
  channel.history = 65536;  // blocks come as fast as they are answered: a new replica has many to catch up with
  const auto processor = make_processor(spec, channel);
  audio::WavWriter output(options.output, input.sample_rate(), input.channels());
  const double tail = std::chrono::duration<double>(options.tail).count() * input.sample_rate();
  const audio::Rendered rendered = audio::render(input, static_cast<std::uint64_t>(std::llround(tail)), *processor,
                                                 audio::BlockLayout(spec), output);
  output.finish();
  print(options, rendered, input.sample_rate());
}

}  // namespace hotspare::cli
