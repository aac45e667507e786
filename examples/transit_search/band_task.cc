#include "band_task.hpp"

#include <hotspare/crash_report.hpp>

#include <csignal>

namespace transit {

BandResult search_sabotaged(std::span<const double> time, std::span<const double> flux, const PeriodGrid& grid,
                            Band band, const Sabotage& sabotage) {
  if (sabotage.way != Way::none) {
    search_band(time, flux, grid, {band.first, band.first + (band.last - band.first) / 2});
    commit(sabotage);
  }
  return search_band(time, flux, grid, band);
}

bool verdict_fits(Way way, const hotspare::CrashReport& report) {
  using hotspare::Cause;
  const auto by_signal = [&](int signal) { return report.cause == Cause::signal && report.signal == signal; };
  switch (way) {
    case Way::none:
    case Way::raise:
    case Way::leak: return false;
    case Way::kill_from_outside:
    case Way::kill_itself: return by_signal(SIGKILL);
    case Way::segmentation_fault: return by_signal(SIGSEGV);
    case Way::bus_error: return by_signal(SIGBUS);
    case Way::division_by_zero: return by_signal(SIGFPE);
    case Way::illegal_instruction: return by_signal(SIGILL);
    case Way::abort: return by_signal(SIGABRT);
    case Way::terminate: return report.cause == Cause::terminated;
    case Way::exit: return report.cause == Cause::exited && report.exit_code == 3;
    case Way::stack_overflow: return report.cause == Cause::stack_overflow;
    case Way::memory: return report.cause == Cause::memory_limit;
    case Way::hang:
    case Way::stop: return report.cause == Cause::deadline;
  }
  return false;
}

}  // namespace transit
