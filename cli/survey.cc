#include "survey.hpp"
#include "printable.hpp"

#include <hotspare/hotspare.hpp>

#include <cstdio>
#include <memory>

namespace hotspare::cli {

namespace {

using namespace std::chrono_literals;

/// Beyond what the sound itself lasts: a plug-in that needs longer than real time is of no use, one that hangs has to end.
constexpr auto patience = 60s;

std::string stage_of(const CrashReport& report) {
  constexpr std::string_view mark = "stage: ";
  for (auto line = report.stderr_tail.rbegin(); line != report.stderr_tail.rend(); ++line)
    if (line->starts_with(mark)) return line->substr(mark.size());
  return "its process began";
}

/// The innermost frame in a folder of plug-ins.
std::string place_of(const CrashReport& report) {
  for (const Frame& frame : report.native_stack())
    if (frame.module.find(".lv2/") != std::string::npos)
      return " in " + frame.module.substr(frame.module.rfind('/') + 1) +
             (frame.function.empty() ? "" : ", " + frame.function);
  return "";
}

std::string describe(const CrashReport& report) {
  std::string text = std::string(name(report.cause));
  if (report.signal != 0) text += " " + std::to_string(report.signal);
  if (report.cause == Cause::exited) text += " with " + std::to_string(report.exit_code);
  return text + place_of(report) + ", while " + stage_of(report);
}

class Surveyor {
 public:
  explicit Surveyor(const PluginsOptions& options) : options_(options), pool_(pool_options()) {
    limits_.timeout = options.length * 2 + patience;
  }

  void look_at(Surveyed& one) {
    if (!one.error.empty()) return;  // not even its description can be read
    if (!run(one, one.result) || !one.result.refused.empty()) return;
    audio::TrialResult elsewhere;
    if (run(one, elsewhere)) one.same_elsewhere = elsewhere.sound == one.result.sound;
    if (options_.kills != 0 && verdict_of(one) == Verdict::works) kill(one);
  }

 private:
  static PoolOptions pool_options() {
    // One at a time: the times are to be the plug-in's own. A process for each: none finds what another left behind.
    return {
        .workers = 1, .spares = 1, .tasks_per_worker = 1, .worker_stderr = Stderr::capture, .name = "hotspare survey"};
  }

  audio::Trial trial_of(const Surveyed& one) const {
    return {.uri = one.uri, .sound = options_.input, .seconds = std::chrono::duration<double>(options_.length).count()};
  }

  /// From this process: it is the one that has to live.
  void kill(Surveyed& one) const {
    try {
      one.killed = audio::kill_plugin(trial_of(one), options_.kills);
    } catch (const Error& error) {
      one.not_killed = error.what();
    }
  }

  /// False if it did not come to an end.
  bool run(Surveyed& one, audio::TrialResult& result) {
    const audio::Trial trial = trial_of(one);
    try {
      result = pool_.submit(limits_, audio::try_plugin, trial).get();
      return true;
    } catch (const WorkerDied& death) {
      one.death = describe(death.report());
    } catch (const Error& error) {
      one.error = error.what();
    }
    return false;
  }

  const PluginsOptions& options_;
  Pool pool_;
  TaskOptions limits_;
};

}  // namespace

Verdict verdict_of(const Surveyed& one) {
  if (!one.death.empty()) return Verdict::dies;
  if (!one.error.empty()) return Verdict::fails;
  return one.result.refused.empty() ? Verdict::works : Verdict::refused;
}

void survey(std::vector<Surveyed>& plugins, const PluginsOptions& options) {
  Surveyor surveyor(options);
  std::size_t done = 0;
  for (Surveyed& one : plugins) {
    surveyor.look_at(one);
    std::fprintf(stderr, "%zu of %zu: %s%s%s\n", ++done, plugins.size(), printable(one.uri).c_str(),
                 one.death.empty() ? "" : ": died: ", printable(one.death).c_str());
  }
}

}  // namespace hotspare::cli
