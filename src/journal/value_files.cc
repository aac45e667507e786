#include "journal/value_files.hpp"

#include "journal/errors.hpp"
#include "os/file.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace hotspare::journal {
namespace {

/// A hash, or one with ".new" behind it. Somebody may have put something else into the folder.
bool is_ours(const std::string& name) {
  const bool hash = name.size() >= 64 && name.find_first_not_of("0123456789abcdef") >= 64;
  return hash && (name.size() == 64 || name.substr(64) == ".new");
}

}  // namespace

std::size_t DigestHash::operator()(const Digest& digest) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

std::vector<std::byte> FileName::written() const {
  std::vector<std::byte> body(bytes);
  std::memcpy(body.data(), hash.data(), hash.size());
  std::memcpy(body.data() + hash.size(), &size, sizeof size);
  return body;
}

std::optional<FileName> FileName::read(std::span<const std::byte> body) {
  if (body.size() != bytes) return std::nullopt;
  FileName name;
  std::memcpy(name.hash.data(), body.data(), name.hash.size());
  std::memcpy(&name.size, body.data() + name.hash.size(), sizeof name.size);
  return name;
}

FileName ValueFiles::put(std::span<const std::byte> bytes) {
  Sha256 sha;
  sha.add(bytes);
  const FileName name{sha.finish(), bytes.size()};
  if (get(name)) {
    keep(name);
    return name;
  }
  or_refused(os::create_folder(paths_.values), paths_.journal, "its folder of large values cannot be made");
  const std::string path = path_of(name.hash);
  const std::string unfinished = path + ".new";
  {
    const os::Fd fd = or_refused(os::create_empty(unfinished), paths_.journal, "a large value cannot be written");
    auto written = os::write_at(fd, 0, bytes);
    if (written && power_) written = os::sync_file(fd);
    if (!written) {
      static_cast<void>(os::remove_file(unfinished));  // room for others
      throw_refused(paths_.journal, "a large value cannot be written", written.failure());
    }
  }
  or_refused(os::rename_file(unfinished, path), paths_.journal, "a large value cannot be written");
  unsynced_ = true;
  return name;
}

/// It is there already; but perhaps it was never brought to the disk.
void ValueFiles::keep(const FileName& name) {
  if (!power_) return;
  const os::Fd fd = or_refused(os::open_for_reading(path_of(name.hash)), paths_.journal,
                               "a large value cannot be brought to the disk");
  or_refused(os::sync_file(fd), paths_.journal, "a large value cannot be brought to the disk");
  unsynced_ = true;
}

std::optional<std::vector<std::byte>> ValueFiles::get(const FileName& name) const {
  auto bytes = os::read_whole(path_of(name.hash));
  if (!bytes || bytes->size() != name.size) return std::nullopt;
  Sha256 sha;
  sha.add(*bytes);
  if (sha.finish() != name.hash) return std::nullopt;
  return std::move(*bytes);
}

bool ValueFiles::has(const FileName& name) const {
  auto facts = os::file_facts(path_of(name.hash));
  return facts && facts->exists && facts->size == name.size;
}

void ValueFiles::sync_names() {
  if (!power_ || !std::exchange(unsynced_, false)) return;
  or_refused(os::sync_folder(paths_.values), paths_.journal,
             "its folder of large values cannot be brought to the disk");
  or_refused(os::sync_folder(paths_.folder), paths_.journal, "its folder cannot be brought to the disk");
}

void ValueFiles::sweep(const Digests& named) const {
  std::error_code error;
  std::vector<std::string> known;
  known.reserve(named.size());
  for (const Digest& each : named) known.push_back(hex(each));
  std::sort(known.begin(), known.end());
  for (const auto& entry : std::filesystem::directory_iterator(paths_.values, error)) {
    const std::string name = entry.path().filename().string();
    if (is_ours(name) && !std::binary_search(known.begin(), known.end(), name))
      static_cast<void>(os::remove_file(entry.path().string()));
  }
  if (named.empty()) std::filesystem::remove(paths_.values, error);  // unless something is left in it
}

}  // namespace hotspare::journal
