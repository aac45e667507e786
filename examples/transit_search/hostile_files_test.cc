// Files that are no light curves: each must give an error that says so, and none may crash its reader.

#include "cleaning.hpp"
#include "read_any.hpp"
#include "test_folder.hpp"

#include <cstring>
#include <random>

namespace transit {
namespace {

/// What reading says of these bytes: empty if they were taken for a light curve. Every error must name the file.
std::string error_of(const TestFolder& folder, std::string_view bytes, const std::string& name = "hostile") {
  const std::string file = folder.write(name, bytes);
  try {
    const LightCurve curve = read_clean(file);
    EXPECT_GE(curve.size(), min_points);
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("expected"), std::string::npos) << error.what();
    return error.what();
  }
  return {};
}

/// One card of a FITS header.
std::string card(const std::string& key, const std::string& value) {
  std::string text = key;
  text.resize(8, ' ');
  text += "= " + value;
  text.resize(80, ' ');
  return text;
}

std::string padded(std::string block, char with) {
  constexpr std::size_t fits_block = 2880;
  block.resize((block.size() + fits_block - 1) / fits_block * fits_block, with);
  return block;
}

std::string header_end() {
  std::string end = "END";
  end.resize(80, ' ');
  return end;
}

std::string primary_header() {
  return padded(card("SIMPLE", "                   T") + card("BITPIX", "                   8") +
                    card("NAXIS", "                   0") + card("EXTEND", "                   T") +
                    card("OBJECT", "'TEST 1'") + header_end(),
                ' ');
}

std::string right_aligned(long value) {
  const std::string digits = std::to_string(value);
  return std::string(20 - digits.size(), ' ') + digits;
}

/// A light-curve table of doubles TIME and SAP_FLUX.
std::string fits_table(const std::vector<std::pair<double, double>>& points, long announced_rows,
                       const std::string& flux_name = "SAP_FLUX") {
  std::string header = card("XTENSION", "'BINTABLE'") + card("BITPIX", right_aligned(8)) +
                       card("NAXIS", right_aligned(2)) + card("NAXIS1", right_aligned(16)) +
                       card("NAXIS2", right_aligned(announced_rows)) + card("PCOUNT", right_aligned(0)) +
                       card("GCOUNT", right_aligned(1)) + card("TFIELDS", right_aligned(2)) + card("TTYPE1", "'TIME'") +
                       card("TFORM1", "'D'") + card("TTYPE2", "'" + flux_name + "'") + card("TFORM2", "'D'") +
                       header_end();
  std::string data;
  for (const auto& [time, flux] : points)
    for (const double value : {time, flux}) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      for (int shift = 56; shift >= 0; shift -= 8) data += static_cast<char>(bits >> shift & 0xff);
    }
  return primary_header() + padded(header, ' ') + padded(data, '\0');
}

std::vector<std::pair<double, double>> some_points(std::size_t count) {
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < count; ++i) points.emplace_back(100 + 0.02 * static_cast<double>(i), 1000 + i % 7);
  return points;
}

TEST(HostileFiles, AFitsTableMadeHereIsRead) {
  const TestFolder folder;
  const LightCurve curve = read_clean(folder.write("good", fits_table(some_points(500), 500)));
  EXPECT_EQ(curve.name, "TEST 1");
  EXPECT_EQ(curve.size(), 500U);
}

TEST(HostileFiles, SayWhatIsWrong) {
  const TestFolder folder;
  const double nan = std::nan("");
  EXPECT_NE(error_of(folder, "").find("empty"), std::string::npos);
  EXPECT_NE(error_of(folder, "time,flux\n").find("no line of data"), std::string::npos);
  EXPECT_NE(error_of(folder, "1 2\n").find("1 points"), std::string::npos);
  EXPECT_NE(error_of(folder, "\x1f\x8b\x08").find("gzip"), std::string::npos);
  EXPECT_NE(error_of(folder, std::string(1000, '\0')).find("neither"), std::string::npos);
  EXPECT_NE(error_of(folder, primary_header()).find("no table"), std::string::npos);
  EXPECT_NE(error_of(folder, fits_table(some_points(100), 100, "COLOUR")).find("no table"), std::string::npos);
  EXPECT_NE(error_of(folder, fits_table(some_points(100), 2000000000)).find("cut?"), std::string::npos);
  EXPECT_NE(error_of(folder, fits_table(some_points(100), -5)), "");
  EXPECT_NE(error_of(folder, fits_table(some_points(100), 0)).find("0 rows"), std::string::npos);
  EXPECT_NE(error_of(folder, fits_table(some_points(1), 1)).find("1 points"), std::string::npos);
  EXPECT_NE(error_of(folder, fits_table(std::vector<std::pair<double, double>>(200, {nan, nan}), 200)).find("0 points"),
            std::string::npos);
  EXPECT_NE(error_of(folder, "{\"time\": [1, 2]}\n"), "");
  EXPECT_NE(error_of(folder, "<html><body>404</body></html>\n"), "");
}

TEST(HostileFiles, NaNOnlyText) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "nan,nan\n";
  EXPECT_NE(error_of(folder, text).find("0 points"), std::string::npos);
}

TEST(HostileFiles, AConstantFluxIsALightCurve) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 500; ++i) text += std::to_string(i) + ",1\n";
  EXPECT_EQ(error_of(folder, text), "");
}

TEST(HostileFiles, NamesAreNotCommandsToCfitsio) {
  const TestFolder folder;
  for (const char* name : {"!curve.fits", "curve[1].fits", "a(b).fits", "curve.fits+1"})
    EXPECT_EQ(error_of(folder, fits_table(some_points(500), 500), name), "") << name;
}

TEST(HostileFiles, AbsurdlyLongLines) {
  const TestFolder folder;
  EXPECT_NE(error_of(folder, std::string(std::size_t{8} << 20, '7')).find("longer"), std::string::npos);
  EXPECT_NE(error_of(folder, std::string(60000, ',')), "");
}

TEST(HostileFiles, EveryPrefixOfAFitsTable) {
  const TestFolder folder;
  const std::string whole = fits_table(some_points(200), 200);
  std::size_t accepted = 0;
  for (std::size_t length = 0; length < whole.size(); length += 37)
    accepted += error_of(folder, std::string_view(whole).substr(0, length)).empty() ? 1U : 0U;
  EXPECT_LE(accepted, 2880U / 37U) << "only the padding behind the table's data may be missing";
}

TEST(HostileFiles, EveryPrefixOfARealFile) {
  SKIP_WITHOUT_REAL_LIGHT_CURVES();
  const TestFolder folder;
  for (const char* name : {"kplr011446443-2009131105131_llc.fits", "EPIC201367065.csv"}) {
    const std::string whole = bytes_of((real_light_curves() / name).string());
    for (std::size_t length = 0; length < whole.size(); length += 997)
      error_of(folder, std::string_view(whole).substr(0, length));  // a prefix of a text table may well be one
  }
}

TEST(HostileFiles, RandomBytes) {
  const TestFolder folder;
  std::mt19937_64 random(11);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random() % 5000 + 1, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_NE(error_of(folder, bytes), "");
    EXPECT_NE(error_of(folder, "SIMPLE  =                    T" + bytes), "");
  }
}

TEST(HostileFiles, DamagedHeaders) {
  const TestFolder folder;
  const std::string whole = fits_table(some_points(200), 200);
  std::mt19937_64 random(13);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t changes = random() % 4 + 1; changes > 0; --changes)
      bytes[random() % (2 * 2880)] = static_cast<char>(32 + random() % 95);
    error_of(folder, bytes);  // harmless damage may leave a light curve
  }
}

TEST(HostileFiles, DamagedText) {
  const TestFolder folder;
  std::string whole = "time,flux\n";
  for (int i = 0; i < 200; ++i) whole += std::to_string(i) + "," + std::to_string(1000 + i % 7) + "\n";
  std::mt19937_64 random(17);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t changes = random() % 4 + 1; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    error_of(folder, bytes);
  }
}

}  // namespace
}  // namespace transit
