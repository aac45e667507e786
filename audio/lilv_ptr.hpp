#pragma once

#include <lilv/lilv.h>

#include <memory>

/// What lilv gives out and wants back.
namespace hotspare::audio {

template <auto Free>
struct FreeBy {
  template <class T>
  void operator()(T* thing) const {
    Free(thing);
  }
};

using WorldPtr = std::unique_ptr<LilvWorld, FreeBy<lilv_world_free>>;
using NodePtr = std::unique_ptr<LilvNode, FreeBy<lilv_node_free>>;
using NodesPtr = std::unique_ptr<LilvNodes, FreeBy<lilv_nodes_free>>;
using StatePtr = std::unique_ptr<LilvState, FreeBy<lilv_state_free>>;
using InstancePtr = std::unique_ptr<LilvInstance, FreeBy<lilv_instance_free>>;
using LilvText = std::unique_ptr<char, FreeBy<lilv_free>>;

}  // namespace hotspare::audio
