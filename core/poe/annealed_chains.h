// The walk of annealed importance sampling (Neal, 2001): chains that pass along
// inverse temperatures beta between the base and the product, and the weights
// that they gather on the way.
#ifndef POE_ANNEALED_CHAINS_H_
#define POE_ANNEALED_CHAINS_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/gibbs.h"
#include "poe/product.h"

namespace poe {

// 0, 1/intervals, 2/intervals, ..., 1; `intervals` >= 1.
std::vector<double> EvenInverseTemperatures(int intervals);

// Told, after each temperature, the share of all work that is done, up to 1 at
// the end. Not called where there is nothing to do.
using AnnealingProgress = absl::FunctionRef<void(double share)>;

inline void IgnoreProgress(double) {}

enum class AnnealingDirection {
  kForward,  // from draws of the base to the product
  kReverse,  // from draws of the product to the base
};

struct AnnealedWalk {
  AnnealingDirection direction = AnnealingDirection::kForward;
  // Ascending strictly from 0 to 1, as numbers of the product's Scalar, in
  // either direction. One Gibbs step is taken at each of them but the ends.
  std::vector<double> inverse_temperatures;
  std::uint64_t seed = 0;
  Index chains = 0;
};

// InvalidArgument where the ladder is not as described above.
template <typename Scalar>
absl::Status CheckInverseTemperatures(absl::Span<const double> ladder);

// With b(x) f_beta(x) the product at beta, log f_0 := 0, and x_0, ..., x_K-1
// the states of a chain in ascending order of beta (x_k is left by the Gibbs
// step at beta_k, from x_k-1 in the forward and from x_k+1 in the reverse
// direction), the result for each chain is
//   log w = sum_k log f_beta_k(x_k-1) - log f_beta_k-1(x_k-1),  k = 1 .. K.
// Values that are clamped stay, so that everything is conditional on them.
//
// `start(begin, end)` makes chains [begin, end) where they begin: observations
// with the row ids that name their draws. It is called from several threads at
// once. A chain has the same bits whatever other chains there are and whatever
// the number of workers. As many chains as keep the workers busy walk at a
// time; memory does not grow with their number. `check` and `progress` are
// called by the caller's thread alone; what the former says at some temperature
// ends the walk. The ladder must have passed CheckInverseTemperatures.
template <typename Scalar>
absl::StatusOr<std::vector<double>> AnnealedLogWeights(
    const Product<Scalar>& product, const AnnealedWalk& walk,
    absl::FunctionRef<Observations<Scalar>(Index begin, Index end)> start,
    const Workers& workers, InterruptCheck check, AnnealingProgress progress);

struct AnnealedEstimate {
  double value = 0;
  // Standard error of the value by the delta method: that of the mean weight
  // over the mean weight. It knows only of states that some chain has seen.
  double standard_error = 0;
  // (sum w)^2 / sum w^2, between 1 and the number of chains.
  double effective_sample_size = 0;
  // Whether the estimate's mean is known to lie on one side of the truth: below
  // in the forward direction, above in the reverse one, by about
  // standard_error^2 / 2 where that is small. Not known where reverse chains
  // did not start from exact draws.
  bool is_bound = true;
};

// Of log E[w], from at least two chains.
AnnealedEstimate LogMeanWeight(absl::Span<const double> log_weights);

// Whether so few of the chains have all the weight that value and error say
// nothing: an effective sample size below kLeastEffectiveChains, or half of the
// chains where that is less. The standard error is about the inverse root of
// the size; however wrong the value, it does not pass 1. Of two chains it
// cannot be told.
inline constexpr double kLeastEffectiveChains = 3;
bool HasCollapsed(const AnnealedEstimate& estimate, Index chains);

}  // namespace poe

#endif  // POE_ANNEALED_CHAINS_H_
