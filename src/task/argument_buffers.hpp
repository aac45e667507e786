#pragma once

#include <hotspare/detail/task_ref.hpp>

#include <memory>
#include <vector>

namespace hotspare::detail {

struct ArgumentBuffers::State {
  std::vector<Buffer> buffers;
  std::vector<std::shared_ptr<const void>> held;
  std::size_t counted_bytes = 0;
  std::size_t counted = 0;
};

}  // namespace hotspare::detail
