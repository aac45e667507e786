#include "printable.hpp"
#include "survey.hpp"

#include <hotspare/version.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>

namespace hotspare::cli {

namespace {

template <class... A>
std::string format(const char* pattern, A... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

/// Who made it, as far as the URI tells: "http://calf.sourceforge.net", "urn:zamaudio".
std::string suite_of(const std::string& uri) {
  const std::size_t authority = uri.find("://");
  if (authority != std::string::npos) return uri.substr(0, uri.find('/', authority + 3));
  const std::size_t scheme = uri.find(':');
  return scheme == std::string::npos ? uri : uri.substr(0, uri.find(':', scheme + 1));
}

std::string shown(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  text = printable(text);
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
  return text;
}

std::string sameness(const Surveyed& one) {
  if (one.same_elsewhere && one.result.same_again) return "yes";
  if (one.same_elsewhere) return "between processes only";
  return "no";
}

/// What was heard of its replicas' deaths.
std::string survival(const Surveyed& one) {
  const audio::KillResult& killed = one.killed;
  if (!one.not_killed.empty()) return "not run in replicas: " + shown(one.not_killed);
  if (killed.kills == 0) return "";
  std::string text = format("%u kills, ", killed.kills);
  if (killed.deaths != killed.kills) text += format("%llu deaths, ", static_cast<unsigned long long>(killed.deaths));
  if (killed.late != 0) text += format("%llu blocks late, ", static_cast<unsigned long long>(killed.late));
  if (killed.states_lost != 0)
    text += format("began anew %llu times, ", static_cast<unsigned long long>(killed.states_lost));
  return text + (killed.sound == one.result.sound ? "same sound" : "goes on");
}

std::string notes(const Surveyed& one) {
  std::string notes;
  const auto add = [&](const std::string& note) { notes += (notes.empty() ? "" : "; ") + note; };
  if (!one.death.empty()) add(one.death);
  if (!one.error.empty()) add(one.error);
  for (const std::string& reason : one.result.refused) add(reason);
  if (verdict_of(one) != Verdict::works) return shown(notes);
  if (!one.result.finite) add("not all samples are finite");
  if (one.result.silent) add("silent");
  return shown(notes);
}

std::string row(const Surveyed& one) {
  constexpr std::array names{"works", "refused", "fails", "dies"};
  const Verdict verdict = verdict_of(one);
  std::string text = "| " + shown(one.name) + " | `" + shown(one.uri) + "` | " + one.shape + " | " +
                     names[static_cast<std::size_t>(verdict)] + " | ";
  const audio::TrialResult& result = one.result;
  text += verdict == Verdict::works
              ? format("%.1f | %.1f | %.0f | %u | %.1f | %s | ", result.median_us, result.p99_us, result.max_us,
                       result.threads, static_cast<double>(result.resident_bytes) / (1 << 20), sameness(one).c_str())
              : " | | | | | | ";
  return text + survival(one) + " | " + notes(one) + " |\n";
}

struct Sum {
  std::array<unsigned, 4> verdicts{};
  unsigned same = 0;
  unsigned same_between_processes = 0;
  unsigned threads = 0;
  unsigned kills = 0;
  unsigned survived = 0;       ///< Killed, and each block was answered.
  unsigned survived_same = 0;  ///< And the sound was that of an undisturbed run.
};

std::string sum_row(const std::string& suite, const Sum& sum) {
  const auto all = sum.verdicts[0] + sum.verdicts[1] + sum.verdicts[2] + sum.verdicts[3];
  return format("| %s | %u | %u | %u | %u | %u | %u | %u | %u | %u | %u | %u |\n", suite.c_str(), all, sum.verdicts[0],
                sum.verdicts[1], sum.verdicts[2], sum.verdicts[3], sum.same, sum.same_between_processes, sum.threads,
                sum.kills, sum.survived, sum.survived_same);
}

void count(Sum& sum, const Surveyed& one) {
  const Verdict verdict = verdict_of(one);
  ++sum.verdicts[static_cast<std::size_t>(verdict)];
  if (verdict != Verdict::works) return;
  sum.same += one.same_elsewhere && one.result.same_again ? 1U : 0U;
  sum.same_between_processes += one.same_elsewhere ? 1U : 0U;
  sum.threads += one.result.threads != 0 ? 1U : 0U;
  const audio::KillResult& killed = one.killed;
  sum.kills += killed.kills;
  const bool survived = killed.kills != 0 && killed.late == 0;
  sum.survived += survived ? 1U : 0U;
  sum.survived_same += survived && killed.sound == one.result.sound ? 1U : 0U;
}

std::string summary(const std::vector<Surveyed>& plugins) {
  std::map<std::string, Sum> suites;
  Sum total;
  for (const Surveyed& one : plugins) {
    count(suites[suite_of(one.uri)], one);
    count(total, one);
  }
  std::string text =
      "| suite | plug-ins | work | refused | fail | die | same sound | same between processes | start threads | kills "
      "| go on | with the same sound |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [suite, sum] : suites) text += sum_row(suite, sum);
  return text + sum_row("all", total);
}

}  // namespace

std::string markdown(const std::vector<Surveyed>& plugins, const PluginsOptions& options, const std::string& date) {
  const std::string sound =
      options.input.empty() ? "noise" : std::filesystem::path(options.input).filename().string() + ", again and again";
  std::string text =
      "# LV2 plug-ins, tried out\n\nMade by `hotspare plugins --survey` (hotspare " HOTSPARE_VERSION ") on " + date +
      ". Each plug-in ran in a process of its own, alone, with its default settings: " +
      format("%g", std::chrono::duration<double>(options.length).count()) + " s of sound (" + sound +
      "), blocks of 128 frames (at 48 kHz 2667 µs), and notes where it takes MIDI.\n\n" + summary(plugins) +
      "\nµs a block: processor time of the thread that runs it. Same sound: two instances in one process, and one in "
      "another process, gave the same samples bit for "
      "bit. Resident: what the process held more than before, the plug-in's code included, before its "
      "second instance was made.\n" +
      (options.kills == 0
           ? std::string()
           : format("\nKilled: the same blocks once more, through two replicas of a standby channel, one of which got "
                    "SIGKILL %u times, as soon as the other one was replaced; of the plug-ins that work. Go on: each "
                    "block was answered.\n",
                    options.kills));
  std::string suite;
  for (const Surveyed& one : plugins) {
    if (suite_of(one.uri) != suite) {
      suite = suite_of(one.uri);
      text += "\n## " + suite +
              "\n\n| name | URI | in>out | verdict | µs a block, median | 99 % | max | threads | MB resident | same "
              "sound | killed | notes "
              "|\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    }
    text += row(one);
  }
  return text;
}

}  // namespace hotspare::cli
