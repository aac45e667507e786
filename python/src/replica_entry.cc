#include "replica_entry.hpp"

#include "processor_rooms.hpp"
#include "python.hpp"
#include "runtime.hpp"

#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace hotspare::python {

/// What ends a replica whose processor raised. Its name is part of the report.
class ProcessorRaised : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace {

/// What is raised within becomes a death: its last line is the reason, the traceback goes into the report, and to stderr
/// unless somebody is waiting to be told of it.
template <class Call>
auto telling_what_it_raised(Call call, bool aloud = true) {
  try {
    return call();
  } catch (nb::python_error& error) {
    const nb::object value = nb::borrow(error.value());
    const nb::tuple words = nb::cast<nb::tuple>(python_name("hotspare._replica", "explain")(value, aloud));
    remember_stack(nb::cast<std::string>(words[1]));
    throw ProcessorRaised(nb::cast<std::string>(words[0]));
  }
}

class PythonBody final : public detail::ReplicaBody {
 public:
  explicit PythonBody(std::span<const std::byte> arguments) {
    python_name("hotspare._worker", "replica_begins")();
    const nb::bytes bytes(arguments.data(), arguments.size());
    replica_ = python_name("hotspare._replica", "Replica")(bytes);
    step_ = replica_.attr("step");
    in_.emplace(replica_.attr("block"));
    out_.emplace(replica_.attr("out"));
  }

  void process(std::span<const std::byte> in, std::span<std::byte> out) override {
    telling_what_it_raised([&] {
      const nb::object block = in_->filled(in);
      PyObject* const room = out_->emptied();
      PyObject* const arguments[] = {nullptr, block.ptr(), room};
      const nb::object result =
          checked(PyObject_Vectorcall(step_.ptr(), arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
      if (!result.is_none() && result.ptr() != room) replica_.attr("refuse_result")(result);
      out_->take(out);
    });
    in_->settle();
    out_->settle();
  }

  std::size_t save(std::span<std::byte> room) override {
    return telling_what_it_raised([&] {
      const nb::bytes state = nb::cast<nb::bytes>(replica_.attr("save")());
      if (state.size() > room.size()) replica_.attr("refuse_state")(state.size());
      std::memcpy(room.data(), state.c_str(), state.size());
      return state.size();
    });
  }

  void load(std::span<const std::byte> state) override {
    telling_what_it_raised([&] {
      replica_.attr("load")(nb::bytes(state.data(), state.size()));
      step_ = replica_.attr("step");
    });
  }

  void inherited() override {
    telling_what_it_raised([] { python_name("hotspare._worker", "replica_begins")(); });
  }

 private:
  nb::object replica_;
  nb::object step_;
  std::optional<InputRoom> in_;
  std::optional<OutputRoom> out_;
};

std::unique_ptr<detail::ReplicaBody> make_python_body(std::span<const std::byte> arguments) {
  return telling_what_it_raised([&] { return std::make_unique<PythonBody>(arguments); }, false);
}

}  // namespace

detail::BodyKind python_body_kind() { return {detail::locate(reinterpret_cast<const void*>(&make_python_body)), true}; }

}  // namespace hotspare::python
