#include "journal/record.hpp"

#include <algorithm>

namespace hotspare::journal {

Digest checksum(Sha256& sha, const Record& record) {
  sha.add("hotspare record 1");
  sha.add(static_cast<std::uint64_t>(record.number));
  sha.add(static_cast<std::uint64_t>(record.kind));
  sha.add(static_cast<std::uint64_t>(record.form.bits()));
  sha.add(record.key);
  sha.add_sized(record.body);
  return sha.finish();
}

std::optional<Record> verified(Sha256& sha, const RawRecord& raw) {
  Record record;
  if (raw.number < 1 || raw.kind < 1 || raw.kind > highest_kind || raw.form < 0 || raw.form > Form::highest)
    return std::nullopt;
  if (raw.key.size() != record.key.size() || raw.sum.size() != sizeof(Digest)) return std::nullopt;
  record.number = raw.number;
  std::copy(raw.key.begin(), raw.key.end(), record.key.begin());
  record.kind = static_cast<Kind>(raw.kind);
  record.form = Form::of(raw.form);
  record.body = raw.body;
  const Digest sum = checksum(sha, record);
  if (!std::equal(sum.begin(), sum.end(), raw.sum.begin())) return std::nullopt;
  return record;
}

}  // namespace hotspare::journal
