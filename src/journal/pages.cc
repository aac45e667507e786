#include "journal/pages.hpp"

#include "journal/layout.hpp"
#include "os/file.hpp"

#include <algorithm>
#include <bit>
#include <memory>

namespace hotspare::journal {
namespace {

constexpr std::size_t wal_header = 32;
constexpr std::size_t frame_header = 24;
/// Larger values are in files of their own; what announces more is no row of ours.
constexpr std::uint64_t longest_payload = 4 << 20;

std::uint32_t believable(std::uint32_t page_size) {
  return page_size >= 512 && page_size <= 65536 && std::has_single_bit(page_size) ? page_size : 0;
}

/// SQLite's numbers of variable length. Nothing if the bytes end before it does.
std::optional<std::uint64_t> varint(std::span<const std::byte> bytes, std::size_t& at) {
  std::uint64_t number = 0;
  for (int i = 0; i < 9; ++i) {
    if (at >= bytes.size()) return std::nullopt;
    const auto byte = std::to_integer<std::uint64_t>(bytes[at++]);
    if (i == 8) return number << 8 | byte;
    number = number << 7 | (byte & 0x7f);
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

/// Bytes of a column by its serial type; nothing for those that no row of ours has.
std::optional<std::size_t> width(std::uint64_t type) {
  static constexpr std::array<std::size_t, 7> integers{0, 1, 2, 3, 4, 6, 8};
  if (type < integers.size()) return integers[type];
  if (type == 8 || type == 9) return 0;
  if (type >= 12 && type % 2 == 0 && (type - 12) / 2 <= longest_payload)
    return static_cast<std::size_t>((type - 12) / 2);
  return std::nullopt;
}

Column column(std::uint64_t type, std::span<const std::byte> bytes) {
  if (type >= 12) return {true, 0, bytes};
  if (type >= 8) return {false, static_cast<std::int64_t>(type) - 8, {}};
  std::uint64_t number = 0;
  if (!bytes.empty() && std::to_integer<unsigned>(bytes[0]) >= 0x80) number = ~std::uint64_t{0};
  for (const std::byte each : bytes) number = number << 8 | std::to_integer<std::uint64_t>(each);
  return {false, static_cast<std::int64_t>(number), {}};
}

/// Reads the columns out of a whole payload. False if it is none.
bool split(Row& row) {
  const std::span<const std::byte> payload(row.payload);
  std::size_t at = 0;
  const auto header = varint(payload, at);
  if (!header || *header > payload.size() || *header < 2) return false;
  std::size_t body = static_cast<std::size_t>(*header);
  while (at < *header) {
    const auto type = varint(payload, at);
    const auto bytes = type ? width(*type) : std::nullopt;
    if (!bytes || *bytes > payload.size() - body) return false;
    row.columns.push_back(column(*type, payload.subspan(body, *bytes)));
    body += *bytes;
  }
  return body == payload.size();
}

/// A cheap look: does a record's header with a NULL as its first column begin here?
bool promising(std::span<const std::byte> page, std::size_t at) {
  if (at + 2 > page.size()) return false;
  const auto header = std::to_integer<unsigned>(page[at]);
  return header >= 6 && header < 40 && page[at + 1] == std::byte{0};
}

}  // namespace

Pages::Pages(const std::string& database, const std::string& wal) {
  std::array<std::byte, 100> head{};
  const auto open = [&](const std::string& path, os::Fd& fd) -> std::uint64_t {
    auto opened = os::open_for_reading(path);
    if (!opened) return 0;
    fd = std::move(*opened);
    auto facts = os::file_facts(fd);
    auto got = os::read_at(fd, 0, head);
    return facts && got ? facts->size : 0;
  };
  const std::uint64_t database_bytes = open(database, database_);
  const std::uint32_t told = std::to_integer<std::uint32_t>(head[16]) << 8 | std::to_integer<std::uint32_t>(head[17]);
  std::uint32_t by_database = believable(told == 1 ? 65536 : told);
  head = {};
  const std::uint64_t wal_bytes = open(wal, wal_);
  if (const std::uint32_t by_wal = believable(big_endian_32(head.data() + 8)); by_wal != 0) by_database = by_wal;
  if (by_database != 0) size_ = by_database;
  in_database_ = (database_bytes + size_ - 1) / size_;
  for (std::uint64_t at = wal_header; at + frame_header + size_ <= wal_bytes; at += frame_header + size_) {
    std::array<std::byte, 4> number{};
    if (!os::read_at(wal_, at, number)) break;
    frames_.push_back(at + frame_header);
    newest_of_[big_endian_32(number.data())] = frames_.back();
  }
}

std::vector<std::byte> Pages::read(const os::Fd& fd, std::uint64_t offset) const {
  std::vector<std::byte> bytes(size_);
  auto got = os::read_at(fd, offset, bytes);
  bytes.resize(got ? *got : 0);
  return bytes;
}

std::vector<std::byte> Pages::version(std::uint64_t index) const {
  if (index < frames_.size()) return read(wal_, frames_[frames_.size() - 1 - index]);
  return read(database_, (index - frames_.size()) * size_);
}

std::vector<std::byte> Pages::page(std::uint32_t number, bool newest) const {
  if (newest) {
    if (const auto found = newest_of_.find(number); found != newest_of_.end()) return read(wal_, found->second);
  }
  if (number == 0 || number > in_database_) return {};
  return read(database_, std::uint64_t{number - 1} * size_);
}

std::optional<Row> row_at(const Pages& pages, std::span<const std::byte> page, std::size_t at, bool newest) {
  const auto length = varint(page, at);
  if (!length || *length < 8 || *length > longest_payload) return std::nullopt;
  const auto number = varint(page, at);
  if (!number || !promising(page, at)) return std::nullopt;
  Row row;
  row.number = static_cast<std::int64_t>(*number);
  // How much of it stands in the page itself: 2.3.4 of the format.
  const std::size_t usable = pages.size();
  const std::size_t least = (usable - 12) * 32 / 255 - 23;
  const auto all = static_cast<std::size_t>(*length);
  std::size_t here = all;
  if (all > usable - 35) {
    here = least + (all - least) % (usable - 4);
    if (here > usable - 35) here = least;
  }
  const bool goes_on = here < all;
  if (here + (goes_on ? 4 : 0) > page.size() - at) return std::nullopt;
  const auto first = page.subspan(at, here);
  row.payload.assign(first.begin(), first.end());
  std::uint32_t next = goes_on ? big_endian_32(page.data() + at + here) : 0;
  while (row.payload.size() < all) {
    const auto more = next == 0 ? std::vector<std::byte>() : pages.page(next, newest);
    if (more.size() < usable) return std::nullopt;
    const std::size_t part = std::min(usable - 4, all - row.payload.size());
    row.payload.insert(row.payload.end(), more.begin() + 4, more.begin() + 4 + static_cast<std::ptrdiff_t>(part));
    next = big_endian_32(more.data());
  }
  if (!split(row)) return std::nullopt;
  return row;
}

}  // namespace hotspare::journal
