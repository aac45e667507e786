#pragma once

#include <string>
#include <vector>

namespace transit {

/// The files that the command line means: a folder stands for the files directly in it that are not hidden, by
/// name. Throws UsageError for a path that does not exist.
std::vector<std::string> find_inputs(const std::vector<std::string>& named);

/// The light curves that are searched when the command line names none: EPIC*.csv of the folder in the environment
/// variable HOTSPARE_LIGHT_CURVES, else of the folder that the build was told of (HOTSPARE_DEFAULT_LIGHT_CURVES).
/// Throws UsageError, saying what to do, when there are none.
std::vector<std::string> default_inputs();

}  // namespace transit
