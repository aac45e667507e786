#pragma once

#include "os/result.hpp"

#include <memory>
#include <new>
#include <string>

namespace hotspare::shm {

/// A bad_alloc that says what was refused, and why.
class NoMemory : public std::bad_alloc {
 public:
  explicit NoMemory(const os::Failure& why)
      : text_(std::make_shared<const std::string>("no shared memory: " + why.text())) {}
  const char* what() const noexcept override { return text_->c_str(); }

 private:
  std::shared_ptr<const std::string> text_;
};

}  // namespace hotspare::shm
