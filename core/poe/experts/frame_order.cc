#include "poe/experts/frame_order.h"

#include <numeric>

namespace poe {

FrameOrder::FrameOrder(absl::Span<const Index> lengths)
    : order_(lengths.size()) {
  std::iota(order_.begin(), order_.end(), Index{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](Index a, Index b) { return lengths[a] > lengths[b]; });
  Index active = sequences();
  for (Index t = 0; active > 0; ++t) {
    while (active > 0 && lengths[order_[active - 1]] <= t) --active;
    if (active > 0) starts_.push_back(starts_.back() + active);
  }
}

}  // namespace poe
