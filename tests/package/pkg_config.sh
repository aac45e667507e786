#!/bin/sh
# pkg_config.sh PKG_CONFIG_PATH SOURCE BINARY: builds SOURCE as pkg-config says, then runs it.
set -eu
export PKG_CONFIG_PATH="$1"
: "${CXX:=c++}" "${CXXFLAGS:=}" "${PKG_CONFIG:=pkg-config}"
"$PKG_CONFIG" --exists --print-errors 'hotspare >= 0.1'
# The flags are lists of words.
# shellcheck disable=SC2046,SC2086
"$CXX" -std=c++20 $CXXFLAGS "$2" -o "$3" $("$PKG_CONFIG" --cflags --libs hotspare) \
  -Wl,-rpath,"$("$PKG_CONFIG" --variable=libdir hotspare)"
exec "$3"
