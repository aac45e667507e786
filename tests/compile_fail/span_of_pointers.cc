#include <hotspare/hotspare.hpp>

#include <span>
#include <vector>

namespace {
struct Link {
  int weight;
  const Link* next;
};
}  // namespace

void refused(hotspare::Pool& pool) {
  const std::vector<Link> links(3);
  pool.submit([](std::span<const Link> all) { return all.size(); }, std::span<const Link>(links));
}
