#pragma once

#include "aligned.hpp"
#include "block_layout.hpp"
#include "block_processor.hpp"

#include <jack/jack.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hotspare::audio {

struct JackOptions {
  std::string name = "hotspare";
  std::string server;  ///< Empty: JACK_DEFAULT_SERVER, or JACK's default.
  /// Called for each xrun that the server tells of, on a thread of JACK's that is not the one of the blocks. May be empty.
  std::function<void()> on_xrun;
};

/// What a server works with.
struct JackGeometry {
  double sample_rate = 0;     ///< Hz
  std::uint32_t period = 0;   ///< Frames.
  int realtime_priority = 0;  ///< Of the thread that calls back; 0: the server runs without real-time scheduling.
};

/// Joins the server, asks, and leaves again: no thread of JACK's is left, so that a pool can still be forked. Throws Error.
JackGeometry ask_jack(const JackOptions& options);

/// A client of a JACK server that sends each period through a BlockProcessor.
/// The callback works on memory that was taken before, allocates nothing and takes no lock; what it counts is atomic.
/// Threads: members on one; the callback is JACK's own, with JACK's priority.
class JackClient {
 public:
  /// Joins a server that runs. Throws Error: none does.
  explicit JackClient(const JackOptions& options);
  ~JackClient();
  JackClient(const JackClient&) = delete;
  JackClient& operator=(const JackClient&) = delete;

  JackGeometry geometry() const;
  std::string name() const;  ///< As the server gave it: another client may have had ours.

  /// Ports in_1…, out_1… and, if the layout has MIDI, midi_in; then the blocks begin. The layout's frames must be those
  /// of the period. The processor is shared: no callback may find it gone. Throws Error.
  void start(std::shared_ptr<BlockProcessor> processor, const BlockLayout& layout);
  /// Connects the machine's own inputs to ours, and our outputs to its own, one to one in their order. After start. Throws
  /// Error if there are none or it is refused.
  void connect_to_machine();

  std::uint64_t xruns() const { return xruns_.load(std::memory_order_relaxed); }
  std::uint64_t periods() const { return periods_.load(std::memory_order_relaxed); }
  /// MIDI events that had no room in their block.
  std::uint64_t midi_dropped() const { return midi_dropped_.load(std::memory_order_relaxed); }
  double load() const;  ///< Of the server, percent.
  /// Why it cannot go on: the server has ended, or changed its period. Null while all is well.
  /// SYNC POINT jack-ended: released by what JACK calls.
  const char* ended() const { return ended_.load(std::memory_order_acquire); }

 private:
  struct Close {
    void operator()(jack_client_t* client) const { jack_client_close(client); }
  };
  std::vector<jack_port_t*> add_ports(const char* prefix, unsigned long direction);
  void connect(const std::vector<jack_port_t*>& ours, unsigned long machine_direction);
  static int on_process(jack_nframes_t frames, void* self);
  void process(jack_nframes_t frames);
  void silence(jack_nframes_t frames);
  void take_midi(jack_nframes_t frames);

  std::function<void()> on_xrun_;
  std::shared_ptr<BlockProcessor> processor_;
  std::unique_ptr<BlockLayout> layout_;
  std::chrono::nanoseconds time_for_a_block_{0};
  AlignedArray<std::byte> in_;
  AlignedArray<std::byte> out_;
  std::vector<jack_port_t*> inputs_;
  std::vector<jack_port_t*> outputs_;
  jack_port_t* midi_ = nullptr;
  std::atomic<std::uint64_t> xruns_{0};
  std::atomic<std::uint64_t> periods_{0};
  std::atomic<std::uint64_t> midi_dropped_{0};
  std::atomic<const char*> ended_{nullptr};
  std::unique_ptr<jack_client_t, Close> client_;  ///< Last: no callback comes any more when the rest goes.
};

}  // namespace hotspare::audio
