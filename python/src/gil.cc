#include "gil.hpp"

#include <unistd.h>

namespace hotspare::python {
namespace {

template <class Take>
auto or_sleep_for_ever(Take take) noexcept {
  try {
    return take();
  } catch (...) {  // the unwinding of pthread_exit, which ends here
    for (;;) ::pause();
  }
}

}  // namespace

void take_gil(PyThreadState* state) noexcept {
  or_sleep_for_ever([state] { PyEval_RestoreThread(state); });
}

WithGil::WithGil() noexcept : state_(or_sleep_for_ever([] { return PyGILState_Ensure(); })) {}

}  // namespace hotspare::python
