#include "poe/experts/gaussian_tree_partition.h"

#include <vector>

#include "poe/experts/gaussian_tree_product.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/sparse_gaussian.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<double> GaussianTreeLogPartition(
    const Product<Scalar>& product) {
  const auto trees = GaussianTreeProduct<Scalar>::View(product);
  if (!trees.ok()) return trees.status();
  const auto combinations = trees->CountCombinations(kMostTreeCombinations);
  if (!combinations.ok()) return combinations.status();
  SparseGaussian gaussian(trees->dimension(), trees->couplings());
  std::vector<double> terms(*combinations);
  for (Index c = 0; c < *combinations; ++c) {
    const auto natural = trees->Given(trees->States(c));
    terms[c] = natural.constant +
               gaussian.LogIntegral(natural.information, natural.precision,
                                    natural.coupling, {}, {});
  }
  return LogSumExp(terms);
}

template absl::StatusOr<double> GaussianTreeLogPartition<float>(
    const Product<float>&);
template absl::StatusOr<double> GaussianTreeLogPartition<double>(
    const Product<double>&);

}  // namespace poe
