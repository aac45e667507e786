#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <variant>
#include <vector>

/// What a task throws arrives as what it was, or as RemoteError with all that is known of it.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;

class ApiErrors : public ::testing::Test {
 protected:
  Pool pool{small_pool()};

  template <class E>
  void arrives_with_message() {
    try {
      pool.submit([] { throw E("the message: of it"); }).get();
      FAIL();
    } catch (const std::exception& error) {
      EXPECT_EQ(typeid(error), typeid(E));
      EXPECT_STREQ(error.what(), "the message: of it");
    }
  }
  template <class E>
  void arrives() {
    try {
      pool.submit([] { throw E(); }).get();
      FAIL();
    } catch (const std::exception& error) {
      EXPECT_EQ(typeid(error), typeid(E));
      EXPECT_STREQ(error.what(), E().what());
    }
  }
  template <class F>
  RemoteError remote(F f) {
    try {
      pool.submit(f).get();
    } catch (const RemoteError& error) {
      return error;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "arrived as " << typeid(error).name() << ": " << error.what();
    }
    return {"", "", {}};
  }
};

TEST_F(ApiErrors, StandardTypesArriveAsThemselves) {
  arrives_with_message<std::logic_error>();
  arrives_with_message<std::invalid_argument>();
  arrives_with_message<std::domain_error>();
  arrives_with_message<std::length_error>();
  arrives_with_message<std::out_of_range>();
  arrives_with_message<std::runtime_error>();
  arrives_with_message<std::range_error>();
  arrives_with_message<std::overflow_error>();
  arrives_with_message<std::underflow_error>();
  arrives<std::bad_alloc>();
  arrives<std::bad_array_new_length>();
  arrives<std::bad_cast>();
  arrives<std::bad_typeid>();
  arrives<std::bad_exception>();
  arrives<std::bad_function_call>();
  arrives<std::bad_optional_access>();
  arrives<std::bad_variant_access>();
  arrives<std::bad_any_cast>();
  arrives<std::bad_weak_ptr>();
  // Thrown by the library itself, not by us.
  EXPECT_THROW(pool.submit([] { return std::vector<int>().at(3); }).get(), std::out_of_range);
  EXPECT_THROW(pool.submit([] { return std::stoi("x"); }).get(), std::invalid_argument);
}

TEST_F(ApiErrors, CodesAndPathsArrive) {
  const auto thrown = [](auto f) -> std::exception_ptr {
    try {
      f();
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  };
  const auto same_text = [&](auto task) {
    std::string here;
    std::string there;
    try {
      std::rethrow_exception(thrown(task));
    } catch (const std::exception& error) {
      here = error.what();
    }
    try {
      pool.submit(task).get();
    } catch (const std::exception& error) {
      there = error.what();
    }
    EXPECT_EQ(there, here);
    EXPECT_FALSE(there.empty());
  };
  const auto system = [] { throw std::system_error(ENOENT, std::generic_category(), "opening it"); };
  const auto bare = [] { throw std::system_error(EPERM, std::system_category()); };
  const auto file = [] { static_cast<void>(std::filesystem::file_size("/no/such: file")); };
  const auto two = [] { std::filesystem::rename("/no/such/a", "/no/such/b"); };
  const auto stream = [] { throw std::ios_base::failure("cut", std::make_error_code(std::io_errc::stream)); };
  same_text(system);
  same_text(bare);
  same_text(file);
  same_text(two);
  same_text(stream);
  try {
    pool.submit(system).get();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(error.code().category(), std::generic_category());
  }
  try {
    pool.submit(two).get();
  } catch (const std::filesystem::filesystem_error& error) {
    EXPECT_EQ(error.path1(), "/no/such/a");
    EXPECT_EQ(error.path2(), "/no/such/b");
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
  }
  try {
    pool.submit(stream).get();
  } catch (const std::ios_base::failure& error) {
    EXPECT_EQ(error.code(), std::io_errc::stream);
  }
  try {
    pool.submit([] { return std::regex("(").mark_count(); }).get();
    FAIL();
  } catch (const std::regex_error& error) {
    EXPECT_EQ(error.code(), std::regex_constants::error_paren);
  }
}

struct Category : std::error_category {
  const char* name() const noexcept override { return "antenna"; }
  std::string message(int) const override { return "out of alignment"; }
};
const std::error_category& antenna() {
  static const Category category;
  return category;
}

/// The code of a category that the host may not have would be another error's: 1 is EPERM to everybody else.
TEST_F(ApiErrors, AForeignCategoryIsNotPassedOffAsAnother) {
  const RemoteError error = remote([] { throw std::system_error(1, antenna(), "dish 4"); });
  EXPECT_EQ(error.type(), "std::system_error");
  EXPECT_STREQ(error.what(), "dish 4: out of alignment");
}

struct Misfortune : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Odd {
  int x;
};

__attribute__((noinline)) void throw_deep_inside(int depth) {
  if (depth == 0) throw Misfortune("down here");
  throw_deep_inside(depth - 1);
  asm volatile("");  // no tail call: each level is a frame
}

TEST_F(ApiErrors, OtherTypesComeWithTypeMessageAndStack) {
  const RemoteError error = remote([] { throw_deep_inside(3); });
  EXPECT_THAT(error.type(), HasSubstr("Misfortune"));
  EXPECT_STREQ(error.what(), "down here");
  ASSERT_FALSE(error.stack().empty());
  std::string functions;
  for (const Frame& frame : error.stack()) functions += frame.function + "\n";
  EXPECT_THAT(functions, HasSubstr("throw_deep_inside"));

  EXPECT_STREQ(remote([] { throw std::string("a string"); }).what(), "a string");
  EXPECT_STREQ(remote([] { throw "a literal"; }).what(), "a literal");
  EXPECT_EQ(remote([] { throw 42; }).type(), "int");
  EXPECT_THAT(remote([] { throw Odd{1}; }).type(), HasSubstr("Odd"));
  EXPECT_FALSE(remote([] { throw 42; }).stack().empty());
  EXPECT_STREQ(remote([] { throw Misfortune(std::string(100'000, 'm')); }).what(), std::string(100'000, 'm').c_str());
}

TEST_F(ApiErrors, RethrownAndNestedOnes) {
  EXPECT_THROW(pool.submit([] {
                     try {
                       throw std::range_error("r");
                     } catch (...) {
                       throw;
                     }
                   })
                   .get(),
               std::range_error);
  EXPECT_STREQ(remote([] {
                 try {
                   throw std::range_error("inner");
                 } catch (...) {
                   std::throw_with_nested(Misfortune("outer"));
                 }
               }).what(),
               "outer");
  EXPECT_THROW(
      pool.submit([] { std::async(std::launch::async, [] { throw std::length_error("other"); }).get(); }).get(),
      std::length_error);
}

// ---- Payloads that lie ----

struct LiesAboutItsLength {
  std::uint64_t announced = 0;
  std::vector<int> numbers;
  template <class Archive>
  void save(Archive& ar) const {
    ar(announced, 1, 2);
  }
  template <class Archive>
  void load(Archive& ar) {
    ar(numbers);  // reads the number as a length
  }
};
struct WritesTooLittle {
  template <class Archive>
  void save(Archive& ar) const {
    ar(std::uint8_t{1});
  }
  template <class Archive>
  void load(Archive& ar) {
    std::uint64_t much = 0;
    ar(much);
  }
};

TEST_F(ApiErrors, DamagedPayloadsAreRefusedAndThePoolGoesOn) {
  for (const std::uint64_t announced : {std::uint64_t{3}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    const auto lie = [](std::uint64_t length) { return LiesAboutItsLength{length, {}}; };
    auto future = pool.submit(lie, announced);
    EXPECT_THROW(future.get(), PayloadError) << announced;
    EXPECT_EQ(future.outcome().kind(), Outcome<LiesAboutItsLength>::Kind::refused);
    // As an argument the worker finds it, and the task is told.
    EXPECT_THROW(pool.submit([](const LiesAboutItsLength&) {}, LiesAboutItsLength{announced, {}}).get(), PayloadError);
  }
  EXPECT_THROW(pool.submit([] { return WritesTooLittle(); }).get(), PayloadError);
  EXPECT_THROW(pool.submit([](WritesTooLittle) {}, WritesTooLittle()).get(), PayloadError);
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

struct ThrowsWhenSaved {
  template <class Archive>
  void save(Archive&) const {
    throw std::domain_error("not to be saved");
  }
  template <class Archive>
  void load(Archive&) {}
};

TEST_F(ApiErrors, ASerializerThatThrows) {
  EXPECT_THROW(pool.submit([](const ThrowsWhenSaved&) {}, ThrowsWhenSaved()), std::domain_error);
  EXPECT_THROW(pool.submit([] { return ThrowsWhenSaved(); }).get(), std::domain_error);
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

}  // namespace
}  // namespace hotspare::testing
