#include "jack_client.hpp"

#include <jack/thread.h>

#include "midi_area.hpp"

#include <hotspare/error.hpp>

#include <jack/midiport.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace hotspare::audio {

namespace {

/// Of a period, kept for what is before and behind us in the server's graph.
constexpr auto margin_part = 8;

/// Counted from the callback, and not to the cycle's end as jack_get_cycle_times has it: the server smooths its times, so that
/// after a stall of the machine that end lay in the past for hundreds of cycles in which all was well (seen with jackd2's
/// dummy driver: 322 of 2997 callbacks after two stalls of 5 and 9 ms).
std::chrono::nanoseconds time_for_a_block(const JackGeometry& geometry) {
  const double seconds = geometry.period / geometry.sample_rate * (margin_part - 1) / margin_part;
  return std::chrono::nanoseconds(std::llround(seconds * 1e9));
}

jack_client_t* open_client(const JackOptions& options) {
  // JACK tells of each attempt to find a server; our own error says it once.
  jack_set_error_function([](const char*) {});
  jack_set_info_function([](const char*) {});
  jack_status_t status{};
  jack_client_t* client =
      options.server.empty()
          ? jack_client_open(options.name.c_str(), JackNoStartServer, &status)
          : jack_client_open(options.name.c_str(), static_cast<jack_options_t>(JackNoStartServer | JackServerName),
                             &status, options.server.c_str());
  if (client != nullptr) return client;
  const std::string server = options.server.empty() ? "" : " \"" + options.server + "\"";
  if ((status & JackServerFailed) != 0)
    throw Error("no JACK server" + server +
                " runs here, or not for this user; start one, as jackd -d alsa, or to try "
                "things out jackd -d dummy -r 48000 -p 128");
  char code[32];
  std::snprintf(code, sizeof code, "0x%x", static_cast<unsigned>(status));
  throw Error("the JACK server" + server + " does not take the client \"" + options.name + "\" (status " + code + ")");
}

}  // namespace

JackClient::JackClient(const JackOptions& options) : on_xrun_(options.on_xrun), client_(open_client(options)) {}

JackClient::~JackClient() { client_.reset(); }

JackGeometry ask_jack(const JackOptions& options) { return JackClient(options).geometry(); }

JackGeometry JackClient::geometry() const {
  return {static_cast<double>(jack_get_sample_rate(client_.get())), jack_get_buffer_size(client_.get()),
          std::max(0, jack_client_real_time_priority(client_.get()))};
}
std::string JackClient::name() const { return jack_get_client_name(client_.get()); }
double JackClient::load() const { return static_cast<double>(jack_cpu_load(client_.get())); }

std::vector<jack_port_t*> JackClient::add_ports(const char* prefix, unsigned long direction) {
  std::vector<jack_port_t*> ports;
  for (std::uint32_t i = 1; i <= layout_->channels(); ++i) {
    const std::string port = prefix + std::to_string(i);
    ports.push_back(jack_port_register(client_.get(), port.c_str(), JACK_DEFAULT_AUDIO_TYPE, direction, 0));
    if (ports.back() == nullptr) throw Error("the JACK server has no port left for " + name() + ":" + port);
  }
  return ports;
}

void JackClient::start(std::shared_ptr<BlockProcessor> processor, const BlockLayout& layout) {
  if (layout.frames() != geometry().period)
    throw Error("the chain works on blocks of " + std::to_string(layout.frames()) + " frames, and JACK's period has " +
                std::to_string(geometry().period));
  processor_ = std::move(processor);
  time_for_a_block_ = time_for_a_block(geometry());
  layout_ = std::make_unique<BlockLayout>(layout);
  in_ = AlignedArray<std::byte>(layout.in_bytes());
  out_ = AlignedArray<std::byte>(layout.out_bytes());
  inputs_ = add_ports("in_", JackPortIsInput);
  outputs_ = add_ports("out_", JackPortIsOutput);
  if (layout.has_midi())
    midi_ = jack_port_register(client_.get(), "midi_in", JACK_DEFAULT_MIDI_TYPE, JackPortIsInput, 0);
  jack_set_process_callback(client_.get(), on_process, this);
  jack_set_xrun_callback(
      client_.get(),
      [](void* self) {
        auto& client = *static_cast<JackClient*>(self);
        client.xruns_.fetch_add(1, std::memory_order_relaxed);
        if (client.on_xrun_) client.on_xrun_();
        return 0;
      },
      this);
  // SYNC POINT jack-ended: acquired by ended(). The text is a constant; the order is only for those who look at more.
  jack_on_info_shutdown(
      client_.get(),
      [](jack_status_t, const char*, void* self) {
        static_cast<JackClient*>(self)->ended_.store("the JACK server has ended", std::memory_order_release);
      },
      this);
  if (jack_activate(client_.get()) != 0) throw Error("the JACK server does not let " + name() + " begin");
}

void JackClient::connect(const std::vector<jack_port_t*>& ours, unsigned long machine_direction) {
  struct Free {
    void operator()(const char** names) const { jack_free(names); }
  };
  const std::unique_ptr<const char*, Free> machine(
      jack_get_ports(client_.get(), nullptr, JACK_DEFAULT_AUDIO_TYPE, JackPortIsPhysical | machine_direction));
  const bool playback = (machine_direction & JackPortIsInput) != 0;
  if (!machine) throw Error(std::string("this machine has no ") + (playback ? "outputs" : "inputs") + " to connect to");
  for (std::size_t i = 0; i < ours.size() && machine.get()[i] != nullptr; ++i) {
    const char* own = jack_port_name(ours[i]);
    const char* other = machine.get()[i];
    if (jack_connect(client_.get(), playback ? own : other, playback ? other : own) != 0)
      throw Error(std::string("JACK does not connect ") + own + " and " + other);
  }
}

void JackClient::connect_to_machine() {
  connect(inputs_, JackPortIsOutput);  // what the machine hears is an output to JACK
  connect(outputs_, JackPortIsInput);
}

int JackClient::on_process(jack_nframes_t frames, void* self) {
  static_cast<JackClient*>(self)->process(frames);
  return 0;
}

void JackClient::silence(jack_nframes_t frames) {
  for (jack_port_t* port : outputs_) std::fill_n(static_cast<float*>(jack_port_get_buffer(port, frames)), frames, 0.0F);
}

void JackClient::take_midi(jack_nframes_t frames) {
  MidiWriter writer(layout_->midi(std::span(in_)));
  void* buffer = jack_port_get_buffer(midi_, frames);
  const std::uint32_t count = jack_midi_get_event_count(buffer);
  for (std::uint32_t i = 0; i < count; ++i) {
    jack_midi_event_t event{};
    if (jack_midi_event_get(&event, buffer, i) != 0) continue;
    if (!writer.add(event.time, std::as_bytes(std::span(event.buffer, event.size))))
      midi_dropped_.fetch_add(1, std::memory_order_relaxed);
  }
}

void JackClient::process(jack_nframes_t frames) {
  const auto deadline = std::chrono::steady_clock::now() + time_for_a_block_;
  if (frames != layout_->frames()) {
    ended_.store("the JACK server has another period now", std::memory_order_release);
    return silence(frames);
  }
  for (std::uint32_t i = 0; i < layout_->channels(); ++i)
    std::copy_n(static_cast<const float*>(jack_port_get_buffer(inputs_[i], frames)), frames,
                layout_->channel(std::span(in_), i).begin());
  if (midi_ != nullptr) take_midi(frames);
  processor_->process(in_, out_, deadline);
  for (std::uint32_t i = 0; i < layout_->channels(); ++i) {
    const std::span<const float> from = layout_->channel(std::span(std::as_const(out_)), i);
    std::copy(from.begin(), from.end(), static_cast<float*>(jack_port_get_buffer(outputs_[i], frames)));
  }
  periods_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace hotspare::audio
