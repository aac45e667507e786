#include "os/registers.hpp"

namespace hotspare::os {

#if defined(__x86_64__)

Registers registers_of(const ucontext_t& context) noexcept {
  constexpr int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                           REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  Registers result;
  for (const int index : order) {
    result.values[result.count++] = static_cast<std::uint64_t>(context.uc_mcontext.gregs[index]);
  }
  result.pc = result.values[kProgramCounter];
  result.sp = result.values[kStackPointer];
  return result;
}

Registers registers_of(const KernelRegisters& raw) noexcept {
  Registers result;
  result.values = {raw.rax, raw.rdx, raw.rcx, raw.rbx, raw.rsi, raw.rdi, raw.rbp, raw.rsp, raw.r8,
                   raw.r9,  raw.r10, raw.r11, raw.r12, raw.r13, raw.r14, raw.r15, raw.rip};
  result.count = 17;
  result.pc = raw.rip;
  result.sp = raw.rsp;
  return result;
}

void point_at(KernelRegisters& raw, std::uint64_t function) noexcept {
  constexpr std::uint64_t red_zone = 128;  // below the stack pointer, in use without a word (System V psABI 3.2.2)
  constexpr std::uint64_t direction_flag = 0x400;
  raw.rsp = ((raw.rsp - red_zone) & ~std::uint64_t{15}) - 8;  // as after a call instruction
  raw.rip = function;
  raw.rax = 0;
  raw.orig_rax = ~std::uint64_t{0};  // it is in no system call that the kernel would begin anew
  raw.eflags &= ~direction_flag;
}

#else

void point_at(KernelRegisters& raw, std::uint64_t function) noexcept {
  raw.sp &= ~std::uint64_t{15};
  raw.pc = function;
  raw.regs[29] = raw.regs[30] = 0;
  raw.regs[0] = 0;  // no error of a system call, which the kernel would begin anew
}

Registers registers_of(const ucontext_t& context) noexcept {
  Registers result;
  for (std::uint32_t i = 0; i <= kLinkRegister; ++i) result.values[i] = context.uc_mcontext.regs[i];
  result.values[kStackPointer] = context.uc_mcontext.sp;
  result.count = kStackPointer + 1;
  result.pc = context.uc_mcontext.pc;
  result.sp = context.uc_mcontext.sp;
  return result;
}

Registers registers_of(const KernelRegisters& raw) noexcept {
  Registers result;
  for (std::uint32_t i = 0; i <= kLinkRegister; ++i) result.values[i] = raw.regs[i];
  result.values[kStackPointer] = raw.sp;
  result.count = kStackPointer + 1;
  result.pc = raw.pc;
  result.sp = raw.sp;
  return result;
}

#endif

}  // namespace hotspare::os
