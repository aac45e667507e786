#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

/// What may be an argument and a result, and what may be a task.
namespace hotspare::testing {
namespace {

class ApiValues : public ::testing::Test {
 protected:
  Pool pool{small_pool()};

  /// There and back: as argument and as result.
  template <class T>
  void travels(const T& value) {
    EXPECT_TRUE(pool.submit([](T given) { return given; }, value).get() == value);
    EXPECT_TRUE(pool.submit(
                        [](const T& given) {
                          return std::vector<T>{given, given};
                        },
                        value)
                    .get() == (std::vector<T>{value, value}));
  }
};

enum class Colour : std::uint16_t { red = 7, green = 9 };
enum Old { one = 1, two };

struct Star {
  std::string name;
  double magnitude = 0;
  std::vector<int> seen;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name, magnitude, seen);
  }
  bool operator==(const Star&) const = default;
};

struct Private {
 public:
  explicit Private(int x = 0) : x_(x) {}
  int x() const { return x_; }
  bool operator==(const Private&) const = default;

 private:
  friend class cereal::access;
  template <class Archive>
  void save(Archive& ar) const {
    ar(x_ + 1);
  }
  template <class Archive>
  void load(Archive& ar) {
    ar(x_);
    --x_;
  }
  int x_;
};

struct Outside {
  std::string text;
  bool operator==(const Outside&) const = default;
};
template <class Archive>
void serialize(Archive& ar, Outside& outside) {
  ar(outside.text);
}

struct Plain3 {
  double x, y, z;
  char name[16];
  bool operator==(const Plain3& other) const { return x == other.x && y == other.y && z == other.z; }
};
struct alignas(64) Wide {
  std::array<float, 16> lanes;
};

TEST_F(ApiValues, Numbers) {
  travels(true);
  travels('x');
  travels(std::int8_t{-3});
  travels(std::uint64_t{0xFFFF'FFFF'FFFF'FFFF});
  travels(-1.5F);
  travels(2.25);
  travels(3.5L);
  EXPECT_EQ(pool.submit([](Colour c) { return c; }, Colour::green).get(), Colour::green);
  EXPECT_EQ(pool.submit([](Old o) { return o; }, two).get(), two);
  travels(std::complex<double>(1, -2));
}

TEST_F(ApiValues, TextAndContainers) {
  using namespace std::string_literals;
  travels(""s);
  travels("a\0b"s);
  travels(std::u16string(u"\u00fc"));
  travels(std::vector<int>{1, 2, 3});
  travels(std::vector<bool>{true, false, true});
  travels(std::vector<std::string>{"a", "", std::string(1000, 'z')});
  travels(std::array<int, 3>{4, 5, 6});
  travels(std::deque<double>{1, 2});
  travels(std::list<std::string>{"x", "y"});
  travels(std::map<std::string, int>{{"a", 1}, {"b", 2}});
  travels(std::multimap<int, int>{{1, 1}, {1, 2}});
  travels(std::set<int>{3, 1, 2});
  travels(std::unordered_map<int, std::string>{{1, "a"}, {2, "b"}});
  travels(std::unordered_set<std::string>{"p", "q"});
  travels(std::bitset<70>("1011"));
  travels(std::map<std::string, std::vector<std::map<int, std::optional<std::string>>>>{
      {"k", {{{1, "one"}, {2, std::nullopt}}, {}}}});
}

TEST_F(ApiValues, SumsAndProducts) {
  travels(std::optional<int>{});
  travels(std::optional<std::string>{"x"});
  travels(std::variant<int, std::string, std::vector<int>>{"text"});
  travels(std::variant<std::monostate, int>{});
  travels(std::pair<int, std::string>{1, "a"});
  travels(std::tuple<int, std::string, std::tuple<double>>{1, "a", {2.5}});
  EXPECT_EQ(pool.submit([](std::tuple<> t) { return t; }, std::tuple<>{}).get(), std::tuple<>{});
}

TEST_F(ApiValues, TimesAndPaths) {
  using namespace std::chrono_literals;
  travels(std::chrono::milliseconds(17));
  travels(std::chrono::duration<double>(0.25));
  travels(std::chrono::system_clock::now());
  travels(std::chrono::steady_clock::now());
  travels(std::filesystem::path("/tmp/\xc3\xbc/file.txt"));
  travels(std::filesystem::path());
}

TEST_F(ApiValues, Pointers) {
  EXPECT_EQ(*pool.submit([](const std::unique_ptr<int>& p) { return std::make_unique<int>(*p + 1); },
                         std::make_unique<int>(4))
                 .get(),
            5);
  EXPECT_EQ(pool.submit([](const std::unique_ptr<int>& p) { return p == nullptr; }, std::unique_ptr<int>()).get(),
            true);
  const auto shared = std::make_shared<std::string>("both");
  const auto back =
      pool.submit([](const std::vector<std::shared_ptr<std::string>>& all) { return all; }, std::vector{shared, shared})
          .get();
  EXPECT_EQ(*back[0], "both");
  EXPECT_EQ(back[0], back[1]);  // still one object
  auto made = pool.submit([] {
                    std::vector<std::unique_ptr<Star>> stars;
                    stars.push_back(std::make_unique<Star>(Star{"Vega", 0.03, {1}}));
                    return stars;
                  })
                  .get();
  EXPECT_EQ(made.at(0)->name, "Vega");
}

TEST_F(ApiValues, TypesOfTheUsersOwn) {
  travels(Star{"Deneb", 1.25, {1, 2, 3}});
  travels(Private(41));
  travels(Outside{"free function"});
  const Plain3 plain{1, 2, 3, "raw"};
  const Plain3 back = pool.submit([](Plain3 p) { return p; }, plain).get();
  EXPECT_TRUE(back == plain);
  EXPECT_STREQ(back.name, "raw");
  Wide wide{};
  wide.lanes[15] = 4;
  EXPECT_EQ(pool.submit([](const Wide& w) { return w; }, wide).get().lanes[15], 4);
}

TEST_F(ApiValues, ArgumentsAreDecayed) {
  const char* text = "c string";
  char writable[] = "array";
  EXPECT_EQ(pool.submit([](const std::string& s) { return s; }, text).get(), "c string");
  EXPECT_EQ(pool.submit([](const std::string& s) { return s; }, writable).get(), "array");
  EXPECT_EQ(pool.submit([](std::string_view s) { return s.size(); }, "literal").get(), 7u);
  EXPECT_EQ(pool.submit([](std::string&& s) { return std::move(s); }, std::string(200, 'm')).get().size(), 200u);
  const int constant = 3;
  EXPECT_EQ(pool.submit([](int x) { return x; }, constant).get(), 3);
  std::vector<int> numbers{1, 2, 3};
  EXPECT_EQ(pool.submit([](std::span<const int> s) { return s[2]; }, std::span<const int>(numbers)).get(), 3);
}

int twice(int x) { return 2 * x; }
int& by_reference(int) {
  static int here = 8;
  return here;
}
void nothing() noexcept {}
struct Adder {
  int base = 0;
  int operator()(int x) const { return base + x; }
};
struct Counting {
  int count = 0;
  int operator()() { return ++count; }
};
struct Empty {
  template <class T>
  T operator()(T x) const {
    return x;
  }
};
template <class T>
T templated(T x) {
  return x + 1;
}

TEST_F(ApiValues, WhatATaskMayBe) {
  EXPECT_EQ(pool.submit(twice, 4).get(), 8);
  EXPECT_EQ(pool.submit(&twice, 4).get(), 8);
  int (*pointer)(int) = twice;
  EXPECT_EQ(pool.submit(pointer, 5).get(), 10);
  EXPECT_EQ(pool.submit(by_reference, 0).get(), 8);
  pool.submit(nothing).get();
  EXPECT_EQ(pool.submit(templated<double>, 1.5).get(), 2.5);
  EXPECT_EQ(pool.submit(Adder{10}, 3).get(), 13);
  Counting counting;
  EXPECT_EQ(pool.submit(counting).get(), 1);
  EXPECT_EQ(pool.submit(counting).get(), 1);  // each task has a copy
  EXPECT_EQ(pool.submit(Empty{}, std::string("e")).get(), "e");
  const int captured = 5;
  const Plain3 large{1, 2, 3, "in a lambda"};
  EXPECT_EQ(pool.submit([captured, large](int x) { return captured + x + static_cast<int>(large.z); }, 1).get(), 9);
  int state = 1;
  EXPECT_EQ(pool.submit([state]() mutable { return ++state; }).get(), 2);
  std::array<char, 1000> much{};
  much[999] = 'q';
  EXPECT_EQ(pool.submit([much] { return much[999]; }).get(), 'q');
  auto const_lambda = [] { return 1; };
  const auto& reference = const_lambda;
  EXPECT_EQ(pool.submit(reference).get(), 1);
  // A pointer inside a lambda is sent as it is; that of a function is the same in a fork of this image only.
  if (start_method() == Start::fork) {
    EXPECT_EQ(pool.submit([pointer](int x) { return pointer(x); }, 6).get(), 12);
  }
  // Lambdas of one line are different tasks.
  EXPECT_EQ(pool.submit([] { return 1; }).get() + pool.submit([] { return 2; }).get(), 3);
}

TEST_F(ApiValues, FuturesAreHandles) {
  Future<int> empty;
  EXPECT_FALSE(empty.valid());
  auto future = pool.submit(twice, 3);
  auto copy = future;  // NOLINT(performance-unnecessary-copy-initialization): the copy is tested
  EXPECT_EQ(copy.get(), 6);
  EXPECT_EQ(future.get(), 6);
  EXPECT_EQ(copy.task_id(), future.task_id());
  EXPECT_NE(pool.submit(twice, 3).task_id(), future.task_id());
  EXPECT_TRUE(future.wait_for(std::chrono::seconds(0)));
  const auto outcome = future.outcome();
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.value(), 6);
  EXPECT_EQ(outcome.report(), nullptr);
  EXPECT_EQ(outcome.error(), nullptr);
  EXPECT_TRUE(pool.submit(nothing).outcome().ok());
  const auto failed = pool.submit([]() -> int { throw std::domain_error("d"); }).outcome();
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.kind(), Outcome<int>::Kind::raised);
  EXPECT_THROW(failed.value(), std::domain_error);
}

}  // namespace
}  // namespace hotspare::testing
