#pragma once

#include <hotspare/detail/task_ref.hpp>

#include <vector>

namespace hotspare::detail {

struct ArgumentBuffers::State {
  std::vector<Buffer> buffers;
};

}  // namespace hotspare::detail
