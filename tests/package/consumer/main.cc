#include <hotspare/hotspare.hpp>

#include <csignal>
#include <iostream>

namespace {
int square(int x) { return x * x; }
int doomed(int signal) { return std::raise(signal); }
}  // namespace

// One task that works and one that dies: enough to know that the installed headers and library belong together.
int main() {
  hotspare::Pool pool({.workers = 1, .worker_stderr = hotspare::Stderr::capture});
  const auto died = pool.submit(doomed, SIGKILL);
  const auto good = pool.submit(square, 7);
  try {
    died.get();
    std::cerr << "the killed task returned\n";
    return 1;
  } catch (const hotspare::WorkerDied& death) {
    std::cout << HOTSPARE_VERSION << ": " << death.what() << '\n';
  }
  return good.get() == 49 ? 0 : 1;
}
