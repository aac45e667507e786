#include "read_fits.hpp"

#include "read_error.hpp"

#include <fitsio.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>

namespace transit {

namespace {

constexpr const char* expected_fits = "a FITS binary table with TIME and PDCSAP_FLUX or SAP_FLUX";
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct CloseFits {
  void operator()(fitsfile* fits) const {
    int status = 0;
    fits_close_file(fits, &status);
  }
};
using Fits = std::unique_ptr<fitsfile, CloseFits>;

/// What cfitsio says about a status, with the oldest message of its stack.
std::string fits_text(int status) {
  std::array<char, FLEN_STATUS> name{};
  std::array<char, FLEN_ERRMSG> message{};
  fits_get_errstatus(status, name.data());
  std::string text = std::string(name.data()) + " (cfitsio status " + std::to_string(status) + ")";
  if (fits_read_errmsg(message.data()) != 0) text += ": " + std::string(message.data());
  fits_clear_errmsg();
  return text;
}

void check(int status, const std::filesystem::path& file, const std::string& what) {
  if (status != 0) throw read_error(file, what + ": " + fits_text(status), expected_fits);
}

Fits open(const std::filesystem::path& file) {
  fitsfile* fits = nullptr;
  int status = 0;
  // The plain open would take "[…]" and '!' in a file's name as commands of its own.
  fits_open_diskfile(&fits, file.c_str(), READONLY, &status);
  check(status, file, "it cannot be opened as FITS");
  return Fits(fits);
}

/// Number of the column, 0 if there is none of that name.
int column(fitsfile* fits, const char* name) {
  int number = 0;
  int status = 0;
  fits_write_errmark();
  fits_get_colnum(fits, CASEINSEN, const_cast<char*>(name), &number, &status);
  fits_clear_errmark();
  return status == 0 || status == COL_NOT_UNIQUE ? number : 0;
}

struct Table {
  int time = 0;
  int flux = 0;
  int quality = 0;
  long rows = 0;
};

/// Moves to the light curve's table.
Table find_table(fitsfile* fits, const std::filesystem::path& file) {
  int status = 0;
  int type = 0;
  for (int hdu = 2; fits_movabs_hdu(fits, hdu, &type, &status) == 0; ++hdu) {
    if (type != BINARY_TBL) continue;
    Table table;
    table.time = column(fits, "TIME");
    table.flux = column(fits, "PDCSAP_FLUX");
    if (table.flux == 0) table.flux = column(fits, "SAP_FLUX");
    table.quality = column(fits, "QUALITY");
    if (table.quality == 0) table.quality = column(fits, "SAP_QUALITY");
    if (table.time == 0 || table.flux == 0) continue;
    fits_get_num_rows(fits, &table.rows, &status);
    check(status, file, "the size of its table cannot be read");
    return table;
  }
  if (status != END_OF_FILE) check(status, file, "its next part cannot be read");
  fits_clear_errmsg();
  throw read_error(file, "it has no table of that kind", expected_fits);
}

/// A damaged header may announce any number of rows: no memory is taken for what the file cannot hold.
void check_rows(fitsfile* fits, const Table& table, const std::filesystem::path& file) {
  int status = 0;
  long width = 0;
  fits_read_key(fits, TLONG, "NAXIS1", &width, nullptr, &status);
  check(status, file, "the width of its table cannot be read");
  const std::uintmax_t size = std::filesystem::file_size(file);
  if (table.rows > 0 && width > 0 &&
      static_cast<std::uintmax_t>(table.rows) <= size / static_cast<std::uintmax_t>(width))
    return;
  throw read_error(file,
                   "its table should have " + std::to_string(table.rows) + " rows of " + std::to_string(width) +
                       " bytes, the whole file has " + std::to_string(size) + " bytes (cut?)",
                   expected_fits);
}

/// A column of one number per row.
template <class T>
std::vector<T> read_column(fitsfile* fits, int number, int type, long rows, T missing,
                           const std::filesystem::path& file) {
  int status = 0;
  int stored_as = 0;
  long repeat = 0;
  long width = 0;
  fits_get_coltype(fits, number, &stored_as, &repeat, &width, &status);
  check(status, file, "the type of column " + std::to_string(number) + " cannot be read");
  if (repeat != 1)
    throw read_error(file, "column " + std::to_string(number) + " has " + std::to_string(repeat) + " values a row",
                     expected_fits);
  std::vector<T> values(static_cast<std::size_t>(rows));
  int any_missing = 0;  // WARNING: cfitsio 4.2 writes through this pointer unasked when a value is NaN
  fits_read_col(fits, type, number, 1, 1, rows, &missing, values.data(), &any_missing, &status);
  check(status, file, "column " + std::to_string(number) + " cannot be read (cut?)");
  return values;
}

std::string text_key(fitsfile* fits, const char* key) {
  std::array<char, FLEN_VALUE> value{};
  int status = 0;
  fits_write_errmark();
  fits_read_key(fits, TSTRING, key, value.data(), nullptr, &status);
  fits_clear_errmark();
  return status == 0 ? std::string(value.data()) : std::string();
}

/// From the primary header, where cfitsio stands after opening.
std::string star_of(fitsfile* fits, const std::filesystem::path& file) {
  std::string object = text_key(fits, "OBJECT");
  if (!object.empty()) return object;
  const std::string kepler = text_key(fits, "KEPLERID");
  if (!kepler.empty()) return "KIC " + kepler;
  const std::string tess = text_key(fits, "TICID");
  if (!tess.empty()) return "TIC " + tess;
  return star_of_file(file.filename().string());
}

}  // namespace

LightCurve read_fits(const std::filesystem::path& file) {
  const Fits fits = open(file);
  LightCurve curve;
  curve.name = star_of(fits.get(), file);
  const Table table = find_table(fits.get(), file);
  check_rows(fits.get(), table, file);
  const auto time = read_column<double>(fits.get(), table.time, TDOUBLE, table.rows, nan, file);
  const auto flux = read_column<double>(fits.get(), table.flux, TDOUBLE, table.rows, nan, file);
  std::vector<int> quality(time.size(), 0);
  if (table.quality != 0) quality = read_column<int>(fits.get(), table.quality, TINT, table.rows, 0, file);
  for (std::size_t i = 0; i < time.size(); ++i) {
    if (quality[i] != 0) continue;
    curve.time.push_back(time[i]);
    curve.flux.push_back(flux[i]);
  }
  return curve;
}

}  // namespace transit
