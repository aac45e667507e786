#pragma once

#include <Python.h>

/// The GIL, given up and taken again by threads that the interpreter's end may overtake. Who wants it then never gets it:
/// CPython 3.14 has such a thread sleep for ever, and so do we. Older ones unwind its stack, which ends the whole process
/// where a destructor on it may not throw. So nobody takes the GIL but by these.
namespace hotspare::python {

/// As PyEval_RestoreThread.
void take_gil(PyThreadState* state) noexcept;

/// While it lives, others may run. With the GIL.
class WithoutGil {
 public:
  WithoutGil() noexcept : state_(PyEval_SaveThread()) {}
  ~WithoutGil() { take_gil(state_); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* const state_;
};

/// While it lives, this thread has the GIL, whether it had it before or not.
class WithGil {
 public:
  WithGil() noexcept;
  ~WithGil() { PyGILState_Release(state_); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;

 private:
  const PyGILState_STATE state_;
};

}  // namespace hotspare::python
