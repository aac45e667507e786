#include "read_text.hpp"

#include "read_error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>

namespace transit {

namespace {

constexpr const char* expected_table = "a table of numbers with a time and a flux in each line";
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A text line longer than this is no table of a light curve (a binary file without line ends, say).
constexpr std::size_t max_line = 65536;

struct Columns {
  std::size_t time = 0;
  std::size_t flux = 1;
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_comma(char c) { return c == ',' || c == ';'; }

/// A comma always ends a field, so that two in a row, or one at the end, stand for an empty one; blanks count as one
/// however many they are.
std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  std::size_t i = 0;
  const auto skip_blanks = [&] {
    while (i < line.size() && is_blank(line[i])) ++i;
  };
  skip_blanks();
  bool after_comma = false;
  while (i < line.size()) {
    const std::size_t begin = i;
    while (i < line.size() && !is_blank(line[i]) && !is_comma(line[i])) ++i;
    fields.push_back(line.substr(begin, i - begin));
    skip_blanks();
    after_comma = i < line.size() && is_comma(line[i]);
    if (after_comma) ++i;
    skip_blanks();
  }
  if (after_comma) fields.emplace_back();
  return fields;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::optional<double> number(std::string_view field) {
  if (field.empty() || lower(field) == "nan") return nan;
  if (field.front() == '+') field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (end != field.data() + field.size() || error == std::errc::invalid_argument) return std::nullopt;
  return error == std::errc() ? value : nan;
}

template <std::size_t N>
std::size_t column_called(const std::vector<std::string_view>& header, const std::array<const char*, N>& names,
                          std::size_t otherwise) {
  for (const char* name : names)
    for (std::size_t i = 0; i < header.size(); ++i)
      if (lower(header[i]) == name) return i;
  return otherwise;
}

/// Columns by the header's names.
Columns columns_of(const std::vector<std::string_view>& header) {
  constexpr std::array time_names{"time", "t", "date", "dates", "bjd", "bkjd", "btjd", "jd"};
  constexpr std::array flux_names{"corrflux", "pdcsap_flux", "flux", "rflux", "sap_flux"};
  Columns columns;
  columns.time = column_called(header, time_names, 0);
  columns.flux = column_called(header, flux_names, columns.time == 1 ? 0 : 1);
  return columns;
}

/// For messages: what stands there, made safe for a terminal and not too long.
std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;
  std::string out;
  for (const char c : text.substr(0, most)) out += c >= 32 && c < 127 ? c : '?';
  return "\"" + out + (text.size() > most ? "…\"" : "\"");
}

/// A header: names, and at most empty fields beside them.
bool has_words_only(const std::vector<std::string_view>& fields) {
  const auto is_word = [](std::string_view field) {
    return !field.empty() && std::isalpha(static_cast<unsigned char>(field.front())) && !number(field);
  };
  return std::any_of(fields.begin(), fields.end(), is_word) &&
         std::all_of(fields.begin(), fields.end(),
                     [&](std::string_view field) { return field.empty() || is_word(field); });
}

/// std::getline with a limit, so that a huge file without line ends is refused, not read into memory.
bool next_line(std::istream& in, std::string& line, const std::filesystem::path& file, std::size_t line_number) {
  line.clear();
  std::streambuf& buffer = *in.rdbuf();
  for (int c = buffer.sbumpc();; c = buffer.sbumpc()) {
    if (c == std::char_traits<char>::eof()) return !line.empty();
    if (c == '\n') return true;
    line += static_cast<char>(c);
    if (line.size() > max_line)
      throw read_error(
          file, "line " + std::to_string(line_number) + " is longer than " + std::to_string(max_line) + " characters",
          expected_table);
  }
}

void add_point(LightCurve& curve, const std::vector<std::string_view>& fields, const Columns& columns,
               const std::filesystem::path& file, std::size_t line_number) {
  const std::string where = "line " + std::to_string(line_number);
  const std::size_t needed = std::max(columns.time, columns.flux) + 1;
  if (fields.size() < needed)
    throw read_error(
        file,
        where + " has " + std::to_string(fields.size()) + " of at least " + std::to_string(needed) + " columns (cut?)",
        expected_table);
  const std::optional<double> time = number(fields[columns.time]);
  const std::optional<double> flux = number(fields[columns.flux]);
  if (!time)
    throw read_error(file, where + ": the time " + shown(fields[columns.time]) + " is no number", expected_table);
  if (!flux)
    throw read_error(file, where + ": the flux " + shown(fields[columns.flux]) + " is no number", expected_table);
  curve.time.push_back(*time);
  curve.flux.push_back(*flux);
}

}  // namespace

LightCurve read_text(std::istream& in, const std::filesystem::path& file) {
  LightCurve curve;
  curve.name = star_of_file(file.filename().string());
  Columns columns;
  bool at_first = true;
  std::string line;
  for (std::size_t line_number = 1; next_line(in, line, file, line_number); ++line_number) {
    const std::string_view text = std::string_view(line).substr(0, line.find('#'));
    const std::vector<std::string_view> fields = split(text);
    if (fields.empty()) continue;
    if (at_first && has_words_only(fields)) {
      columns = columns_of(fields);
    } else {
      add_point(curve, fields, columns, file, line_number);
    }
    at_first = false;
  }
  if (curve.size() == 0) throw read_error(file, "there is no line of data in it", expected_table);
  return curve;
}

LightCurve read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw read_error(file, "it cannot be opened", expected_table);
  return read_text(in, file);
}

}  // namespace transit
