# Where the light curves lie that examples/transit_search reads when it is given none. scripts/setup puts them there;
# nothing is downloaded here. A folder given on the command line of CMake wins.
set(HOTSPARE_DEFAULT_LIGHT_CURVES "" CACHE PATH "Folder of light curves that examples/transit_search reads by default")
if(NOT HOTSPARE_DEFAULT_LIGHT_CURVES)
  set(HOTSPARE_DEFAULT_LIGHT_CURVES ${PROJECT_SOURCE_DIR}/.venv/share/light_curves)
  if(HOTSPARE_EXAMPLES AND NOT IS_DIRECTORY ${HOTSPARE_DEFAULT_LIGHT_CURVES})
    message(STATUS "No default light curves yet: scripts/setup fetches them")
  endif()
endif()
