#include "death/symbols.hpp"

#include "death/demangle.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <utility>

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

/// The first child of `parent` with tag `wanted` that holds the address; looks into children with tag `through` as well.
/// Not dwarf_getscopes(): that does not look into namespaces, which is where Clang puts functions.
bool find_child(Dwarf_Die parent, Dwarf_Addr address, int wanted, int through, Dwarf_Die& found) {
  Dwarf_Die child;
  for (int more = ::dwarf_child(&parent, &child); more == 0; more = ::dwarf_siblingof(&child, &child)) {
    const int tag = ::dwarf_tag(&child);
    if (tag == through && find_child(child, address, wanted, through, found)) return true;
    if (tag != wanted || ::dwarf_haspc(&child, address) != 1) continue;
    found = child;
    return true;
  }
  return false;
}

/// The function that holds the address, then what was inlined there, each within the one before.
std::vector<Dwarf_Die> functions_at(const Unit& unit) {
  std::vector<Dwarf_Die> functions;
  Dwarf_Die scope;
  bool more = find_child(*unit.die, unit.address, DW_TAG_subprogram, DW_TAG_namespace, scope);
  while (more) {
    functions.push_back(scope);
    more = find_child(scope, unit.address, DW_TAG_inlined_subroutine, DW_TAG_lexical_block, scope);
  }
  return functions;
}

/// Appends a frame per inlined function; leaves in `frame` what remains, the function that was really called.
void append_inlined(const Unit& unit, Frame& frame, std::vector<Frame>& frames) {
  std::vector<Dwarf_Die> functions = functions_at(unit);
  if (functions.empty()) return;
  for (std::size_t i = functions.size(); --i > 0;) {
    frames.push_back(frame);
    frames.back().function = function_of(&functions[i]);
    Source site = call_site_of(&functions[i], unit.die);
    frame.file = std::move(site.file);
    frame.line = site.line;
  }
  // The symbol's name comes first: that of a function in an anonymous namespace is all there is of its scope.
  if (frame.function.empty()) frame.function = function_of(&functions[0]);
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

std::vector<Frame> frames_at(DebugSession& session, Pc pc) {
  std::vector<Frame> frames;
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
  return frames;
}

}  // namespace

void append_frames(DebugSession& session, Pc pc, std::vector<Frame>& frames) {
  constexpr std::size_t kMost = 4096;
  auto& known = session.known_frames;
  auto at = known.find({pc.address, pc.is_call});
  if (at == known.end()) {
    if (known.size() >= kMost) known.clear();
    at = known.emplace(std::pair(pc.address, pc.is_call), frames_at(session, pc)).first;
  }
  frames.insert(frames.end(), at->second.begin(), at->second.end());
}

}  // namespace hotspare::death
