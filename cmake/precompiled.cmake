# Precompiled headers: most of what a small file costs is the standard library, and of a test GoogleTest and the public
# headers. make lint configures without them, so that a header that includes too little is seen.
option(HOTSPARE_PCH "Compile the standard library's headers once" ON)

set(HOTSPARE_STANDARD_HEADERS
  <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <cstring> <deque> <exception> <filesystem> <fstream>
  <functional> <map> <memory> <mutex> <optional> <set> <span> <sstream> <string> <string_view> <thread> <tuple> <type_traits>
  <unordered_map> <unordered_set> <utility> <variant> <vector>)

# hotspare_precompile(target header…): its own, from the standard library's headers and these.
function(hotspare_precompile target)
  if(HOTSPARE_PCH)
    target_precompile_headers(${target} PRIVATE ${HOTSPARE_STANDARD_HEADERS} ${ARGN})
  endif()
endfunction()

# hotspare_precompiled_as(target owner): those of another target, which is compiled with the same flags.
function(hotspare_precompiled_as target owner)
  if(HOTSPARE_PCH)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()
