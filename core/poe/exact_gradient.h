// The exact gradient of log p(x), or of log p(outputs | inputs), where all
// values can be summed over (the paper, eq. 2, with its expectation computed):
// bits or symbols, few enough that their combinations can be listed. In a
// conditional model only the outputs count; inputs may be anything.
#ifndef POE_EXACT_GRADIENT_H_
#define POE_EXACT_GRADIENT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "poe/gradient_estimate.h"

namespace poe {

// The most combinations that are summed over for a row.
inline constexpr Index kMostCombinations = 4096;

// Not thread-safe. The product must outlive it and may be updated between
// calls.
template <typename Scalar>
class ExactGradient final : public GradientEstimate<Scalar> {
 public:
  // `symbols` is S for categorical data and ignored otherwise; `inputs`, of
  // the product's dimension or empty, is 1 where a column is clamped.
  // FailedPrecondition naming why values cannot be summed over.
  static absl::StatusOr<ExactGradient> Create(
      const Product<Scalar>& product, Index symbols,
      absl::Span<const std::uint8_t> inputs);

  // `data` must be clamped where `inputs` says. `weights`: N, or empty.
  void ComputeGradient(const Observations<Scalar>& data,
                       absl::Span<const Scalar> weights,
                       const Workers& workers);

  // N log probabilities log p(outputs | inputs).
  std::vector<double> LogProbabilities(const Observations<Scalar>& data,
                                       const Workers& workers) const;

  // log Z of a product without inputs.
  double LogPartition(const Workers& workers) const;

  Index combinations() const { return combinations_; }

  // Mean over rows in the last call of ComputeGradient.
  double mean_log_probability() const { return mean_log_probability_; }

 private:
  bool has_inputs() const {
    return static_cast<Index>(outputs_.size()) * columns_ <
           this->product().dimension();
  }

  explicit ExactGradient(const Product<Scalar>& product)
      : GradientEstimate<Scalar>(product) {}

  // Every combination of outputs beside the inputs of rows [begin, end), row
  // by row.
  Observations<Scalar> Combine(const Observations<Scalar>& data, Index begin,
                               Index end) const;
  // log of the sum of p* over the combinations of each row; log scores of all
  // combinations go to `scores`.
  std::vector<double> LogSums(const Observations<Scalar>& combined,
                              const Workers& workers,
                              std::vector<double>& scores) const;

  Index columns_ = 1;           // of a value in a row: S for symbols
  Index states_ = 2;            // of a value
  std::vector<Index> outputs_;  // first column of each output
  Index combinations_ = 1;
  double mean_log_probability_ = 0;
};

}  // namespace poe

#endif  // POE_EXACT_GRADIENT_H_
