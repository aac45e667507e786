#include "os/program_pages.hpp"

#include "os/memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <link.h>
#include <sys/mman.h>

namespace hotspare::os {
namespace {

constexpr std::size_t most_code = std::size_t{16} << 20;

/// Linux 5.14; where it is refused the pages come when they are touched.
void populate_range(std::uintptr_t start, std::size_t size, int advice) noexcept {
  const std::uintptr_t first = start / page_size() * page_size();
  ::madvise(reinterpret_cast<void*>(first), start + size - first, advice);
}

/// glibc relocates the pointers of the dynamic section where it is writable, as on x86.
std::uintptr_t absolute(ElfW(Addr) base, ElfW(Addr) pointer) noexcept {
  return pointer < base ? base + pointer : pointer;
}

/// The table that lazy binding fills in, one entry at the first call of each function.
void populate_call_table(ElfW(Addr) base, const ElfW(Dyn) * entry) noexcept {
  std::uintptr_t table = 0;
  std::size_t relocations = 0;
  for (; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_PLTGOT) table = absolute(base, entry->d_un.d_ptr);
    if (entry->d_tag == DT_PLTRELSZ) relocations = entry->d_un.d_val;
  }
  constexpr std::size_t reserved = 3;  // the psABI's
  const std::size_t entries = reserved + relocations / sizeof(ElfW(Rela));
  if (table != 0 && relocations != 0) populate_range(table, entries * sizeof(ElfW(Addr)), MADV_POPULATE_WRITE);
}

int populate_module(dl_phdr_info* module, std::size_t, void*) noexcept {
  for (const auto* segment = module->dlpi_phdr; segment != module->dlpi_phdr + module->dlpi_phnum; ++segment) {
    const std::uintptr_t start = module->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0)
      populate_range(start, std::min<std::size_t>(segment->p_memsz, most_code), MADV_POPULATE_READ);
    if (segment->p_type == PT_DYNAMIC)
      populate_call_table(module->dlpi_addr, reinterpret_cast<const ElfW(Dyn)*>(start));
  }
  return 1;  // the first one is the main program
}

int populate_object(dl_phdr_info* module, std::size_t, void*) noexcept {
  for (const auto* segment = module->dlpi_phdr; segment != module->dlpi_phdr + module->dlpi_phnum; ++segment)
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R) != 0)
      populate_range(module->dlpi_addr + segment->p_vaddr, std::min<std::size_t>(segment->p_memsz, most_code),
                     MADV_POPULATE_READ);
  return 0;
}

/// Its own frame is the stack to be.
[[gnu::noinline]] void populate_stack() noexcept {
  constexpr std::size_t size = std::size_t{128} << 10;
  [[maybe_unused]] volatile std::byte room[size];
  for (std::size_t at = 0; at < size; at += page_size()) room[at] = std::byte{0};
}

}  // namespace

void populate_all_objects() noexcept {
  ::dl_iterate_phdr(&populate_object, nullptr);
  populate_stack();
}

void populate_program() noexcept { ::dl_iterate_phdr(&populate_module, nullptr); }

}  // namespace hotspare::os
