// Logarithmic opinion pools (the paper, eq. 3) of the Gaussian trees of a
// product. The power of a tree is a tree again, its variances given the parent
// divided by the power, so the pool is a product like others.
#ifndef POE_TREE_POOL_H_
#define POE_TREE_POOL_H_

#include <vector>

#include "absl/status/statusor.h"
#include "poe/interrupt_check.h"
#include "poe/numerics/moments.h"
#include "poe/product.h"
#include "poe/training.h"

namespace poe {

// How wide the base of a pool is at least, in the data's deviations
// (ProductSettings::base_deviation_multiple): then it does not matter.
inline constexpr double kLeastPoolBase = 1000;

// InvalidArgument naming what cannot be pooled, or weights that are not one
// for each expert, at least 0, with sum 1. Needs no data.
absl::Status ValidatePool(const PoolSettings& settings,
                          const ProductSettings& product);

struct TreePool {
  std::vector<double> weights;  // of the experts, groups in order
  double gain = 0;              // -log Z, >= 0
};

// Makes the pool of the product's experts for data of these moments. An opinion
// is an expert, normalized, at the power at which it alone gives the data the
// greatest mean log probability; weights are learned unless given. `product`
// and `settings` have passed ValidatePool. Internal where a tree cannot be
// normalized, and the status of `check`.
absl::StatusOr<TreePool> PoolTrees(const PoolSettings& settings,
                                   const Moments& moments, InterruptCheck check,
                                   Product<float>& product);

}  // namespace poe

#endif  // POE_TREE_POOL_H_
