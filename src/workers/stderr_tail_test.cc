#include "workers/stderr_tail.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

namespace hotspare::workers {
namespace {

void add(StderrTail& tail, std::string_view text) { tail.add(std::as_bytes(std::span(text))); }

TEST(StderrTail, LinesComeTogetherFromPieces) {
  StderrTail tail;
  EXPECT_TRUE(tail.lines().empty());
  add(tail, "fir");
  EXPECT_EQ(tail.lines(), std::vector<std::string>{"fir"});  // the last words may have no newline
  add(tail, "st\n\nthi");
  add(tail, "rd\n");
  EXPECT_EQ(tail.lines(), (std::vector<std::string>{"first", "", "third"}));
}

TEST(StderrTail, KeepsTheLastTwenty) {
  StderrTail tail;
  for (int i = 0; i < 100; ++i) add(tail, std::to_string(i) + "\n");
  const auto lines = tail.lines();
  ASSERT_EQ(lines.size(), StderrTail::most_lines);
  EXPECT_EQ(lines.front(), "80");
  EXPECT_EQ(lines.back(), "99");
  add(tail, "open");
  EXPECT_EQ(tail.lines().back(), "open");
  EXPECT_LE(tail.lines().size(), StderrTail::most_lines);
}

TEST(StderrTail, AnEndlessLineIsCutAndTheNextIsWhole) {
  StderrTail tail;
  for (int i = 0; i < 1000; ++i) add(tail, std::string(100, 'x'));
  add(tail, "\nnext\n");
  const auto lines = tail.lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], std::string(StderrTail::longest_line, 'x'));
  EXPECT_EQ(lines[1], "next");
}

TEST(StderrTail, AnyByteMayCome) {
  StderrTail tail;
  add(tail, std::string_view("\0\xFF\r\n", 4));
  EXPECT_EQ(tail.lines(), std::vector<std::string>{std::string("\0\xFF\r", 3)});
}

}  // namespace
}  // namespace hotspare::workers
