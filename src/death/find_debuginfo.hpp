#pragma once

#include <elfutils/libdwfl.h>

namespace hotspare::death {

/// Where libdwfl finds ELF images and their separate debug information: on this machine's disk, never by asking a
/// debuginfod server. (dwfl_standard_find_debuginfo asks one when DEBUGINFOD_URLS is set, and may take minutes.)
const Dwfl_Callbacks& local_files_only();

}  // namespace hotspare::death
