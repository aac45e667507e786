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

/// The last line of the traceback, of whatever exception.
std::string words_of(const nb::object& error);

/// For a caller that knows only C++.
template <class Call>
void in_words(Call call) {
  try {
    call();
  } catch (nb::python_error& error) {
    const nb::object value = nb::borrow(error.value());
    throw std::runtime_error(words_of(value));
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
