#include "death/find_debuginfo.hpp"

#include "os/fd.hpp"
#include "os/regular_file.hpp"

#include <sys/auxv.h>

#include <cstring>
#include <elf.h>
#include <string>

namespace hotspare::death {
namespace {

/// The vDSO has no file. It is the same in every process of this kernel, so ours will do.
Elf* own_vdso() {
  const auto address = ::getauxval(AT_SYSINFO_EHDR);
  if (address == 0) return nullptr;
  Elf64_Ehdr header;
  std::memcpy(&header, reinterpret_cast<const void*>(address), sizeof header);
  const std::size_t size = header.e_shoff + std::size_t{header.e_shnum} * header.e_shentsize;
  return ::elf_memory(reinterpret_cast<char*>(address), size);
}

/// The image, mapped whole, so that its file need not stay open.
Elf* mapped_elf(const os::Fd& file) {
  Elf* elf = file ? ::elf_begin(file.get(), ELF_C_READ_MMAP_PRIVATE, nullptr) : nullptr;
  if (elf != nullptr && ::elf_cntl(elf, ELF_C_FDREAD) != 0) {
    ::elf_end(elf);
    return nullptr;
  }
  return elf;
}

int find_elf(Dwfl_Module*, void**, const char* name, Dwarf_Addr, char** found, Elf** elf) {
  if (std::strcmp(name, "[vdso]") == 0) {
    *elf = own_vdso();
  } else {
    *elf = mapped_elf(os::open_regular_file(name));
    if (*elf != nullptr) *found = ::strdup(name);
  }
  return -1;  // no descriptor
}

/// The places where a debugger looks, see "Separate Debug Files" in the manual of GDB.
int find_by_debuglink(const std::string& image, const std::string& link, char** found) {
  const std::string folder = image.substr(0, image.rfind('/') + 1);
  const std::string places[] = {folder + link, folder + ".debug/" + link, "/usr/lib/debug" + folder + link};
  for (const std::string& path : places) {
    if (path == image) continue;
    os::Fd file = os::open_regular_file(path);
    if (!file) continue;
    *found = ::strdup(path.c_str());
    return file.release();
  }
  return -1;
}

int find_debuginfo(Dwfl_Module* module, void** userdata, const char* name, Dwarf_Addr base, const char* image,
                   const char* link, GElf_Word crc, char** found) {
  os::Fd file(::dwfl_build_id_find_debuginfo(module, userdata, name, base, image, link, crc, found));
  // libdw keeps it open as long as it knows the module; programs that the host starts need not inherit it.
  if (file) os::close_on_exec(file);
  if (file || image == nullptr || link == nullptr || image[0] != '/') return file.release();
  return find_by_debuglink(image, link, found);
}

// "-": no check sums over whole files. libdwfl compares build ids instead.
char path_text[] = "-:.debug:/usr/lib/debug";
char* path = path_text;

}  // namespace

const Dwfl_Callbacks& local_files_only() {
  static const Dwfl_Callbacks callbacks = {find_elf, find_debuginfo, ::dwfl_offline_section_address, &path};
  return callbacks;
}

}  // namespace hotspare::death
