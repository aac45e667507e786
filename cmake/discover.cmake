include(GoogleTest)

# hotspare_discover(target [PREFIX p.] [LIST name] [TIMEOUT s] [ENVIRONMENT k=v…]): its tests, to ctest. One that hangs is ended
# after TIMEOUT (120 s) and costs nothing but itself; no test asserts how long something takes.
# What takes long on purpose (a storm, a soak, hundreds of kills) is in a suite, or an instantiation, whose name begins with
# Long: ctest labels it, make test leaves it out, make test-long runs it.
# PRE_TEST: the build never runs a binary, so a crashing test cannot fail the build.
function(hotspare_discover target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PREFIX;LIST;TIMEOUT" "ENVIRONMENT")
  foreach(default "PREFIX=${target}." "LIST=${target}_tests" "TIMEOUT=120")
    string(REGEX MATCH "^([A-Z]+)=(.*)$" _ ${default})
    if(NOT DEFINED arg_${CMAKE_MATCH_1})
      set(arg_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    endif()
  endforeach()
  set(properties TIMEOUT ${arg_TIMEOUT})
  if(arg_ENVIRONMENT)
    list(APPEND properties ENVIRONMENT "${arg_ENVIRONMENT}")
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_FILTER "-Long*"
    TEST_PREFIX ${arg_PREFIX} TEST_LIST ${arg_LIST} PROPERTIES ${properties})
  list(TRANSFORM properties REPLACE "^${arg_TIMEOUT}$" 900)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_FILTER "Long*"
    TEST_PREFIX ${arg_PREFIX} TEST_LIST ${arg_LIST}_long PROPERTIES ${properties} LABELS long)
endfunction()
