# What every target of ours is compiled with.
add_library(hotspare_warnings INTERFACE)
target_compile_options(hotspare_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  $<$<CXX_COMPILER_ID:GNU>:-Wno-missing-field-initializers -Wno-interference-size>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-field-initializers>)
if(HOTSPARE_SANITIZE)
  add_compile_options(-fsanitize=${HOTSPARE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  # It asks through a pipe whether memory is there, and reports each object of a program that has no descriptor free.
  add_compile_options(-fno-sanitize=vptr)
  add_link_options(-fsanitize=${HOTSPARE_SANITIZE})
endif()
