#pragma once

#include "plugins.hpp"

#include <audio/kill_trial.hpp>
#include <audio/trial.hpp>

#include <string>
#include <vector>

namespace hotspare::cli {

/// What became of one plug-in, tried twice, each time in a process of its own.
struct Surveyed {
  std::string uri;
  std::string name;
  std::string shape;  ///< "2>2 MIDI"
  audio::TrialResult result;
  std::string death;            ///< How its process died, with the stage; empty: it lived.
  std::string error;            ///< What it threw; empty: nothing.
  bool same_elsewhere = false;  ///< Another process gave the same sound.
  audio::KillResult killed;     ///< Of --kills.
  std::string not_killed;       ///< Why there is no such result; empty: there is, or it was not asked for.
};

enum class Verdict : unsigned char { works, refused, fails, dies };
Verdict verdict_of(const Surveyed& one);

/// Tries them one after the other in a pool: what dies costs its own process only.
void survey(std::vector<Surveyed>& plugins, const PluginsOptions& options);

/// As a Markdown page. date: "2026-11-25".
std::string markdown(const std::vector<Surveyed>& plugins, const PluginsOptions& options, const std::string& date);

}  // namespace hotspare::cli
