#pragma once

#include "os/check.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace hotspare::task {

/// Items in a binary heap that know where they are, so that any of them can be taken out: each step costs the logarithm of
/// how many there are, and none allocates beyond what was reserved. Order: `static bool before(const T&, const T&)` and
/// `static std::size_t& place(T&)`.
template <class T, class Order>
class Heap {
 public:
  bool empty() const { return items_.empty(); }
  T* first() const { return items_.empty() ? nullptr : items_.front(); }
  void reserve(std::size_t items) {
    if (items > items_.capacity()) items_.reserve(std::max(items, 2 * items_.capacity()));
  }
  void insert(T& item) {
    items_.push_back(&item);
    rise(items_.size() - 1);
  }
  void remove(T& item) {
    const std::size_t at = Order::place(item);
    HS_CHECK(at < items_.size() && items_[at] == &item);
    T* const last = items_.back();
    items_.pop_back();
    if (last == &item) return;
    put(at, last);
    sink(at);
    rise(at);
  }

 private:
  void put(std::size_t at, T* item) {
    items_[at] = item;
    Order::place(*item) = at;
  }
  void rise(std::size_t at) {
    T* const item = items_[at];
    for (; at != 0 && Order::before(*item, *items_[(at - 1) / 2]); at = (at - 1) / 2) put(at, items_[(at - 1) / 2]);
    put(at, item);
  }
  void sink(std::size_t at) {
    T* const item = items_[at];
    for (std::size_t child = 2 * at + 1; child < items_.size(); child = 2 * at + 1) {
      if (child + 1 < items_.size() && Order::before(*items_[child + 1], *items_[child])) ++child;
      if (!Order::before(*items_[child], *item)) break;
      put(at, items_[child]);
      at = child;
    }
    put(at, item);
  }

  std::vector<T*> items_;
};

}  // namespace hotspare::task
