#include "poe/experts/gaussian_tree_partition.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/experts/gaussian_tree_product.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/sparse_gaussian.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<double> GaussianTreeLogPartition(
    const Product<Scalar>& product) {
  const auto trees = GaussianTreeProduct<Scalar>::View(product);
  if (!trees.ok()) return trees.status();
  Index combinations = 1;
  for (Index states : trees->num_states()) {
    combinations *= states;
    if (combinations > kMostTreeCombinations)
      return absl::FailedPreconditionError(
          absl::StrCat("the experts have more than ", kMostTreeCombinations,
                       " combinations of latent states, too many to sum over"));
  }
  SparseGaussian gaussian(trees->dimension(), trees->couplings());
  std::vector<Index> states(trees->num_states().size());
  std::vector<double> terms(combinations);
  for (Index c = 0; c < combinations; ++c) {
    Index rest = c;
    for (std::size_t m = 0; m < states.size(); ++m) {
      states[m] = rest % trees->num_states()[m];
      rest /= trees->num_states()[m];
    }
    const auto natural = trees->Given(states);
    terms[c] = natural.constant + gaussian.LogIntegral(natural.information,
                                                       natural.precision,
                                                       natural.coupling);
  }
  return LogSumExp(terms);
}

template absl::StatusOr<double> GaussianTreeLogPartition<float>(
    const Product<float>&);
template absl::StatusOr<double> GaussianTreeLogPartition<double>(
    const Product<double>&);

}  // namespace poe
