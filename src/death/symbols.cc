#include "death/symbols.hpp"

#include "death/demangle.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstdlib>
#include <memory>

namespace hotspare::death {
namespace {

struct Source {
  std::string file;
  int line = 0;
};

/// The compilation unit of an address, and the address as its debug information counts.
struct Unit {
  Dwarf_Die* die = nullptr;
  Dwarf_Addr address = 0;
};

Unit find_unit(Dwfl_Module* module, std::uint64_t address) {
  Dwarf_Addr bias = 0;
  if (Dwarf_Die* die = ::dwfl_module_addrdie(module, address, &bias)) return {die, address - bias};
  // Clang writes no table from addresses to units by default: ask each one.
  for (Dwarf_Die* die = nullptr; (die = ::dwfl_module_nextcu(module, die, &bias)) != nullptr;) {
    if (::dwarf_haspc(die, address - bias) == 1) return {die, address - bias};
  }
  return {};
}

Source source_of(const Unit& unit) {
  Dwarf_Line* const line = ::dwarf_getsrc_die(unit.die, unit.address);
  Source source;
  const char* const file = line != nullptr ? ::dwarf_linesrc(line, nullptr, nullptr) : nullptr;
  if (file == nullptr || ::dwarf_lineno(line, &source.line) != 0) return {};
  source.file = file;
  return source;
}

std::string function_of(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned int tag : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (::dwarf_attr_integrate(die, tag, &attribute) == nullptr) continue;
    if (const char* name = ::dwarf_formstring(&attribute)) return demangle(name);
  }
  const char* const name = ::dwarf_diename(die);
  return name != nullptr ? name : "";
}

Dwarf_Word number_of(Dwarf_Die* die, unsigned int tag) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (::dwarf_attr(die, tag, &attribute) != nullptr) ::dwarf_formudata(&attribute, &value);
  return value;
}

/// Where the inlined function was called.
Source call_site_of(Dwarf_Die* inlined, Dwarf_Die* unit) {
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  const Dwarf_Word index = number_of(inlined, DW_AT_call_file);
  if (::dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count) return {};
  const char* const file = ::dwarf_filesrc(files, index, nullptr, nullptr);
  return {file != nullptr ? file : "", static_cast<int>(number_of(inlined, DW_AT_call_line))};
}

/// Frees what dwarf_getscopes() gave.
using Scopes = std::unique_ptr<Dwarf_Die[], void (*)(void*)>;

/// The lexical scopes that physically hold the address, innermost first.
Scopes scopes_of(const Unit& unit, int& count) {
  Dwarf_Die* found = nullptr;
  count = ::dwarf_getscopes(unit.die, unit.address, &found);
  const Scopes innermost(found, std::free);
  if (count <= 0) return Scopes(nullptr, std::free);
  // The outer scopes of an inlined function are by now those of its definition; we want those of its caller.
  Dwarf_Die* physical = nullptr;
  count = ::dwarf_getscopes_die(&innermost[0], &physical);
  return Scopes(physical, std::free);
}

/// Appends a frame per inlined function; leaves in `frame` what remains, the function that was really called.
void append_inlined(const Unit& unit, Frame& frame, std::vector<Frame>& frames) {
  int count = 0;
  const Scopes scopes = scopes_of(unit, count);
  for (int i = 0; i < count; ++i) {
    Dwarf_Die* const scope = &scopes[static_cast<std::size_t>(i)];
    const int tag = ::dwarf_tag(scope);
    if (tag == DW_TAG_subprogram) {
      // The symbol's name comes first: that of a function in an anonymous namespace is all there is of its scope.
      if (frame.function.empty()) frame.function = function_of(scope);
      return;
    }
    if (tag != DW_TAG_inlined_subroutine) continue;
    frames.push_back(frame);
    frames.back().function = function_of(scope);
    Source site = call_site_of(scope, unit.die);
    frame.file = std::move(site.file);
    frame.line = site.line;
  }
}

/// What the map alone tells.
Frame bare_frame(const DebugSession& session, Pc pc, std::uint64_t lookup) {
  Frame frame;
  frame.address = pc.address;
  if (const MappedCode* code = find_code(session.map(), lookup)) {
    frame.module = code->path;
    frame.offset = pc.address - code->start + code->offset;
  }
  return frame;
}

}  // namespace

void append_frames(DebugSession& session, Pc pc, std::vector<Frame>& frames) {
  const std::uint64_t lookup = pc.is_call && pc.address != 0 ? pc.address - 1 : pc.address;
  Frame frame = bare_frame(session, pc, lookup);
  Dwfl_Module* const module = session.dwfl() != nullptr ? ::dwfl_addrmodule(session.dwfl(), lookup) : nullptr;
  // A module spans the gaps between its segments too; code is only where something executable is mapped.
  if (module != nullptr && !frame.module.empty()) {
    GElf_Addr bias = 0;
    if (::dwfl_module_getelf(module, &bias) != nullptr) frame.offset = pc.address - bias;
    GElf_Off offset = 0;
    GElf_Sym symbol;
    frame.function = demangle(::dwfl_module_addrinfo(module, lookup, &offset, &symbol, nullptr, nullptr, nullptr));
    if (const Unit unit = find_unit(module, lookup); unit.die != nullptr) {
      Source source = source_of(unit);
      frame.file = std::move(source.file);
      frame.line = source.line;
      append_inlined(unit, frame, frames);
    }
  }
  frames.push_back(std::move(frame));
}

}  // namespace hotspare::death
