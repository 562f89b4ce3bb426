// Exact maximum likelihood for products of single Gaussian trees. Such a
// product is one Gaussian, so the likelihood and its gradient (the paper, eq.
// 2) depend on the data through their first and second moments alone.
#ifndef POE_EXPERTS_TRAIN_GAUSSIAN_TREES_H_
#define POE_EXPERTS_TRAIN_GAUSSIAN_TREES_H_

#include "absl/status/statusor.h"
#include "poe/numerics/moments.h"
#include "poe/numerics/workers.h"
#include "poe/optimizer.h"
#include "poe/product.h"

namespace poe {

// Per row, of the normalized density.
template <typename Scalar>
struct TreeLikelihood {
  double mean_log_likelihood;
  Vector<Scalar> gradient;  // base (0 where it is fixed), then groups in order
};

// Of data with these moments; O(D^3 + M D^2). FailedPrecondition where the base
// is not a structured Gaussian, a group is not of Gaussian trees, or an expert
// has more than one latent state; InvalidArgument where the moments are of
// another dimension.
template <typename Scalar>
absl::StatusOr<TreeLikelihood<Scalar>> ExactTreeLikelihood(
    const Product<Scalar>& product, const Moments& data,
    const Workers& workers);

struct TreeTrainingSettings {
  TreeTrainingSettings();
  OptimizerSettings optimizer;  // Adam at 0.02, falling to 0 by a cosine
  int updates = 500;            // >= 0
};

template <typename Scalar>
struct TrainedTrees {
  Product<Scalar> product;
  double mean_log_likelihood;  // of the training data
};

// Gradient ascent from `start` on the mean log likelihood; returns the best
// product met on the way, `start` included. Errors as ExactTreeLikelihood, or
// naming the setting at fault.
template <typename Scalar>
absl::StatusOr<TrainedTrees<Scalar>> TrainGaussianTrees(
    const Product<Scalar>& start, const Moments& data,
    const TreeTrainingSettings& settings, const Workers& workers);

}  // namespace poe

#endif  // POE_EXPERTS_TRAIN_GAUSSIAN_TREES_H_
