#include "chaos/registry_victim.hpp"

#include <cstring>

namespace hotspare::testing {

void fill(Segment& segment, char byte) { std::memset(segment.bytes().data(), byte, segment.bytes().size()); }

std::string Victim::run() {
  for (;;) {
    try {
      step(static_cast<Step>(any(static_cast<int>(Step::count))));
    } catch (const RegistryError& error) {
      // The names are contested, a remover may be stopped; anything else is a registry that cannot be read.
      const bool expected = error.problem() == RegistryProblem::exists || error.problem() == RegistryProblem::absent ||
                            error.problem() == RegistryProblem::busy;
      if (!expected) return error.what();
    }
    if (std::string wrong = what_is_wrong(); !wrong.empty()) return wrong;
  }
}

void Victim::step(Step step) {
  switch (step) {
    case Step::create: return create();
    case Step::open: return open();
    case Step::rename: return rename();
    case Step::resize: return resize();
    case Step::drop: return drop();
    case Step::collect: registry_.collect(); return;
    case Step::list: registry_.list(); return;
    case Step::count: return;
  }
}

Segment Victim::make(const std::string& name) try {
  return registry_.create(name, static_cast<std::size_t>(any(100'000)));
} catch (const RegistryError& error) {
  if (error.problem() == RegistryProblem::absent)
    throw Error(std::string("removed while it was created: ") + error.what());
  throw;
}

void Victim::create() {
  if (own_.size() >= 3) return;
  const std::string name = contested(any(contested_names));
  Segment segment = make(name);
  const char byte = static_cast<char>('A' + any(26));
  fill(segment, byte);
  own_.push_back({std::move(segment), name, byte});
}

void Victim::open() {
  if (others_.size() >= 3) others_.clear();
  const bool one_that_is_kept = any(2) == 0;
  const int i = any(kept_names);
  Segment segment = registry_.open(one_that_is_kept ? kept(i) : contested(any(contested_names)));
  if (one_that_is_kept && !all_are(segment, kept(i).back())) throw Error(kept(i) + " was changed");
  others_.push_back(std::move(segment));
}

void Victim::rename() {
  if (own_.empty()) return;
  Own& one = own_[static_cast<std::size_t>(any(static_cast<int>(own_.size())))];
  const std::string name = contested(any(contested_names));
  one.segment.rename(name);
  one.name = name;
}

void Victim::resize() {
  if (own_.empty()) return;
  Own& one = own_[static_cast<std::size_t>(any(static_cast<int>(own_.size())))];
  const std::size_t before = one.segment.bytes().size();
  one.segment.resize(static_cast<std::size_t>(any(100'000)));
  for (std::size_t i = before; i < one.segment.bytes().size(); ++i)
    if (one.segment.bytes()[i] != std::byte{0}) throw Error(one.name + " grew by bytes that are not zero");
  fill(one.segment, one.byte);
}

void Victim::drop() {
  if (!own_.empty()) own_.erase(own_.begin() + any(static_cast<int>(own_.size())));
}

std::string Victim::what_is_wrong() {
  for (const Own& one : own_) {
    if (one.segment.name() != one.name) return one.name + " is called '" + one.segment.name() + "' though it is in use";
    if (!all_are(one.segment, one.byte)) return one.name + " was changed";
    if (!all_are(registry_.open(one.name), one.byte)) return one.name + " is the name of something else";
  }
  for (const Segment& other : others_)
    if (other.name().empty()) return "a segment has lost its name though it is in use";
  return {};
}

}  // namespace hotspare::testing
