#include "death/debug_session.hpp"

#include "death/find_debuginfo.hpp"
#include "os/regular_file.hpp"

#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <set>

namespace hotspare::death {
namespace {

constexpr pid_t kThread = 1;  // libdw wants a number, any will do

pid_t next_thread(Dwfl*, void* walk, void** thread) {
  if (*thread != nullptr) return 0;
  *thread = walk;
  return kThread;
}

bool get_thread(Dwfl*, pid_t id, void* walk, void** thread) {
  *thread = walk;
  return id == kThread;
}

bool read_stack(const detail::StackImage& image, std::uint64_t address, Dwarf_Word& word) {
  if (address < image.stack_start) return false;
  const std::uint64_t offset = address - image.stack_start;
  if (offset >= image.stack.size() || image.stack.size() - offset < sizeof word) return false;
  std::memcpy(&word, image.stack.data() + offset, sizeof word);
  return true;
}

bool memory_read(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* walk) {
  return read_stack(*static_cast<DebugSession::Walk*>(walk)->image, address, *word);
}

bool set_initial_registers(Dwfl_Thread* thread, void* arg) {
  const os::Registers& registers = static_cast<DebugSession::Walk*>(arg)->registers;
  if (!::dwfl_thread_state_registers(thread, 0, registers.count, registers.values.data())) return false;
  ::dwfl_thread_state_register_pc(thread, registers.pc);
  return true;
}

constexpr Dwfl_Thread_Callbacks kCallbacks = {next_thread,           get_thread, memory_read,
                                              set_initial_registers, nullptr,    nullptr};

struct Found {
  std::vector<Pc>* frames;
  std::size_t limit;
};

int add_frame(Dwfl_Frame* frame, void* arg) {
  Found& found = *static_cast<Found*>(arg);
  Dwarf_Addr pc = 0;
  bool is_activation = false;
  if (!::dwfl_frame_pc(frame, &pc, &is_activation) || pc == 0) return DWARF_CB_ABORT;
  if (found.frames->size() >= found.limit) return DWARF_CB_ABORT;
  found.frames->push_back({pc, !is_activation});
  return DWARF_CB_OK;
}

/// Where the whole image lies, told by the segment that one of its mappings shows.
struct ImageRange {
  std::uint64_t low = 0;  ///< Of its first segment, as libdwfl counts: rounded down to the segment's alignment.
  std::uint64_t high = 0;
};

std::optional<ImageRange> image_range(int file, const MappedCode& code) {
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(::elf_begin(file, ELF_C_READ_MMAP, nullptr), ::elf_end);
  std::size_t count = 0;
  if (!elf || ::elf_kind(elf.get()) != ELF_K_ELF || ::elf_getphdrnum(elf.get(), &count) != 0) return std::nullopt;
  std::optional<std::uint64_t> bias;
  std::optional<std::uint64_t> first;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (::gelf_getphdr(elf.get(), static_cast<int>(i), &segment) == nullptr || segment.p_type != PT_LOAD) continue;
    // The loader maps whole pages, so the mapping may begin a little before its segment.
    const std::uint64_t page = std::max<std::uint64_t>(segment.p_align, 1);
    if (!first) first = segment.p_vaddr - segment.p_vaddr % page;
    last = segment.p_vaddr + segment.p_memsz;
    const std::uint64_t begin = segment.p_offset - segment.p_offset % page;
    if (bias || (segment.p_flags & PF_X) == 0 || code.offset < begin) continue;
    if (code.offset >= segment.p_offset + segment.p_filesz) continue;
    bias = code.start - (segment.p_vaddr + (code.offset - segment.p_offset));
  }
  if (!bias || !first) return std::nullopt;
  return ImageRange{*bias + *first, *bias + last};
}

/// The call went to an address where no code is, most often null: the return address lies where the call put it.
bool return_from_nowhere(DebugSession::Walk& walk) {
  os::Registers& registers = walk.registers;
#if defined(__x86_64__)
  if (!read_stack(*walk.image, registers.sp, registers.pc)) return false;
  registers.sp += 8;
  registers.values[os::kStackPointer] = registers.sp;
  registers.values[os::kProgramCounter] = registers.pc;
#else
  registers.pc = registers.values[os::kLinkRegister];
#endif
  return true;
}

}  // namespace

DebugSession::DebugSession(const std::string& maps)
    : map_(parse_maps(maps)), dwfl_(::dwfl_begin(&local_files_only())), walk_(std::make_unique<Walk>()) {
  if (!dwfl_) return;
  report_modules();
  can_walk_ = ::dwfl_attach_state(dwfl_.get(), nullptr, kThread, &kCallbacks, walk_.get());
}

void DebugSession::report_modules() {
  ::elf_version(EV_CURRENT);
  ::dwfl_report_begin(dwfl_.get());
  std::set<std::string> seen;  // a file may be mapped in several pieces: the first one tells where all of it is
  for (const MappedCode& code : map_) {
    if (code.path == "[vdso]") ::dwfl_report_module(dwfl_.get(), "[vdso]", code.start, code.end);
    if (!code.is_file() || !seen.insert(code.path).second) continue;
    const os::Fd file = os::open_regular_file(code.path);
    if (!file) continue;
    // The file itself is opened by local_files_only() when it is needed, and not kept open: a session is cached, and a
    // pool that has seen deaths must not hold more descriptors than one that has not.
    if (const auto range = image_range(file.get(), code))
      ::dwfl_report_module(dwfl_.get(), code.path.c_str(), range->low, range->high);
  }
  ::dwfl_report_end(dwfl_.get(), nullptr, nullptr);
}

std::vector<Pc> DebugSession::walk(const detail::StackImage& image, std::size_t limit) {
  std::vector<Pc> frames;
  if (limit == 0) return frames;
  *walk_ = {&image, image.registers};
  const bool nowhere = find_code(map_, image.registers.pc) == nullptr;
  if (nowhere) {
    frames.push_back({image.registers.pc, false});
    if (!return_from_nowhere(*walk_)) return frames;
  }
  Found found{&frames, limit};
  const std::size_t first = frames.size();
  if (can_walk_) ::dwfl_getthread_frames(dwfl_.get(), kThread, add_frame, &found);
  if (nowhere && frames.size() > first) frames[first].is_call = true;
  if (frames.empty()) frames.push_back({image.registers.pc, false});
  walk_->image = nullptr;
  return frames;
}

void with_session(const std::string& maps, const std::function<void(DebugSession&)>& use) {
  struct Kept {
    std::string maps;
    std::unique_ptr<DebugSession> session;
  };
  struct Cache {
    std::mutex mutex;
    std::list<Kept> kept;  // the latest used first
  };
  constexpr std::size_t kMost = 4;
  // Never destroyed: a report may be read while static objects are torn down.
  static Cache& cache = *new Cache;
  const std::lock_guard lock(cache.mutex);
  auto at = std::find_if(cache.kept.begin(), cache.kept.end(), [&](const Kept& kept) { return kept.maps == maps; });
  if (at == cache.kept.end()) {
    cache.kept.push_front({maps, std::make_unique<DebugSession>(maps)});
    if (cache.kept.size() > kMost) cache.kept.pop_back();
  } else {
    cache.kept.splice(cache.kept.begin(), cache.kept, at);
  }
  use(*cache.kept.front().session);
}

}  // namespace hotspare::death
