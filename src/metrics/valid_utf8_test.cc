#include "metrics/valid_utf8.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace hotspare::metrics {
namespace {

TEST(ValidUtf8, Table) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},
      {"plain", "plain"},
      {"ä €\xF0\x9F\x98\x80", "ä €\xF0\x9F\x98\x80"},
      {"\xFF", bad},
      {"a\x80z", "a" + bad + "z"},
      {"cut\xE2\x82", "cut" + bad + bad},
      {"\xC0\xAF", bad + bad},                      // longer than it need be
      {"\xE0\x80\x80", bad + bad + bad},            // the same
      {"\xED\xA0\x80", bad + bad + bad},            // half a surrogate pair
      {"\xF4\x90\x80\x80", bad + bad + bad + bad},  // beyond the last character
  };
  for (const auto& [given, valid] : rows) EXPECT_EQ(valid_utf8(given), valid) << given;
}

}  // namespace
}  // namespace hotspare::metrics
