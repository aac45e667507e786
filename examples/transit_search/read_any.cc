#include "read_any.hpp"

#include "cleaning.hpp"
#include "read_error.hpp"
#include "read_fits.hpp"
#include "read_text.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace transit {

namespace {

constexpr const char* expected_any = "a light curve as FITS table or as text";

void require_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto kind = std::filesystem::status(file, error).type();
  if (kind == std::filesystem::file_type::not_found) throw read_error(file, "there is no such file", expected_any);
  if (kind == std::filesystem::file_type::directory) throw read_error(file, "it is a folder", expected_any);
  // A FIFO or a device might never give its first byte.
  if (kind != std::filesystem::file_type::regular) throw read_error(file, "it is no regular file", expected_any);
}

/// The first bytes, enough to tell the kind.
std::string head_of(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw read_error(file, std::string("it cannot be opened: ") + std::strerror(errno), expected_any);
  std::string head(512, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  return head;
}

bool is_binary(const std::string& head) {
  for (const char c : head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 127 || (byte < 32 && c != '\n' && c != '\r' && c != '\t')) return true;
  }
  return false;
}

}  // namespace

LightCurve read_any(const std::string& file) {
  require_file(file);
  const std::string head = head_of(file);
  if (head.empty()) throw read_error(file, "it is empty", expected_any);
  if (head.starts_with("SIMPLE  =")) return read_fits(file);
  if (head.starts_with("\x1f\x8b")) throw read_error(file, "it is compressed (gzip)", expected_any);
  if (is_binary(head)) throw read_error(file, "it holds bytes that are neither FITS nor text", expected_any);
  return read_text(file);
}

LightCurve read_clean(const std::string& file) {
  const LightCurve raw = read_any(file);
  try {
    return cleaned(raw);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(file + ": " + error.what());
  }
}

}  // namespace transit
