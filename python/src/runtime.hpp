#pragma once

#include "python.hpp"

#include <stdexcept>
#include <string>

/// Ties the Python runtime to the engine: what must happen around forks, while a worker sleeps, and when it dies.
namespace hotspare::python {

/// Once per process, when the module is imported.
void tie_runtime();

/// Functions for PoolOptions: they call hotspare._worker.
void preload_in_zygote();
void begin_worker();

/// For a caller that knows only C++: the last line of the traceback.
template <class Call>
void in_words(Call call) {
  try {
    call();
  } catch (nb::python_error& error) {
    const nb::object type = nb::borrow(error.type());
    throw std::runtime_error(nb::cast<std::string>(type.attr("__name__")) + ": " +
                             nb::cast<std::string>(nb::str(error.value())));
  }
}

/// Around a call of the engine that may wait, and may fork on this thread: lets go of the GIL, which a fork takes back for
/// as long as it takes.
class ForkingCall {
 public:
  ForkingCall();
  ~ForkingCall();
  ForkingCall(const ForkingCall&) = delete;
  ForkingCall& operator=(const ForkingCall&) = delete;
};

/// A traceback for the crash report of this process, which is about to end because of it; the interpreter's stack is gone
/// by then. In the words of faulthandler.
void remember_stack(std::string text);

void define_runtime(nb::module_& module);

}  // namespace hotspare::python
