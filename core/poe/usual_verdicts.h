// What each expert of a class usually says of the class's observations, and how
// far below that it speaks of others.
#ifndef POE_USUAL_VERDICTS_H_
#define POE_USUAL_VERDICTS_H_

#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// Two quantiles of the log scores of each of M experts. Those of sequences are
// taken for each frame, so that sequences of all lengths can be compared.
// Immutable and thread-safe.
class UsualVerdicts {
 public:
  // From N x M log scores of observations of the class, `frames` long each (1
  // for dense rows). Rows with a value that is not finite, such as those out of
  // support, are left out; nothing if no row is left.
  static std::optional<UsualVerdicts> FromScores(
      const ConstRowMatrixRef<double>& log_scores,
      absl::Span<const Index> frames);

  // M x 2: the lower quartile and the median. InvalidArgument naming the value
  // that is not finite, or less than the one before it.
  static absl::StatusOr<UsualVerdicts> Create(RowMatrix<double> quantiles);

  Index num_experts() const { return quantiles_.rows(); }
  // M x 2, for each frame: the lower quartile and the median.
  const RowMatrix<double>& quantiles() const { return quantiles_; }

  // For N x M log scores of observations of T frames each,
  //   objection = (T median - log score) / max(T (median - quartile), 1):
  // 0 is what the expert usually says, below 0 it is pleased, and above 1 it
  // says less than of three rows in four. The quartile, not a rarer quantile,
  // tells units that are seldom off from those that often are, whose log
  // scores cannot be less than 0. An expert that hardly ever changes its mind
  // is measured in nats, lest a difference without weight looks large. NaN
  // where the log score is.
  RowMatrix<float> Objections(const ConstRowMatrixRef<double>& log_scores,
                              absl::Span<const Index> frames) const;

 private:
  explicit UsualVerdicts(RowMatrix<double> quantiles)
      : quantiles_(std::move(quantiles)) {}

  RowMatrix<double> quantiles_;
};

}  // namespace poe

#endif  // POE_USUAL_VERDICTS_H_
