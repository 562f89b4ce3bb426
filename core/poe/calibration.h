// What scores mean: where a log score stands among those of held-out rows, and
// class probabilities from a separator's decision values.
#ifndef POE_CALIBRATION_H_
#define POE_CALIBRATION_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "Eigen/Core"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// The distribution of one class's held-out rows' log scores under that class,
// as a table of quantiles. Immutable and thread-safe.
class ScorePercentiles {
 public:
  // At most 1,001 equally spaced quantiles of the finite scores; -infinity
  // (out of support) is left out. Nothing if no score is finite.
  static std::optional<ScorePercentiles> FromScores(std::vector<double> scores);

  // Equally spaced quantiles, least to greatest. InvalidArgument unless there
  // is at least one, and all are finite and ascending.
  static absl::StatusOr<ScorePercentiles> Create(std::vector<double> quantiles);

  // In [0, 100]: linear between quantiles, the middle of a run of equal ones;
  // 0 below the least (-infinity and NaN included), 100 above the greatest.
  double Percentile(double log_score) const;

  const std::vector<double>& quantiles() const { return quantiles_; }

 private:
  explicit ScorePercentiles(std::vector<double> quantiles)
      : quantiles_(std::move(quantiles)) {}

  std::vector<double> quantiles_;
};

// probabilities = softmax(slope * decisions + offsets); for two classes this
// is Platt's scaling of their difference. Immutable and thread-safe.
class ProbabilityCalibration {
 public:
  // `slope` > 0, one finite offset for each of at least 2 classes; only their
  // differences matter. InvalidArgument naming the value at fault.
  static absl::StatusOr<ProbabilityCalibration> Create(double slope,
                                                       Eigen::VectorXd offsets);

  double slope() const { return slope_; }
  const Eigen::VectorXd& offsets() const { return offsets_; }  // C

  // N x C probabilities of finite decision values, N x C. A row's have the
  // same bits alone and in any batch.
  RowMatrix<double> Probabilities(
      const ConstRowMatrixRef<double>& decisions) const;

 private:
  ProbabilityCalibration(double slope, Eigen::VectorXd offsets)
      : slope_(slope), offsets_(std::move(offsets)) {}

  double slope_;
  Eigen::VectorXd offsets_;
};

// The posterior mode of slope and offsets given decision values, N x C, and
// labels, N in [0, C), of rows that trained neither products nor separator;
// classes without rows are allowed. The prior is worth about one row: with
// r the root mean square of decision values about their row's mean (1 if that
// is 0), r * slope follows Gamma(shape 2, rate 1), so that the slope is
// positive and stays finite where rows are separated; offsets are normal with
// standard deviation 10. Fitted offsets sum to 0. Deterministic.
//
// InvalidArgument naming the row at fault.
absl::StatusOr<ProbabilityCalibration> FitProbabilityCalibration(
    const ConstRowMatrixRef<double>& decisions,
    absl::Span<const std::int32_t> labels);

}  // namespace poe

#endif  // POE_CALIBRATION_H_
