// Gaussian trees from data: Chow and Liu's maximum spanning tree of mutual
// information, -1/2 log(1 - rho^2) between two coordinates.
#ifndef POE_EXPERTS_FIT_GAUSSIAN_TREE_H_
#define POE_EXPERTS_FIT_GAUSSIAN_TREE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/experts/fit_convergence.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/interrupt_check.h"
#include "poe/numerics/moments.h"

namespace poe {

struct FitGaussianTreeOptions {
  // The variance of a coordinate given its parent is at least this share of
  // its variance without. In (0, 1].
  double least_variance_share = 1e-4;
  // Edges the tree must do without, in any order. Where they leave no other
  // way, the tree falls apart into a forest.
  std::vector<Coupling> excluded;
};

// One expert with one tree, the one of greatest likelihood (but for the floor
// on variances) among those allowed; Prim's algorithm, O(D^2). InvalidArgument
// naming a column that does not vary, or an option at fault.
template <typename Scalar>
absl::StatusOr<typename GaussianTree<Scalar>::Settings> FitGaussianTree(
    const Moments& moments, const FitGaussianTreeOptions& options = {});

// M experts of one tree each, whose edges differ: each tree is the best without
// the edges of those before. Their product at power 1 is the geometric mean of
// the M fitted densities, a logarithmic opinion pool: variances given the
// parent are M times those fitted. A start for
// training them together.
template <typename Scalar>
absl::StatusOr<typename GaussianTree<Scalar>::Settings> FitGaussianTrees(
    const Moments& moments, Index experts,
    const FitGaussianTreeOptions& options = {});

struct FitGaussianTreeMixtureOptions {
  Index num_trees = 2;      // K >= 1
  int max_iterations = 30;  // >= 1, after the start
  // Stops when the mean log likelihood of a row changes by less. The rows of
  // the prior are not in it, so that where there are few others it may fall.
  double tolerance = 1e-6;
  FitGaussianTreeOptions tree;
  // Rows' worth of the moments of all rows that each tree's moments are mixed
  // with, so that none collapses. > 0.
  double prior_rows = 1;
  std::uint64_t seed = 0;  // of the rows that trees grow around at first
};

template <typename Scalar>
struct FittedGaussianTreeMixture : FitConvergence {
  typename GaussianTree<Scalar>::Settings settings;  // M = 1
};

// One expert that is a mixture of K trees, by EM on N x D `rows` with N
// `weights` (empty: all 1): shares of the rows, then each tree by Chow and Liu
// from the rows' moments under its shares; it starts from the trees of the rows
// nearest to K of them. Errors as WeightedMoments and FitGaussianTree,
// FailedPrecondition where the likelihood is not finite, and the status of
// `check`.
template <typename Scalar>
absl::StatusOr<FittedGaussianTreeMixture<Scalar>> FitGaussianTreeMixture(
    const ConstRowMatrixRef<Scalar>& rows, absl::Span<const double> weights,
    const FitGaussianTreeMixtureOptions& options, InterruptCheck check);

}  // namespace poe

#endif  // POE_EXPERTS_FIT_GAUSSIAN_TREE_H_
