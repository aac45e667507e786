#include <hotspare/detail/task_ref.hpp>

#include <hotspare/error.hpp>

#include <algorithm>
#include <cstring>
#include <link.h>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

/// Code addresses that hold in another process image: the module, told by its build id and name, and the offset in it.
namespace hotspare::detail {
namespace {

struct Module {
  std::uint64_t key = 0;
  std::uint64_t base = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::string name;
};

/// FNV-1a (Fowler, Noll & Vo 1991), 64 bit: to tell modules apart, not to resist anybody.
std::uint64_t hash(std::uint64_t state, const void* bytes, std::size_t size) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) state = (state ^ at[i]) * 0x100000001b3;
  return state;
}

std::uint64_t hash_build_id(std::uint64_t state, const dl_phdr_info& info, const ElfW(Phdr) & note) {
  const auto* at = reinterpret_cast<const char*>(info.dlpi_addr + note.p_vaddr);
  const char* end = at + note.p_memsz;
  const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) header;
    std::memcpy(&header, at, sizeof header);
    const char* descriptor = at + sizeof header + padded(header.n_namesz);
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(at + sizeof header, "GNU", 4) == 0)
      return hash(state, descriptor, header.n_descsz);
    at = descriptor + padded(header.n_descsz);
  }
  return state;
}

int add_module(dl_phdr_info* info, std::size_t, void* into) {
  Module module;
  module.name = info->dlpi_name;
  module.base = info->dlpi_addr;
  module.low = ~std::uint64_t{0};
  std::uint64_t state = hash(0xcbf29ce484222325, module.name.data(), module.name.size());
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type == PT_NOTE) state = hash_build_id(state, *info, header);
    if (header.p_type != PT_LOAD) continue;
    module.low = std::min<std::uint64_t>(module.low, info->dlpi_addr + header.p_vaddr);
    module.high = std::max<std::uint64_t>(module.high, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  module.key = state | 1;  // 0 means: no function
  static_cast<std::vector<Module>*>(into)->push_back(std::move(module));
  return 0;
}

/// The modules loaded now. Filled again when something is looked for in vain: a library may have come since.
class Modules {
 public:
  template <class Predicate>
  const Module* find(Predicate wanted) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto found = std::find_if(all_.begin(), all_.end(), wanted);
      if (found != all_.end()) return &*found;
      all_.clear();
      ::dl_iterate_phdr(add_module, &all_);
    }
    return nullptr;
  }
  std::mutex mutex;

 private:
  std::vector<Module> all_;
};

Modules& modules() {
  static auto* const it = new Modules;  // never destroyed: tasks may run while the program ends
  return *it;
}

}  // namespace

FunctionRef locate(const void* address) {
  const auto at = reinterpret_cast<std::uint64_t>(address);
  std::lock_guard lock(modules().mutex);
  const Module* module = modules().find([at](const Module& each) { return at >= each.low && at < each.high; });
  if (module == nullptr)
    throw Error("a task's code lies in no loaded module: generated code cannot be sent to a worker");
  return {module->key, at - module->base};
}

void* resolve(FunctionRef reference) {
  // The same few modules again and again: one remembered per thread makes this an addition.
  thread_local std::uint64_t last_key = 0;
  thread_local std::uint64_t last_base = 0;
  thread_local std::uint64_t last_size = 0;
  if (reference.module != last_key) {
    std::lock_guard lock(modules().mutex);
    const Module* module = modules().find([&](const Module& each) { return each.key == reference.module; });
    if (module == nullptr)
      throw Error(
          "the task's code lies in a module that this worker has not loaded: a library that the host loaded "
          "after the pool was made, or has replaced by another build since");
    last_key = module->key;
    last_base = module->base;
    last_size = module->high - module->base;
  }
  if (reference.offset >= last_size) throw Error("the task's code lies outside its module");
  return reinterpret_cast<void*>(last_base + reference.offset);
}

}  // namespace hotspare::detail
