#include "metrics/registry.hpp"

#include "metrics/process_wide.hpp"
#include "metrics/valid_utf8.hpp"

namespace hotspare::metrics {
namespace {

constinit ProcessWide<Registry> all;

}  // namespace

Registry& registry() { return all.get(); }
bool is_current(const Registry* registry) noexcept { return all.is_current(registry); }

template <class S>
typename Book<S>::Place Book<S>::open(const std::string& name, Look look) {
  std::string label = valid_utf8(name);
  const std::lock_guard lock(mutex_);
  if (!closed_.contains(label) && closed_.size() >= most_labels) label = other_label;
  ++closed_[label].made;
  return open_.insert(open_.end(), Entry{std::move(label), std::move(look)});
}

template <class S>
void Book<S>::close(Place place) {
  const std::lock_guard lock(mutex_);
  try {
    S last = place->look();
    forget_gauges(last);
    add(closed_.at(place->label).stats, last);
  } catch (const std::bad_alloc&) {
    // Whoever closes does so in a destructor, and must go on: its figures are missing in the sums.
  }
  open_.erase(place);
}

template <class S>
std::map<std::string, Total<S>> Book<S>::totals() const {
  const std::lock_guard lock(mutex_);
  auto totals = closed_;
  for (const Entry& entry : open_) {
    Total<S>& total = totals.at(entry.label);
    ++total.open;
    add(total.stats, entry.look());
  }
  return totals;
}

template class Book<Stats>;
template class Book<StandbyStats>;

}  // namespace hotspare::metrics
