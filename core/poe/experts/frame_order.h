// Which frames of a batch of sequences go together.
#ifndef POE_EXPERTS_FRAME_ORDER_H_
#define POE_EXPERTS_FRAME_ORDER_H_

#include <algorithm>
#include <vector>

#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// The frames of a batch by time: first the first frames of all sequences, the
// longest sequence in front, then all second frames, ... So the frames at time
// t of the k longest sequences are rows that lie together.
class FrameOrder {
 public:
  FrameOrder() = default;
  // `lengths` may be in any order.
  explicit FrameOrder(absl::Span<const Index> lengths);

  Index sequences() const { return static_cast<Index>(order_.size()); }
  Index longest() const { return static_cast<Index>(starts_.size()) - 1; }
  Index rows() const { return starts_.back(); }
  // The observation that stands at position k.
  Index observation(Index k) const { return order_[k]; }
  // Row of frame t of the sequence at position k.
  Index row(Index k, Index t) const { return starts_[t] + k; }
  // How many of the positions [begin, end), the first of them, have a frame t.
  Index Active(Index begin, Index end, Index t) const {
    if (t >= longest()) return 0;
    return std::clamp<Index>(starts_[t + 1] - starts_[t] - begin, 0,
                             end - begin);
  }

 private:
  std::vector<Index> order_;
  std::vector<Index> starts_ = {0};
};

}  // namespace poe

#endif  // POE_EXPERTS_FRAME_ORDER_H_
