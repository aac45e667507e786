#pragma once

#include <sys/ucontext.h>
#include <sys/user.h>

#include <array>
#include <cstdint>

namespace hotspare::os {

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "hotspare knows the registers of x86_64 and aarch64 only"
#endif

/// What PTRACE_GETREGSET gives for NT_PRSTATUS.
using KernelRegisters = user_regs_struct;

/// The general registers of one thread in DWARF's numbering, which is what the unwinder asks for
/// (x86_64: System V psABI figure 3.36, aarch64: "DWARF for the Arm 64-bit Architecture" section 4.1).
struct Registers {
  std::array<std::uint64_t, 34> values{};
  std::uint32_t count = 0;
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
};

/// DWARF numbers of the registers that the unwinder must set right by hand.
#if defined(__x86_64__)
inline constexpr std::uint32_t kStackPointer = 7;
inline constexpr std::uint32_t kProgramCounter = 16;
#else
inline constexpr std::uint32_t kStackPointer = 31;
inline constexpr std::uint32_t kLinkRegister = 30;
#endif

/// Async-signal-safe, both.
Registers registers_of(const ucontext_t& context) noexcept;
Registers registers_of(const KernelRegisters& raw) noexcept;

/// As if the thread had just been called to run this function, on its own stack below what it uses there; it has nowhere to
/// return to.
void point_at(KernelRegisters& raw, std::uint64_t function) noexcept;

}  // namespace hotspare::os
