#include "read_text.hpp"

#include "inputs.hpp"
#include "options.hpp"
#include "read_any.hpp"
#include "test_folder.hpp"

#include <cmath>
#include <sstream>

namespace transit {
namespace {

LightCurve read(const std::string& text) {
  std::istringstream in(text);
  return read_text(in, "star.txt");
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

TEST(ReadText, TakesTheFirstTwoColumnsWithoutAHeader) {
  const LightCurve curve = read("1.5,0.99\n2.5,1.01\n");
  EXPECT_EQ(curve.name, "star");
  EXPECT_EQ(curve.time, (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(curve.flux, (std::vector<double>{0.99, 1.01}));
}

TEST(ReadText, FindsColumnsByName) {
  EXPECT_EQ(read("time,rflux,flux,\n1, 2, 3,\n").flux, std::vector<double>{3});
  EXPECT_EQ(read("Dates Flux Corrflux Xpos Ypos\n1 2 3 4 5\n").flux, std::vector<double>{3});
  EXPECT_EQ(read("flux;time\n7;1\n").time, std::vector<double>{1});
  EXPECT_EQ(read("brightness\ttime\n7\t1\n").flux, std::vector<double>{7});
}

TEST(ReadText, SkipsCommentsAndEmptyLines) {
  EXPECT_EQ(read("# a star\n\n  \n1 2 # a point\r\n\n3 4").time, (std::vector<double>{1, 3}));
}

TEST(ReadText, KeepsMissingValuesAsNaN) {
  const LightCurve curve = read("time,flux\n1,nan\n2,\n3,,\n+4,5e-1\n");
  EXPECT_EQ(curve.size(), 4U) << "an empty field is a missing value, not a cut line";
  EXPECT_TRUE(std::isnan(curve.flux[0]));
  EXPECT_TRUE(std::isnan(curve.flux[2]));
  EXPECT_EQ(curve.flux[3], 0.5);
}

TEST(ReadText, NamesFileLineAndExpectation) {
  const std::string error = error_of("1 2\n3 x\n");
  EXPECT_NE(error.find("star.txt"), std::string::npos) << error;
  EXPECT_NE(error.find("line 2"), std::string::npos) << error;
  EXPECT_NE(error.find("\"x\""), std::string::npos) << error;
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
  EXPECT_NE(error_of("1 2\n3\n").find("line 2"), std::string::npos);
  EXPECT_NE(error_of("a b\n").find("no line of data"), std::string::npos);
  EXPECT_NE(error_of(std::string(1 << 20, '1')).find("longer"), std::string::npos);
}

TEST(ReadText, ShowsNoControlCharacters) {
  const std::string error = error_of("1 2\n3 \x1b[31mred\n");
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
}

TEST(ReadAny, RefusesWhatIsNoFile) {
  const TestFolder folder;
  EXPECT_THROW(read_any(folder.path()), std::runtime_error);
  EXPECT_THROW(read_any(folder.path() + "/none"), std::runtime_error);
  EXPECT_THROW(read_any("/dev/zero"), std::runtime_error);
}

TEST(Inputs, TakeTheFilesOfAFolder) {
  const TestFolder folder;
  folder.write("b", "1 2\n");
  folder.write("a", "1 2\n");
  folder.write(".hidden", "1 2\n");
  EXPECT_EQ(find_inputs({folder.path()}), (std::vector<std::string>{folder.path() + "/a", folder.path() + "/b"}));
  EXPECT_THROW(find_inputs({folder.path() + "/none"}), UsageError);
}

TEST(Inputs, TakeOnlyLightCurvesOfTheDefaultFolder) {
  const TestFolder folder;
  folder.write("EPIC1.csv", "1 2\n");
  folder.write("fap.csv", "1 2\n");
  ASSERT_EQ(setenv("HOTSPARE_LIGHT_CURVES", folder.path().c_str(), 1), 0);
  EXPECT_EQ(default_inputs(), std::vector<std::string>{folder.path() + "/EPIC1.csv"});
  std::filesystem::remove(folder.path() + "/EPIC1.csv");
  EXPECT_THROW(default_inputs(), UsageError);
  unsetenv("HOTSPARE_LIGHT_CURVES");
}

}  // namespace
}  // namespace transit
