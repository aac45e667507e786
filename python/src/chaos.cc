#include "chaos.hpp"

#include <hotspare/chaos.hpp>

#include <nanobind/stl/string_view.h>

namespace hotspare::python {
namespace {

using chaos::Chaos;
using chaos::How;

/// ValueError for what the caller wrote.
template <class Call>
auto as_value_error(Call call) {
  try {
    return call();
  } catch (const Error& error) {
    throw nb::value_error(error.what());
  }
}

Chaos from_text(std::string_view text) {
  return as_value_error([&] { return Chaos::from_text(text); });
}

nb::tuple names_of(chaos::Hows hows) {
  nb::list names;
  for (unsigned way = 0; way < chaos::ways; ++way)
    if (hows.contains(static_cast<How>(way))) names.append(nb::cast(chaos::name(static_cast<How>(way))));
  return nb::tuple(names);
}

nb::tuple fields_of(const Chaos& chaos) {
  return nb::make_tuple(chaos.seed, chaos.rate, chaos.every, names_of(chaos.how), chaos.attempts, chaos.bytes);
}

nb::object choose(std::string_view text, std::uint64_t key) {
  const auto how = from_text(text).choose(key);
  return how ? nb::cast(chaos::name(*how)) : nb::none();
}

void strike(std::string_view how, std::uint64_t bytes) {
  for (unsigned way = 0; way < chaos::ways; ++way)
    if (how == chaos::name(static_cast<How>(way))) return chaos::strike(static_cast<How>(way), bytes);
  throw nb::value_error("no such way to strike");
}

std::uint64_t hash(const nb::bytes& bytes) { return chaos::hash({bytes.c_str(), bytes.size()}); }

}  // namespace

void define_chaos(nb::module_& module) {
  module.def("chaos_ways", [] {
    chaos::Hows all;
    for (unsigned way = 0; way < chaos::ways; ++way) all.add(static_cast<How>(way));
    return names_of(all);
  });
  module.def(
      "chaos_from_text", [](std::string_view text) { return fields_of(from_text(text)); }, nb::arg("text"));
  module.def("chaos_choose", choose, nb::arg("text"), nb::arg("key"));
  module.def("chaos_strike", strike, nb::arg("how"), nb::arg("bytes"));
  module.def("chaos_hash", hash, nb::arg("bytes"));
}

}  // namespace hotspare::python
