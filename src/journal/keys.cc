#include "death/demangle.hpp"
#include "death/unwind.hpp"
#include "journal/sha256.hpp"

#include <hotspare/detail/batch_core.hpp>

#include <algorithm>

/// Keys say what was asked: version, function, item. Never where in the input it stood.
namespace hotspare::detail {
namespace {

/// "decode(int) (photo.cc:31)" → "decode(int)": a line is moved by every change above it.
std::string without_place(std::string name) {
  const auto open = name.rfind(" (");
  if (open == std::string::npos || !name.ends_with(')')) return name;
  const auto colon = name.rfind(':');
  if (colon == std::string::npos || colon < open) return name;
  const bool line = std::all_of(name.begin() + static_cast<std::ptrdiff_t>(colon) + 1, name.end() - 1,
                                [](char each) { return each >= '0' && each <= '9'; });
  return line ? name.substr(0, open) : name;
}

}  // namespace

struct KeyMaker::State {
  journal::Sha256 prefix;
};

KeyMaker::KeyMaker(std::string_view version, std::string_view function, std::span<const std::byte> captured)
    : state_(std::make_unique<State>()) {
  state_->prefix.add("hotspare key 1");
  state_->prefix.add_sized(version);
  state_->prefix.add_sized(function);
  state_->prefix.add_sized(captured);
}
KeyMaker::~KeyMaker() = default;
KeyMaker::KeyMaker(KeyMaker&&) noexcept = default;
KeyMaker& KeyMaker::operator=(KeyMaker&&) noexcept = default;

BatchKey KeyMaker::of(std::span<const std::byte> bytes, bool given, std::span<const Buffer> buffers) const {
  journal::Sha256 sha(state_->prefix);
  sha.add(std::uint64_t{given ? 1U : 0U});
  sha.add_sized(bytes);
  for (const Buffer& buffer : buffers) sha.add_sized(std::span<const std::byte>(buffer.bytes()));
  return sha.finish();
}

std::string function_name(const void* target, const char* type_name) {
  if (target == nullptr) return death::demangle_type(type_name);
  std::string name = without_place(death::describe_address(target));
  if (!name.empty() && !name.starts_with("0x")) return name;
  throw Error(
      "batch: the keys of a journal hold the function's name, and this program was stripped of its symbols: give "
      "BatchOptions::task.name");
}

}  // namespace hotspare::detail
