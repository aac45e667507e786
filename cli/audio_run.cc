#include "audio.hpp"
#include "exit_status.hpp"
#include "processor.hpp"

#include <audio/description.hpp>
#include <audio/jack_client.hpp>
#include <audio/lv2_world.hpp>
#include <audio/resolve.hpp>
#include <audio/status_line.hpp>

#include <hotspare/error.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

namespace hotspare::cli {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// Room for 80 short events in a block: more than a MIDI cable carries in 4096 frames.
constexpr std::uint32_t midi_bytes = 1024;

/// For its lifetime JACK is asked something. A server that is stopped answers nothing, and JACK waits for it for ever: this
/// program then ends by itself.
class Patience {
 public:
  Patience() {
    constexpr unsigned most_s = 5;
    struct sigaction action {};
    action.sa_handler = [](int) {
      constexpr char text[] = "hotspare: the JACK server does not answer: left without taking leave of it\n";
      [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text, sizeof text - 1);
      ::_exit(static_cast<int>(ExitStatus::failed));
    };
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(most_s);
  }
  ~Patience() { ::alarm(0); }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
};

/// A client, which takes leave of its server at the end.
struct TakeLeave {
  void operator()(audio::JackClient* client) const {
    const Patience asks;
    delete client;
  }
};
using Client = std::unique_ptr<audio::JackClient, TakeLeave>;

/// SIGINT and SIGTERM. A second one ends the program as if it did not listen.
class EndSignals {
 public:
  EndSignals() {
    if (::pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) throw Error("no pipe can be made");
    struct sigaction action {};
    action.sa_flags = SA_RESTART | SA_RESETHAND;
    action.sa_handler = [](int) {
      const int before = errno;
      [[maybe_unused]] const auto ignored = ::write(pipe_[1], "", 1);
      errno = before;
    };
    for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
  }
  /// True if one has come; false when the time is over.
  bool wait(std::chrono::nanoseconds time) const {
    pollfd come{pipe_[0], POLLIN, 0};
    const timespec rest{.tv_sec = static_cast<time_t>(time / 1s), .tv_nsec = static_cast<long>((time % 1s).count())};
    ::ppoll(&come, 1, &rest, nullptr);
    return (come.revents & POLLIN) != 0;
  }

 private:
  static int pipe_[2];  // handlers have no other way to it
};
int EndSignals::pipe_[2] = {-1, -1};

/// Waits for the end, and tells how it goes meanwhile.
void watch(const AudioOptions& options, const audio::JackClient& client, const audio::BlockProcessor& processor,
           const EndSignals& signals) {
  const audio::StatusPrinter printer;
  const auto print = [&] {
    printer.print({.channel = processor.figures(), .xruns = client.xruns(), .load = client.load()});
  };
  constexpr std::chrono::nanoseconds look = 500ms;  // the server may end at any time
  const auto end = options.run.count() == 0 ? Clock::time_point::max() : Clock::now() + options.run;
  auto next_line = Clock::now();
  while (client.ended() == nullptr && Clock::now() < end) {
    if (Clock::now() >= next_line) {
      print();
      next_line = Clock::now() + (printer.on_terminal() ? look : 10s);
    }
    if (signals.wait(std::min(look, std::chrono::nanoseconds(end - Clock::now())))) break;
  }
  print();
  printer.finish();
  if (client.ended() != nullptr) throw Error(client.ended());
  if (client.midi_dropped() != 0)
    std::fprintf(stderr, "hotspare: %llu MIDI events had no room in their block\n",
                 static_cast<unsigned long long>(client.midi_dropped()));
}

/// Replicas are on time as the server is: with a priority just below that of the thread that waits for them. What crashes
/// again and again is bypassed.
ChannelOptions for_a_server(ChannelOptions options, const audio::JackGeometry& geometry) {
  constexpr int least = 4;              // there is room for replicas and the channel's threads below it
  constexpr unsigned usual_deaths = 5;  // strikes are deaths, too
  if (options.replicas != 0 && !options.bypass_after && !options.chaos) options.bypass_after = usual_deaths;
  options.realtime_priority = geometry.realtime_priority >= least ? geometry.realtime_priority : 0;
  if (options.replicas != 0 && options.realtime_priority == 0)
    std::fprintf(stderr,
                 "hotspare: the JACK server runs without real-time scheduling (jackd -R), or with a priority too low: "
                 "replicas have none either, and blocks are late whenever the machine is busy\n");
  return options;
}

audio::JackGeometry ask(const audio::JackOptions& jack) {
  const Patience asks;
  return audio::ask_jack(jack);
}

Client start(const audio::JackOptions& jack, std::shared_ptr<audio::BlockProcessor> processor,
             const audio::ChainSpec& spec, bool connect) {
  const Patience asks;
  Client client(new audio::JackClient(jack));
  client->start(std::move(processor), audio::BlockLayout(spec));
  if (connect) client->connect_to_machine();
  return client;
}

}  // namespace

void run_audio(const AudioOptions& options) {
  const EndSignals signals;
  const audio::JackOptions jack{.name = options.name, .server = options.server};
  const audio::JackGeometry geometry = ask(jack);
  audio::require_readable(options.plugins);
  const audio::ChainSpec spec = audio::resolve({.plugins = options.plugins,
                                                .sample_rate = geometry.sample_rate,
                                                .frames = geometry.period,
                                                .channels = options.channels,
                                                .midi_bytes = options.midi ? midi_bytes : 0},
                                               audio::Lv2World());
  // Before JACK's threads are there: what forks replicas wants to be alone in this process.
  const std::shared_ptr<audio::BlockProcessor> processor =
      make_processor(spec, for_a_server(options.channel, geometry));
  const Client client = start(jack, processor, spec, options.connect);
  std::fprintf(stderr, "%s: %u channels at %.0f Hz, %u frames (%.3f ms) a block\n", client->name().c_str(),
               spec.channels, spec.sample_rate, spec.frames, 1e3 * spec.frames / spec.sample_rate);
  watch(options, *client, *processor, signals);
}

}  // namespace hotspare::cli
