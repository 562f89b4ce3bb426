// Annealed importance sampling (Neal, 2001): log Z of a product, estimated
// along the inverse temperature beta from the base, whose normalizer is known,
// to the product.
#ifndef POE_ANNEALED_IMPORTANCE_H_
#define POE_ANNEALED_IMPORTANCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/gibbs.h"
#include "poe/product.h"

namespace poe {

struct AnnealedImportanceOptions {
  // Independent; at least 2, so that there is an error.
  Index chains = 1000;
  // Strictly ascending from 0 to 1, as numbers of the product's Scalar. One
  // Gibbs step is taken at each of them but the ends.
  std::vector<double> inverse_temperatures;
  std::uint64_t seed = 0;
  // Frames of a sequence, whose Z depends on it; 1 for dense rows.
  Index length = 1;
};

struct LogPartitionEstimate {
  double value = 0;  // log Z
  // By the delta method: the weights' standard error over their mean. It knows
  // only of states that some chain has seen.
  double standard_error = 0;
  // (sum w)^2 / sum w^2, between 1 and the number of chains.
  double effective_sample_size = 0;
};

// 0, 1/intervals, 2/intervals, ..., 1; `intervals` >= 1.
std::vector<double> EvenInverseTemperatures(int intervals);

// The forward direction, from the base to the product. Chain n starts from an
// exact draw x_0 of the base; with b(x) f_beta(x) the product at beta, and x_k
// what a Gibbs step at beta_k makes of x_k-1, its weight is
//   log w_n = sum_k log f_beta_k(x_k-1) - log f_beta_k-1(x_k-1),  log f_0 := 0,
//   Z       = Z_base E[w],
// exactly, whatever the ladder; so the estimate of log Z is too low on average,
// by about standard_error^2 / 2 where that is small. As a kind's log score at
// beta = 0 is a constant that drops out, it is never asked for.
//
// Same bits for any number of workers. Every chain is in memory at once.
// InvalidArgument where an option is out of its range; FailedPrecondition where
// the base's normalizer is not known; whatever `check` says, asked before each
// Gibbs step. For grey levels the answer is log Z over bits, which normalizes
// no score of theirs.
template <typename Scalar>
absl::StatusOr<LogPartitionEstimate> EstimateLogPartition(
    const Product<Scalar>& product, const AnnealedImportanceOptions& options,
    const Workers& workers, InterruptCheck check);

}  // namespace poe

#endif  // POE_ANNEALED_IMPORTANCE_H_
