#include "death/signal_name.hpp"

#include <signal.h>
#include <string.h>

namespace hotspare::death {

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal)) return std::string("SIG") + name;
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
  return "signal " + std::to_string(signal);
}

std::string_view fault_reason(int signal, int code) {
  struct Reason {
    int signal;
    int code;
    std::string_view text;
  };
  constexpr Reason kReasons[] = {
      {SIGSEGV, SEGV_MAPERR, "address not mapped"},   {SIGSEGV, SEGV_ACCERR, "access not permitted"},
      {SIGBUS, BUS_ADRALN, "misaligned address"},     {SIGBUS, BUS_ADRERR, "no such address: a mapped file shrank"},
      {SIGBUS, BUS_MCEERR_AR, "memory failure"},      {SIGFPE, FPE_INTDIV, "integer division by zero"},
      {SIGFPE, FPE_INTOVF, "integer overflow"},       {SIGFPE, FPE_FLTDIV, "floating-point division by zero"},
      {SIGILL, ILL_ILLOPC, "illegal instruction"},    {SIGILL, ILL_ILLOPN, "illegal operand"},
      {SIGILL, ILL_PRVOPC, "privileged instruction"}, {SIGSYS, 1, "forbidden by a seccomp filter"},
  };
  for (const Reason& reason : kReasons) {
    if (reason.signal == signal && reason.code == code) return reason.text;
  }
  return {};
}

}  // namespace hotspare::death
