#include "block.hpp"

#include <map>
#include <new>

namespace hotspare::python {
namespace {

/// Blocks of hotspare.empty() that are alive, by where they begin.
std::map<const void*, const Block*>& shared_blocks() {
  static auto* const blocks = new std::map<const void*, const Block*>;
  return *blocks;
}

int get_buffer(PyObject* exporter, Py_buffer* view, int flags) {
  const auto* block = nb::inst_ptr<Block>(nb::handle(exporter));
  return PyBuffer_FillInfo(view, exporter, block->buffer().data(), static_cast<Py_ssize_t>(block->buffer().size()), 0,
                           flags);
}

PyType_Slot block_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)}, {0, nullptr}};

class SharedBlock : public Block {
 public:
  explicit SharedBlock(Buffer buffer) : Block(std::move(buffer)) { shared_blocks()[this->buffer().data()] = this; }
  ~SharedBlock() { shared_blocks().erase(buffer().data()); }
};

}  // namespace

void define_block(nb::module_& module) {
  nb::class_<Block>(module, "Block", nb::type_slots(block_slots)).def("__len__", [](const Block& block) {
    return block.buffer().size();
  });
  nb::class_<SharedBlock, Block>(module, "SharedBlock", nb::type_slots(block_slots));
}

nb::object make_block(Buffer buffer) { return nb::cast(new Block(std::move(buffer)), nb::rv_policy::take_ownership); }

nb::object make_shared_block(std::size_t size) {
  return nb::cast(new SharedBlock(Buffer::make(size)), nb::rv_policy::take_ownership);
}

Buffer shared_buffer_at(const void* address, std::size_t size) {
  const auto found = shared_blocks().find(address);
  if (found == shared_blocks().end() || found->second->buffer().size() < size) return {};
  return found->second->buffer();
}

void make_own_copy(const Buffer& buffer) {
  constexpr std::size_t page = 4096;
  auto* const bytes = reinterpret_cast<volatile unsigned char*>(buffer.data());
  for (std::size_t at = 0; at < buffer.size(); at += page) bytes[at] = bytes[at];
}

}  // namespace hotspare::python
