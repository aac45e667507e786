#include "journal/sha256.hpp"

#include <hotspare/error.hpp>

#include <openssl/evp.h>

namespace hotspare::journal {
namespace {

/// Fetched once: OpenSSL takes longer to look an algorithm up than to hash a small record.
const EVP_MD* algorithm() {
  static const EVP_MD* const it = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return it;
}

/// Where OpenSSL is told so by its configuration, or has no memory, it refuses.
void need(bool done) {
  if (!done) throw Error("SHA-256 is not to be had from OpenSSL (see OPENSSL_CONF, and memory)");
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  need(context_ != nullptr);
  begin();
}
Sha256::Sha256(const Sha256& other) : context_(EVP_MD_CTX_new()) {
  need(context_ != nullptr && EVP_MD_CTX_copy_ex(context_, other.context_) == 1);
}
Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::begin() { need(EVP_DigestInit_ex(context_, algorithm(), nullptr) == 1); }

void Sha256::add(std::span<const std::byte> bytes) {
  need(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

void Sha256::add(std::uint64_t number) {
  std::array<std::byte, 8> little;
  for (std::byte& each : little) {
    each = static_cast<std::byte>(number & 0xff);
    number >>= 8;
  }
  add(little);
}

Digest Sha256::finish() {
  Digest digest;
  need(EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
  begin();
  return digest;
}

std::string hex(const Digest& digest) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte each : digest) {
    text += digits[static_cast<unsigned>(each) >> 4];
    text += digits[static_cast<unsigned>(each) & 15];
  }
  return text;
}

}  // namespace hotspare::journal
