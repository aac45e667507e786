#include "death/verdict.hpp"

#include "death/stack_image.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <string>
#include <sys/syscall.h>

namespace hotspare::death {
namespace {

using worker::LastWordsKind;

constexpr std::uint64_t kMegabyte = 1 << 20;

int died_of(int signal) { return signal; }  // as waitpid has it
int exited_with(int code) { return code << 8; }

/// One row: what is known, and what must follow from it.
struct Row {
  const char* name;
  std::function<void(Evidence&)> known;
  Cause cause;
  int signal = 0;
  int exit_code = -1;
  Oom oom = Oom::no;
  const char* evidence_says = "";
  std::function<void(const CrashReport&)> more = [](const CrashReport&) {};
};

void status(Evidence& evidence, int wait_status) {
  evidence.exit.known = true;
  evidence.exit.wait_status = wait_status;
}

void signal_words(Evidence& evidence, int signal, int code, std::uint64_t address = 0) {
  evidence.words = LastWordsKind::signal;
  evidence.signal = signal;
  evidence.signal_code = code;
  evidence.address = address;
  evidence.thread_id = 77;
  status(evidence, died_of(signal));
}

void at_limit(Evidence& evidence, int signal, std::uint64_t used) {
  signal_words(evidence, signal, SEGV_MAPERR);
  evidence.data_limit = 100 * kMegabyte;
  evidence.data_bytes = used;
}

std::function<void(Evidence&)> ended(EndedBy why) {
  return [why](Evidence& evidence) {
    evidence.ended_by = why;
    status(evidence, died_of(SIGKILL));
  };
}

std::function<void(Evidence&)> exit_status(int wait_status) {
  return [wait_status](Evidence& evidence) { status(evidence, wait_status); };
}

std::function<void(const CrashReport&)> address_is(std::uint64_t address) {
  return [address](const CrashReport& report) {
    EXPECT_TRUE(report.has_fault_address);
    EXPECT_EQ(report.fault_address, address);
    EXPECT_EQ(report.thread_id, 77);
  };
}

std::function<void(const CrashReport&)> no_address_from(int sender) {
  return [sender](const CrashReport& report) {
    EXPECT_FALSE(report.has_fault_address);
    EXPECT_EQ(report.fault_address, 0u);
    EXPECT_EQ(report.sender_pid, sender);
  };
}

// NOLINTNEXTLINE(readability-function-size): a table
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      // What we did ourselves.
      {"Deadline", ended(EndedBy::deadline), Cause::deadline, SIGKILL, -1, Oom::no, "deadline"},
      {"Cancel", ended(EndedBy::cancel), Cause::cancelled, SIGKILL, -1, Oom::no, "cancel with kill"},
      {"Shutdown", ended(EndedBy::shutdown), Cause::cancelled, SIGKILL, -1, Oom::no, "shut down"},
      {"Lifeline", ended(EndedBy::lifeline), Cause::lifeline_closed, SIGKILL, -1, Oom::no, "lifeline"},
      {"Pressure", ended(EndedBy::pressure), Cause::memory_limit, SIGKILL, -1, Oom::no, "together"},
      {"LastResort", ended(EndedBy::last_resort), Cause::memory_limit, SIGKILL, -1, Oom::no, "memory.oom.group"},
      {"MemoryOfAllKinds",
       [](Evidence& evidence) {
         ended(EndedBy::memory)(evidence);
         evidence.memory_limit = 500 * kMegabyte;
         evidence.memory_taken = {100 * kMegabyte, 300 * kMegabyte, 150 * kMegabyte, 2};
       },
       Cause::memory_limit, SIGKILL, -1, Oom::no,
       "added 550 MB under a limit of 500 MB: 100 MB private, 300 MB shared, 150 MB private in 2 children"},
      {"MemoryWithoutChildren",
       [](Evidence& evidence) {
         ended(EndedBy::memory)(evidence);
         evidence.memory_limit = 500 * kMegabyte;
         evidence.memory_taken = {100 * kMegabyte, 401 * kMegabyte};
       },
       Cause::memory_limit, SIGKILL, -1, Oom::no, "100 MB private, 401 MB shared; it was stopped"},
      {"Exec", ended(EndedBy::exec), Cause::exec, SIGKILL, -1, Oom::no, "lifeline"},
      {"MainThread", ended(EndedBy::main_thread), Cause::pthread_exit, SIGKILL, -1, Oom::no, "while others lived on"},
      {"Protocol",
       [](Evidence& evidence) {
         ended(EndedBy::protocol)(evidence);
         evidence.protocol_error = "a length of 9 EB";
       },
       Cause::protocol, SIGKILL, -1, Oom::no, "9 EB"},
      {"OursWinsOverWords",
       [](Evidence& evidence) {
         signal_words(evidence, SIGSEGV, SEGV_MAPERR, 16);
         evidence.ended_by = EndedBy::deadline;
       },
       Cause::deadline, SIGSEGV, -1, Oom::no, "deadline", no_address_from(0)},
      {"OursWinsOverOom",
       [](Evidence& evidence) {
         ended(EndedBy::cancel)(evidence);
         evidence.oom_kills = 3;
         evidence.oom_log_names_it = true;
       },
       Cause::cancelled, SIGKILL},
      {"OursWithoutAStatus", [](Evidence& evidence) { evidence.ended_by = EndedBy::deadline; }, Cause::deadline},
      {"OursKeepsTheReasonForNoStack",
       [](Evidence& evidence) {
         ended(EndedBy::deadline)(evidence);
         evidence.detail = "its stack could not be taken";
       },
       Cause::deadline, SIGKILL, -1, Oom::no, "deadline",
       [](const CrashReport& report) { EXPECT_EQ(report.detail, "its stack could not be taken"); }},
      {"OursSaysWhoseStack",
       [](Evidence& evidence) {
         ended(EndedBy::deadline)(evidence);
         evidence.stack = std::make_shared<hotspare::detail::StackImage>();
         evidence.stack->thread_id = 78;
       },
       Cause::deadline, SIGKILL, -1, Oom::no, "deadline",
       [](const CrashReport& report) {
         EXPECT_EQ(report.thread_id, 78);
         EXPECT_NE(report.stack_image, nullptr);
       }},
      // Last words of a signal.
      {"Segv", [](Evidence& evidence) { signal_words(evidence, SIGSEGV, SEGV_MAPERR, 0x1234); }, Cause::signal, SIGSEGV,
       -1, Oom::no, "handler", address_is(0x1234)},
      {"SegvAtNull", [](Evidence& evidence) { signal_words(evidence, SIGSEGV, SEGV_MAPERR); }, Cause::signal, SIGSEGV,
       -1, Oom::no, "signal 11", address_is(0)},
      {"SegvNotCanonical", [](Evidence& evidence) { signal_words(evidence, SIGSEGV, SI_KERNEL); }, Cause::signal,
       SIGSEGV, -1, Oom::no, "", no_address_from(0)},
      {"Bus", [](Evidence& evidence) { signal_words(evidence, SIGBUS, BUS_ADRERR, 0x2000); }, Cause::signal, SIGBUS, -1,
       Oom::no, "", address_is(0x2000)},
      {"Fpe", [](Evidence& evidence) { signal_words(evidence, SIGFPE, FPE_INTDIV, 0x3000); }, Cause::signal, SIGFPE, -1,
       Oom::no, "", address_is(0x3000)},
      {"Ill", [](Evidence& evidence) { signal_words(evidence, SIGILL, ILL_ILLOPN, 0x4000); }, Cause::signal, SIGILL, -1,
       Oom::no, "", address_is(0x4000)},
      {"SentSegv",
       [](Evidence& evidence) {
         signal_words(evidence, SIGSEGV, SI_USER, 0x5000);
         evidence.sender_pid = 42;
       },
       Cause::signal, SIGSEGV, -1, Oom::no, "", no_address_from(42)},
      {"SentTerm",
       [](Evidence& evidence) {
         signal_words(evidence, SIGTERM, SI_USER);
         evidence.sender_pid = 42;
       },
       Cause::signal, SIGTERM, -1, Oom::no, "", no_address_from(42)},
      {"Abort", [](Evidence& evidence) { signal_words(evidence, SIGABRT, SI_TKILL); }, Cause::signal, SIGABRT},
      {"SignalThoughTheStatusIsLost",
       [](Evidence& evidence) {
         signal_words(evidence, SIGSEGV, SEGV_MAPERR, 8);
         evidence.exit = {};
       },
       Cause::signal, SIGSEGV, -1, Oom::no, "lost", address_is(8)},
      {"StackOverflow",
       [](Evidence& evidence) {
         signal_words(evidence, SIGSEGV, SEGV_MAPERR, 0x7000);
         evidence.beside_stack_end = true;
       },
       Cause::stack_overflow, SIGSEGV, -1, Oom::no, "end of the thread's stack", address_is(0x7000)},
      {"StackOverflowWinsOverMemoryLimit",
       [](Evidence& evidence) {
         at_limit(evidence, SIGSEGV, 100 * kMegabyte);
         evidence.beside_stack_end = true;
       },
       Cause::stack_overflow, SIGSEGV},
      // A crash at the memory limit.
      {"SegvAtTheLimit", [](Evidence& evidence) { at_limit(evidence, SIGSEGV, 95 * kMegabyte); }, Cause::memory_limit,
       SIGSEGV, -1, Oom::no, "added 95 MB under a limit of 100 MB", address_is(0)},
      {"AbortAtTheLimit", [](Evidence& evidence) { at_limit(evidence, SIGABRT, 95 * kMegabyte); }, Cause::memory_limit,
       SIGABRT},
      {"SegvFarFromTheLimit", [](Evidence& evidence) { at_limit(evidence, SIGSEGV, 80 * kMegabyte); }, Cause::signal,
       SIGSEGV},
      {"TermAtTheLimit", [](Evidence& evidence) { at_limit(evidence, SIGTERM, 100 * kMegabyte); }, Cause::signal,
       SIGTERM},
      {"NewAtTheLimit",
       [](Evidence& evidence) {
         evidence.words = LastWordsKind::memory_limit;
         evidence.data_limit = 64 * kMegabyte;
         status(evidence, exited_with(125));
       },
       Cause::memory_limit, 0, -1, Oom::no, "limit of 64 MB"},
      // Signals with a cause of their own.
      {"FileSize",
       [](Evidence& evidence) {
         signal_words(evidence, SIGXFSZ, SI_USER);
         evidence.pid = evidence.sender_pid = 42;
       },
       Cause::file_size_limit, SIGXFSZ, -1, Oom::no, "RLIMIT_FSIZE", no_address_from(42)},
      {"FileSizeSent",
       [](Evidence& evidence) {
         signal_words(evidence, SIGXFSZ, SI_USER);
         evidence.pid = 41;
         evidence.sender_pid = 42;
       },
       Cause::signal, SIGXFSZ, -1, Oom::no, "", no_address_from(42)},
      {"FileSizeWithoutWords", exit_status(died_of(SIGXFSZ)), Cause::file_size_limit, SIGXFSZ},
      {"ForbiddenCall",
       [](Evidence& evidence) {
         signal_words(evidence, SIGSYS, 1);
         evidence.system_call = SYS_ptrace;
       },
       Cause::forbidden_call, SIGSYS, -1, Oom::no, "seccomp",
       [](const CrashReport& report) {
         EXPECT_EQ(report.detail, "ptrace (number " + std::to_string(SYS_ptrace) + ")");
       }},
      {"ForbiddenCallOfAnotherArchitecture", [](Evidence& evidence) { signal_words(evidence, SIGSYS, 1); },
       Cause::forbidden_call, SIGSYS, -1, Oom::no, "seccomp",
       [](const CrashReport& report) { EXPECT_EQ(report.detail, ""); }},
      {"ForbiddenCallWithoutWords", exit_status(died_of(SIGSYS)), Cause::forbidden_call, SIGSYS, -1, Oom::no,
       "nobody knows"},
      {"SentSys",
       [](Evidence& evidence) {
         signal_words(evidence, SIGSYS, SI_USER);
         evidence.sender_pid = 42;
       },
       Cause::signal, SIGSYS, -1, Oom::no, "", no_address_from(42)},
      // Other last words.
      {"ThreadExit",
       [](Evidence& evidence) {
         evidence.words = LastWordsKind::thread_exit;
         status(evidence, exited_with(1));
       },
       Cause::pthread_exit, 0, -1, Oom::no, "pthread_exit"},
      {"Terminate",
       [](Evidence& evidence) {
         evidence.words = LastWordsKind::terminated;
         evidence.signal = SIGABRT;
         evidence.detail = "std::runtime_error: no";
         status(evidence, died_of(SIGABRT));
       },
       Cause::terminated, SIGABRT, -1, Oom::no, "std::terminate",
       [](const CrashReport& report) { EXPECT_EQ(report.detail, "std::runtime_error: no"); }},
      {"Initializer",
       [](Evidence& evidence) {
         evidence.words = LastWordsKind::initializer;
         evidence.detail = "no licence";
         status(evidence, exited_with(1));
       },
       Cause::exited, 0, 1, Oom::no, "initializer",
       [](const CrashReport& report) { EXPECT_EQ(report.detail, "no licence"); }},
      // No words: the kernel's.
      {"Exit0", exit_status(exited_with(0)), Cause::exited, 0, 0, Oom::no, "exit code 0"},
      {"Exit255", exit_status(exited_with(255)), Cause::exited, 0, 255, Oom::no, "exit code 255"},
      {"SegvWithoutWords", exit_status(died_of(SIGSEGV)), Cause::signal, SIGSEGV, -1, Oom::no, "signal 11",
       no_address_from(0)},
      {"SegvWithACore", exit_status(died_of(SIGSEGV) | 0x80), Cause::signal, SIGSEGV},
      {"Kill", exit_status(died_of(SIGKILL)), Cause::signal, SIGKILL, -1, Oom::no, "nobody of ours"},
      {"KillWhileTheKernelKilledForMemory",
       [](Evidence& evidence) {
         status(evidence, died_of(SIGKILL));
         evidence.oom_kills = 2;
       },
       Cause::out_of_memory, SIGKILL, -1, Oom::likely, "killed 2 process(es)"},
      {"KillOfASmallOneWhileTheMachineKilledForMemory",
       [](Evidence& evidence) {
         status(evidence, died_of(SIGKILL));
         evidence.oom_kills = 2;
         evidence.oom_kills_of_machine = true;
         evidence.machine_bytes = std::uint64_t{64} << 30;
         evidence.exit.usage_known = true;
         evidence.exit.peak_rss_bytes = std::uint64_t{10} << 20;
       },
       Cause::signal, SIGKILL, -1, Oom::no, "small: 10 MB"},
      {"KillOfALargeOneWhileTheMachineKilledForMemory",
       [](Evidence& evidence) {
         status(evidence, died_of(SIGKILL));
         evidence.oom_kills = 2;
         evidence.oom_kills_of_machine = true;
         evidence.machine_bytes = std::uint64_t{64} << 30;
         evidence.exit.usage_known = true;
         evidence.exit.peak_rss_bytes = std::uint64_t{20} << 30;
       },
       Cause::out_of_memory, SIGKILL, -1, Oom::likely, "whole machine"},
      {"KillThatTheKernelsLogNames",
       [](Evidence& evidence) {
         status(evidence, died_of(SIGKILL));
         evidence.oom_kills = 1;
         evidence.oom_log_names_it = true;
       },
       Cause::out_of_memory, SIGKILL, -1, Oom::certain, "log"},
      {"ExitWhileTheKernelKilledForMemory",
       [](Evidence& evidence) {
         status(evidence, exited_with(3));
         evidence.oom_kills = 2;
       },
       Cause::exited, 0, 3},
      {"TermWhileTheKernelKilledForMemory",
       [](Evidence& evidence) {
         status(evidence, died_of(SIGTERM));
         evidence.oom_kills = 2;
       },
       Cause::signal, SIGTERM},
      {"ProgramThatExited",
       [](Evidence& evidence) {
         status(evidence, exited_with(3));
         evidence.program = "ls";
       },
       Cause::exec, 0, 3, Oom::no, "exit code 3", [](const CrashReport& report) { EXPECT_EQ(report.detail, "ls"); }},
      {"ProgramThatDied",
       [](Evidence& evidence) {
         status(evidence, died_of(SIGSEGV));
         evidence.program = "ls";
       },
       Cause::exec, SIGSEGV, -1, Oom::no, "signal 11"},
      {"ProgramWhoseStatusIsLost", [](Evidence& evidence) { evidence.program = "ls"; }, Cause::exec, 0, -1, Oom::no,
       "lost"},
      {"NothingIsKnown", [](Evidence&) {}, Cause::unknown, 0, -1, Oom::no, "lost"},
  };
  return all;
}

class Verdict : public ::testing::TestWithParam<Row> {};

TEST_P(Verdict, FollowsFromTheEvidence) {
  const Row& row = GetParam();
  Evidence evidence;
  row.known(evidence);
  CrashReport report;
  judge(evidence, report);
  EXPECT_EQ(report.cause, row.cause) << name(report.cause);
  EXPECT_EQ(report.signal, row.signal);
  EXPECT_EQ(report.exit_code, row.exit_code);
  EXPECT_EQ(report.oom, row.oom);
  EXPECT_FALSE(report.evidence.empty());
  EXPECT_THAT(report.evidence, ::testing::HasSubstr(row.evidence_says));
  row.more(report);
}

INSTANTIATE_TEST_SUITE_P(Rows, Verdict, ::testing::ValuesIn(rows()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(VerdictUsage, ComesFromTheKernel) {
  Evidence evidence;
  status(evidence, exited_with(0));
  evidence.exit.peak_rss_bytes = 5 * kMegabyte;
  evidence.exit.cpu_us = 1234;
  CrashReport report;
  judge(evidence, report);
  EXPECT_EQ(report.peak_rss_bytes, 5 * kMegabyte);
  EXPECT_EQ(report.cpu_time, std::chrono::microseconds(1234));
}

}  // namespace
}  // namespace hotspare::death
