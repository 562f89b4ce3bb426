// The exact log normalizer of a product of Gaussian trees.
#ifndef POE_EXPERTS_GAUSSIAN_TREE_PARTITION_H_
#define POE_EXPERTS_GAUSSIAN_TREE_PARTITION_H_

#include "absl/status/statusor.h"
#include "poe/product.h"

namespace poe {

inline constexpr Index kMostTreeCombinations = 4096;

// log Z = log sum_z integral b(x) prod_m g_m(x, z_m)^power dx: one Gaussian
// integral by sparse Cholesky for each combination of the experts' latent
// states. FailedPrecondition where the base is not a structured Gaussian, a
// group is not of Gaussian trees, or there are more than kMostTreeCombinations.
template <typename Scalar>
absl::StatusOr<double> GaussianTreeLogPartition(const Product<Scalar>& product);

}  // namespace poe

#endif  // POE_EXPERTS_GAUSSIAN_TREE_PARTITION_H_
