#include "printable.hpp"

#include <gtest/gtest.h>

namespace hotspare::cli {
namespace {

TEST(Printable, WritesWhatDeceives) {
  const std::pair<std::string, const char*> table[] = {
      {"plain name-1.2", "plain name-1.2"},
      {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xb5", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xb5"},
      {"a\x1b[31mRED", "a\\x1b[31mRED"},
      {"row\nforged\r\t", "row\\x0aforged\\x0d\\x09"},
      {std::string("nul\0", 4), "nul\\x00"},
      {"c1 \xc2\x9b", "c1 \\xc2\\x9b"},
      {"\xe2\x80\xaegnp.exe", "\\xe2\\x80\\xaegnp.exe"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xc0\xaf cut \xe2\x82", "\\xc0\\xaf cut \\xe2\\x82"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
      {"back\\x1b", "back\\\\x1b"},
      {"\x7f", "\\x7f"},
      {"", ""},
  };
  for (const auto& [text, written] : table) EXPECT_EQ(printable(text), written);
}

TEST(Printable, LinesMayStay) { EXPECT_EQ(printable_lines("a\\\nb\x1b"), "a\\\nb\\x1b"); }

}  // namespace
}  // namespace hotspare::cli
