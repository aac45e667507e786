#!/bin/sh
# readme_example.sh README PKG_CONFIG_PATH FOLDER: its first C++ example compiles without a warning.
set -eu
export PKG_CONFIG_PATH="$2"
: "${CXX:=c++}" "${PKG_CONFIG:=pkg-config}"
mkdir -p "$3"
awk '/^```cpp$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$1" >"$3/example.cc"
grep -q 'int main' "$3/example.cc"
# The flags are a list of words. What an installation's headers hold themselves is not hidden as a system's: -I, not -isystem.
# shellcheck disable=SC2046
"$CXX" -std=c++20 -Wall -Wextra -Werror -fsyntax-only "$3/example.cc" $("$PKG_CONFIG" --cflags hotspare)
