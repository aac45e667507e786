#include "core_standby.hpp"

#include "block_form.hpp"
#include "core_pool.hpp"
#include "events.hpp"
#include "replica_entry.hpp"
#include "runtime.hpp"
#include "signal_watch.hpp"

#include <hotspare/chaos.hpp>

#include <nanobind/stl/string_view.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace hotspare::python {
namespace {

using Clock = std::chrono::steady_clock;

/// Counts the forks that lead to this process: what was made before the last one is not its own.
std::uint64_t forks = 0;

PyObject* closed_class = nullptr;

/// A person does not notice it. To look at signals costs two microseconds, which is much for a block of sound.
constexpr std::chrono::milliseconds longest_without_signals(200);

std::chrono::nanoseconds nanoseconds_of(double seconds) {
  constexpr double longest = 1e9;  // 30 years
  const double bounded = seconds > longest ? longest : seconds < -longest ? -longest : seconds;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(bounded));
}

double number_of(nb::handle value) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1.0 && PyErr_Occurred() != nullptr) raise_set_error();
  if (std::isnan(number)) throw nb::value_error("a time must not be nan");
  return number;
}

/// The place of a word among those of an enumeration.
template <class E>
E choice(const nb::dict& given, const char* name) {
  return static_cast<E>(nb::cast<unsigned char>(given[name]));
}

StandbyOptions standby_options(const nb::dict& given) {
  StandbyOptions options;
  options.bytes_in = nb::cast<std::size_t>(given["bytes_in"]);
  options.bytes_out = nb::cast<std::size_t>(given["bytes_out"]);
  options.period = nanoseconds_of(nb::cast<double>(given["period"]));
  options.replicas = nb::cast<unsigned>(given["replicas"]);
  options.mode = choice<StandbyMode>(given, "mode");
  options.spare = nb::cast<std::optional<bool>>(given["spare"]);
  options.rejoin = choice<Rejoin>(given, "rejoin");
  options.replay_blocks = nb::cast<unsigned>(given["replay_blocks"]);
  options.commit_every = nb::cast<unsigned>(given["commit_every"]);
  options.state_bytes = nb::cast<std::size_t>(given["state_bytes"]);
  options.history = nb::cast<unsigned>(given["history"]);
  options.when_late = choice<WhenLate>(given, "when_late");
  options.hang_after = nanoseconds_of(nb::cast<double>(given["hang_after"]));
  options.patience = nanoseconds_of(nb::cast<double>(given["patience"]));
  options.realtime_priority = nb::cast<int>(given["realtime_priority"]);
  options.lock_memory = nb::cast<bool>(given["lock_memory"]);
  options.keep_cores_awake = nb::cast<bool>(given["keep_cores_awake"]);
  options.flush_denormals = nb::cast<bool>(given["flush_denormals"]);
  options.breaker_deaths = nb::cast<unsigned>(given["breaker_deaths"]);
  options.most_deaths = nb::cast<unsigned>(given["most_deaths"]);
  options.deaths_within = nanoseconds_of(nb::cast<double>(given["deaths_within"]));
  options.start = nb::cast<bool>(given["exec"]) ? Start::exec : Start::fork;
  options.exec_command = words_of_bytes(given["exec_command"]);
  options.exec_keep = nb::cast<std::vector<int>>(given["exec_keep"]);
  options.preload = preload_in_zygote;
  options.replica_stderr = nb::cast<bool>(given["capture_stderr"]) ? Stderr::capture : Stderr::tee;
  options.name = nb::cast<std::string>(given["name"]);
  options.on_event = event_callback(given["on_event"]);
  return options;
}

std::vector<std::byte> vector_of(const nb::bytes& bytes) {
  const auto* const first = reinterpret_cast<const std::byte*>(bytes.c_str());
  return {first, first + bytes.size()};
}

nb::dict dict_of(const StandbyStats& stats) {
  nb::dict all;
  const std::pair<const char*, std::uint64_t> entries[] = {
      {"blocks", stats.blocks},
      {"answered", stats.answered},
      {"late", stats.late},
      {"deaths", stats.deaths},
      {"deaths_before_ready", stats.deaths_before_ready},
      {"hangs", stats.hangs},
      {"takeovers", stats.takeovers},
      {"handovers", stats.handovers},
      {"starts", stats.starts},
      {"rejoined", stats.rejoined},
      {"left_out", stats.left_out},
      {"states_lost", stats.states_lost},
      {"zygote_deaths", stats.zygote_deaths},
      {"in_step", stats.in_step},
      {"spares", stats.spares},
  };
  for (const auto& [name, value] : entries) all[name] = value;
  all["latency"] = nb::cast(stats.latency);
  all["detection"] = nb::cast(stats.detection);
  all["takeover"] = nb::cast(stats.takeover);
  all["rejoin"] = nb::cast(stats.rejoin);
  nb::dict causes;
  for (std::size_t i = 0; i < cause_count; ++i) {
    const std::string cause(name(static_cast<Cause>(i)));
    causes[cause.c_str()] = stats.deaths_by_cause[i];
  }
  all["deaths_by_cause"] = causes;
  all["unavailable"] = nb::tuple(nb::cast(stats.unavailable));
  return all;
}

[[noreturn]] void raise_closed(const char* why) {
  PyErr_SetString(closed_class, why);
  raise_set_error();
}

}  // namespace

/// Members are guarded by the GIL, which is not held while anything waits.
struct CoreStandby::Inner {
  Inner(const nb::dict& options, const nb::bytes& arguments)
      : block(options["block"]), out(options["out"]), on_event(options["on_event"]) {
    StandbyOptions wanted = standby_options(options);
    std::vector<std::byte> bytes = vector_of(arguments);
    const SignalWatch watch;
    const ForkingCall without_gil;
    core = detail::open_channel(std::move(wanted), python_body_kind(), std::move(bytes));
  }

  /// Without the GIL. The first one does it, others wait for that.
  void close() {
    for (std::uint32_t one = busy.load(); one != 0; one = busy.load()) busy.wait(one);
    const std::lock_guard one(closing_mutex);
    if (core != nullptr) detail::close_channel(*core);
  }

  BlockForm block;
  BlockForm out;
  nb::object on_event;  ///< Before the channel, whose thread calls it.
  std::shared_ptr<detail::StandbyCore> core;
  nb::object last_stats;
  bool closing = false;                ///< It takes no more blocks.
  bool leaving = false;                ///< Somebody closes it in the background, or has.
  std::atomic<std::uint32_t> busy{0};  ///< Somebody is in process().
  unsigned long in_process = 0;        ///< Which thread; 0: none.
  std::mutex closing_mutex;
  const std::uint64_t made_after = forks;
};

/// The right to process a block, and the promise that the channel is there for so long.
class CoreStandby::Turn {
 public:
  explicit Turn(const CoreStandby& channel) : inner_(*channel.inner_) {
    channel.must_be_host("process");
    if (inner_.closing) raise_closed("StandbyChannel.process: the channel is closed");
    if (inner_.busy.exchange(1) != 0)
      throw std::runtime_error(
          "StandbyChannel.process: another thread is in process() of this channel; blocks have an order, so one thread "
          "at a time");
    inner_.in_process = PyThread_get_thread_ident();
  }
  ~Turn() {
    inner_.in_process = 0;
    inner_.busy.store(0);
    if (inner_.closing) inner_.busy.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Inner& inner_;
};

CoreStandby::CoreStandby(const nb::dict& options, const nb::bytes& arguments)
    : inner_(std::make_shared<Inner>(options, arguments)) {}

CoreStandby::~CoreStandby() {
  // In a fork of the host its threads are not here, and nothing of the channel is ours to end.
  if (!in_host())
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory for a pointer the process may end
    static_cast<void>(new std::shared_ptr<Inner>(std::move(inner_)));
  else
    close_in_background(nb::none());
}

bool CoreStandby::in_host() const { return inner_->made_after == forks; }
bool CoreStandby::closed() const { return inner_->closing; }
bool CoreStandby::in_process_here() const { return inner_->in_process == PyThread_get_thread_ident(); }
bool CoreStandby::keeps_it_open() const {
  return in_process_here() || python_name("hotspare._callbacks", "in_callback")().ptr() == Py_True;
}

void CoreStandby::must_be_host(const char* call) const {
  if (!in_host())
    throw std::runtime_error(
        std::string("StandbyChannel.") + call +
        ": this process is a fork of the one that made the channel: it needs a channel of its own");
}

std::shared_ptr<detail::StandbyCore> CoreStandby::core(const char* call) const {
  must_be_host(call);
  return inner_->core;
}

bool CoreStandby::process(nb::handle block, nb::handle out, nb::handle timeout, nb::handle deadline) {
  const Turn turn(*this);
  const BlockView in_view(inner_->block, block, "block", false);
  const BlockView out_view(inner_->out, out, "out", true);
  detail::StandbyCore& core = *inner_->core;
  Clock::time_point until = Clock::now();
  if (!deadline.is_none()) {
    until = Clock::time_point(nanoseconds_of(number_of(deadline)));
  } else {
    until += timeout.is_none() ? detail::period_of(core) : nanoseconds_of(number_of(timeout));
  }
  std::optional<SignalWatch> watch;
  if (until - Clock::now() > longest_without_signals) watch.emplace();
  const WithoutGil others_may_run;
  return detail::process_block(core, in_view.bytes(), out_view.bytes(), until) == BlockOutcome::answered;
}

nb::dict CoreStandby::stats() const {
  if (const auto held = core("stats")) return dict_of(detail::stats_of(*held));
  return inner_->last_stats.is_valid() ? nb::dict(nb::borrow<nb::dict>(inner_->last_stats)) : nb::dict();
}

std::vector<std::int64_t> CoreStandby::replica_pids() const {
  const auto held = core("replica_pids");
  return held == nullptr ? std::vector<std::int64_t>() : detail::replica_pids(*held);
}

bool CoreStandby::wait_in_step(unsigned replicas) const {
  const auto held = core("wait_in_step");
  if (held == nullptr) return false;
  const Waiting waiting;
  return detail::wait_in_step(*held, replicas);
}

std::int64_t CoreStandby::strike(std::string_view how) {
  const auto held = core("strike");
  if (held == nullptr) return 0;
  for (unsigned way = 0; way < chaos::ways; ++way)
    if (how == chaos::name(static_cast<chaos::How>(way)))
      return detail::strike_replica(*held, static_cast<chaos::How>(way));
  throw nb::value_error("no such way to strike");
}

std::string CoreStandby::broken() const {
  const auto held = core("broken");
  return held == nullptr ? std::string() : detail::why_broken(*held);
}

void CoreStandby::close() {
  if (!in_host()) return;
  Inner& inner = *inner_;
  inner.closing = true;
  {
    const WithoutGil others_may_run;
    inner.close();
  }
  if (inner.core == nullptr) return;
  inner.last_stats = dict_of(detail::stats_of(*inner.core));
  inner.core.reset();
}

void CoreStandby::close_in_background(nb::object on_gone) {
  if (!in_host()) return;
  inner_->closing = true;
  if (std::exchange(inner_->leaving, true)) return;
  PyObject* const callback = on_gone.release().ptr();
  std::function<void()> close = [inner = inner_, callback]() mutable {
    inner->close();
    const WithGil gil;
    const nb::object call = nb::steal(callback);
    if (inner->core != nullptr) inner->last_stats = dict_of(detail::stats_of(*inner->core));
    inner->core.reset();
    inner.reset();
    try {
      if (!call.is_none()) call();
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare standby channel");
    }
  };
  try {
    run_in_background(close);
  } catch (const std::system_error&) {  // no thread is to be had
    if (keeps_it_open()) {
      inner_->leaving = false;
      nb::steal(callback);
      throw;
    }
    const WithoutGil others_may_run;
    close();
  }
}

namespace {

/// [(longest of the bucket, ns, how many)] of the buckets that are not empty.
nb::list filled_buckets(const Histogram& from) {
  nb::list buckets;
  for (std::size_t i = 0; i < from.counts.size(); ++i)
    if (from.counts[i] != 0) buckets.append(nb::make_tuple(Histogram::top_of(i), from.counts[i]));
  return buckets;
}

}  // namespace

void define_standby(nb::module_& module) {
  // NOLINTNEXTLINE(bugprone-throw-keyword-missing,bugprone-unused-raii): to construct one is to define Python's class
  closed_class = PyErr_NewException("hotspare._core.StandbyClosed", PyExc_RuntimeError, nullptr);
  module.attr("StandbyClosed") = nb::borrow(closed_class);
  module.def("forget_channels", [] { ++forks; });
  nb::class_<Histogram>(module, "CoreHistogram")
      .def_prop_ro("count", [](const Histogram& it) { return it.count(); })
      .def_prop_ro("max_ns", [](const Histogram& it) { return it.max_ns; })
      .def_prop_ro("sum_ns", [](const Histogram& it) { return it.sum_ns; })
      .def_prop_ro("buckets_ns", filled_buckets)
      .def(
          "quantile_ns", [](const Histogram& it, double q) { return it.quantile(q).count(); }, nb::arg("q"));
  nb::class_<CoreStandby>(module, "CoreStandby", nb::is_weak_referenceable())
      .def(nb::init<const nb::dict&, const nb::bytes&>(), nb::arg("options"), nb::arg("arguments"))
      .def("process", &CoreStandby::process, nb::arg("block").none(), nb::arg("out").none(), nb::arg("timeout").none(),
           nb::arg("deadline").none())
      .def("stats", &CoreStandby::stats)
      .def("replica_pids", &CoreStandby::replica_pids)
      .def("wait_in_step", &CoreStandby::wait_in_step, nb::arg("replicas"))
      .def("strike", &CoreStandby::strike, nb::arg("how"))
      .def("close", &CoreStandby::close)
      .def("close_in_background", &CoreStandby::close_in_background, nb::arg("on_gone").none())
      .def_prop_ro("broken", &CoreStandby::broken)
      .def_prop_ro("closed", &CoreStandby::closed)
      .def_prop_ro("in_process_here", &CoreStandby::in_process_here)
      .def_prop_ro("in_host", &CoreStandby::in_host);
}

}  // namespace hotspare::python
