#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace hotspare::journal {

using Digest = std::array<std::byte, 32>;

/// SHA-256 of bytes that come in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256& other);
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }
  void add(std::uint64_t number);
  /// A piece of whatever length, so that no two different rows of pieces give the same bytes.
  void add_sized(std::span<const std::byte> bytes) {
    add(std::uint64_t{bytes.size()});
    add(bytes);
  }
  void add_sized(std::string_view text) { add_sized(std::as_bytes(std::span(text.data(), text.size()))); }
  /// The sum of what was added; afterwards nothing was.
  Digest finish();

 private:
  void begin();
  evp_md_ctx_st* context_;
};

/// 64 digits.
std::string hex(const Digest& digest);

}  // namespace hotspare::journal
