// The linear classifier over log scores: one feature for each class and layer,
// as in the paper's classification of digits by class-specific products.
#ifndef POE_SEPARATOR_H_
#define POE_SEPARATOR_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "Eigen/Core"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/interrupt_check.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// C classes (at least 2), F features (at least 1).
struct SeparatorParameters {
  Eigen::VectorXd feature_mean;   // F
  Eigen::VectorXd feature_scale;  // F, > 0
  RowMatrix<double> weights;      // C x F
  Eigen::VectorXd biases;         // C
};

// What a separator says of N observations.
struct Classification {
  RowMatrix<double> decisions;       // N x C
  std::vector<std::int32_t> labels;  // N
  std::vector<double> margins;       // N, >= 0
};

// Immutable and thread-safe. A row's results have the same bits alone and in
// any batch.
class Separator {
 public:
  // InvalidArgument naming the parameter at fault.
  static absl::StatusOr<Separator> Create(SeparatorParameters parameters);

  Index num_classes() const { return parameters_.weights.rows(); }
  Index num_features() const { return parameters_.weights.cols(); }
  const SeparatorParameters& parameters() const { return parameters_; }

  // N x C decision values of finite features, N x F:
  // weights . (feature - mean) / scale + biases.
  RowMatrix<double> Decisions(const ConstRowMatrixRef<double>& features) const;

  // The label is the class of the greatest decision value, the lowest such
  // class where several are equal; the margin is that value minus the
  // runner-up's. Features as for Decisions.
  Classification Classify(const ConstRowMatrixRef<double>& features) const;

 private:
  explicit Separator(SeparatorParameters parameters)
      : parameters_(std::move(parameters)) {}

  SeparatorParameters parameters_;
};

struct SeparatorOptions {
  enum class Method {
    // Two classes: C-SVC (LIBSVM), the hyperplane of maximum margin. More: the
    // multiclass machine of Crammer and Singer (LIBLINEAR).
    kMaximumMargin,
    // L2-regularized logistic regression, one class against the rest
    // (LIBLINEAR).
    kLogistic,
  };
  Method method = Method::kMaximumMargin;

  // Cost of a row inside the margin, in units of standardized features; > 0.
  // Absent: 1, except that two classes of maximum margin get a hard margin
  // where the rows allow it. The cost there is 100, and rises tenfold up to
  // 1e6 as long as no row is on the wrong side but some are inside the margin.
  // Rows that are not separated keep 100: there is no hard margin to be found,
  // and at 1e6 LIBSVM stops at its limit of iterations with nothing usable.
  // At 100, rows that overlap by a quarter take 1 s for 2,000 of them and 10 s
  // for 10,000; separable rows take less than 1 s.
  std::optional<double> cost;
};

// Fits to finite features, N x F, and labels, N in [0, num_classes), each
// class at least once. Features are standardized to mean 0 and variance 1; one
// of variance 0 gets scale 1 and thereby weight 0. For two classes of maximum
// margin the hyperplane (w, b) is stored as rows (-w/2, w/2), so that decision
// values differ by w . x + b. For LIBLINEAR, features are whitened as well: log
// scores of one observation under different classes rise and fall together, and
// what tells classes apart lies in directions of little variance. It
// regularizes biases like weights, which costs little with centred features.
//
// Deterministic and thread-safe. LIBLINEAR's multiclass machine shuffles by
// rand(): these fits run one at a time, each after srand() with a fixed seed,
// so they disturb, and are disturbed by, whoever else uses rand() meanwhile.
//
// `check` is asked before each fit, of which a hard margin takes up to five:
// the libraries have no way to end one. InvalidArgument naming the row, class
// or option at fault; the status of `check`.
absl::StatusOr<Separator> FitSeparator(
    const ConstRowMatrixRef<double>& features,
    absl::Span<const std::int32_t> labels, Index num_classes,
    const SeparatorOptions& options, InterruptCheck check);

}  // namespace poe

#endif  // POE_SEPARATOR_H_
