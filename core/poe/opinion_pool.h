// Logarithmic opinion pools (the paper, eq. 3): p = prod_m q_m^w_m / Z of
// normalized distributions q_m, with weights w_m >= 0 that sum to 1. For any P,
//   KL(P || p) = sum_m w_m KL(P || q_m) + log Z,
// and log Z <= 0, with equality where all q_m agree: -log Z is what the pool
// gains over its members. Powers are true powers, so p has to be listed, or be
// Gaussian; softening (ExpertGroup::power) is another thing.
#ifndef POE_OPINION_POOL_H_
#define POE_OPINION_POOL_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/interrupt_check.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// InvalidArgument unless these are `opinions` weights, at least 0, that sum
// to 1.
absl::Status CheckPoolWeights(absl::Span<const double> weights, Index opinions);

// Over S listed states.
struct ListedPool {
  Vector<double> log_probabilities;  // S
  double log_partition = 0;          // log Z
};

// `opinions`, M x S: the log probabilities log q_m of the states.
// InvalidArgument unless each row is a distribution, and the weights, M, are at
// least 0 and sum to 1.
absl::StatusOr<ListedPool> PoolListed(const RowMatrix<double>& opinions,
                                      absl::Span<const double> weights);

// The weights whose pool gives the greatest mean log probability to states that
// come with these shares, S, at least 0, that sum to 1: the maximum of a
// concave function, found to 1e-8 of it. InvalidArgument where an argument is
// not as described.
absl::StatusOr<std::vector<double>> LearnListedWeights(
    const RowMatrix<double>& opinions, absl::Span<const double> shares);

struct GaussianOpinion {
  Vector<double> mean;          // D
  RowMatrix<double> precision;  // D x D, symmetric, positive definite
};

struct GaussianPool {
  GaussianOpinion pool;
  double log_partition = 0;  // log Z
};

// InvalidArgument unless the opinions are of one dimension and positive
// definite, and the weights as above.
absl::StatusOr<GaussianPool> PoolGaussians(
    absl::Span<const GaussianOpinion> opinions,
    absl::Span<const double> weights);

// As LearnListedWeights, for data of this mean, D, and covariance, D x D. Also
// the status of `check`, which is asked at every step, O(D^3 + M D^2).
absl::StatusOr<std::vector<double>> LearnGaussianWeights(
    absl::Span<const GaussianOpinion> opinions, const Vector<double>& mean,
    const RowMatrix<double>& covariance, InterruptCheck check);

}  // namespace poe

#endif  // POE_OPINION_POOL_H_
