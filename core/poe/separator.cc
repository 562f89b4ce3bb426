#include "poe/separator.h"

#include <libsvm/svm.h>
#include <linear.h>

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/symmetric_eigen.h"

namespace poe {
namespace {

constexpr double kHardMarginFirstCost = 100;
constexpr double kHardMarginLastCost = 1e6;
constexpr double kMulticlassCost = 1;
// Directions with less than this share of the variance of a standardized
// feature are rounding noise.
constexpr double kLeastVariance = 1e-10;

// A linear machine over standardized features.
struct Planes {
  RowMatrix<double> weights;
  Eigen::VectorXd biases;
};

std::string Shape(Index rows, Index columns) {
  return absl::StrCat(rows, " x ", columns);
}

absl::Status CheckFinite(const ConstRowMatrixRef<double>& matrix,
                         const char* name) {
  for (Index row = 0; row < matrix.rows(); ++row) {
    for (Index column = 0; column < matrix.cols(); ++column) {
      if (!std::isfinite(matrix(row, column))) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, "[", row, "][", column, "] is ",
                         matrix(row, column), "; it must be finite"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckVector(const Eigen::VectorXd& vector, Index size,
                         const char* name) {
  if (vector.size() != size) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " has ", vector.size(), " entries; it must have ",
                     size, " to fit the weights"));
  }
  for (Index i = 0; i < size; ++i) {
    if (!std::isfinite(vector(i))) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, "[", i, "] is ", vector(i), "; it must be finite"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTrainingSet(const ConstRowMatrixRef<double>& features,
                              absl::Span<const std::int32_t> labels,
                              Index num_classes) {
  if (num_classes < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a separator of ", num_classes, " classes; it needs at least 2"));
  }
  if (features.rows() == 0 || features.cols() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("features are ", Shape(features.rows(), features.cols()),
                     "; a separator needs at least one row and one column"));
  }
  if (static_cast<Index>(labels.size()) != features.rows()) {
    return absl::InvalidArgumentError(
        absl::StrCat(labels.size(), " labels for ", features.rows(),
                     " rows of features; there must be one for each row"));
  }
  if (absl::Status status = CheckFinite(features, "features"); !status.ok()) {
    return status;
  }
  std::vector<bool> seen(num_classes, false);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] < 0 || labels[row] >= num_classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("labels[", row, "] is ", labels[row],
                       "; it must be in [0, ", num_classes, ")"));
    }
    seen[labels[row]] = true;
  }
  for (Index c = 0; c < num_classes; ++c) {
    if (!seen[c]) {
      return absl::InvalidArgumentError(absl::StrCat(
          "class ", c, " has no rows; a separator needs rows of every class"));
    }
  }
  return absl::OkStatus();
}

// Rows of features in the form both libraries read: index from 1, value, and
// -1 at the end. `bias`, if positive, is the value of one more feature.
template <typename Node>
struct SparseRows {
  SparseRows(const RowMatrix<double>& features, double bias) {
    const Index length = features.cols() + (bias > 0 ? 2 : 1);
    nodes.reserve(features.rows() * length);
    for (Index row = 0; row < features.rows(); ++row) {
      int index = 0;
      for (Index f = 0; f < features.cols(); ++f) {
        nodes.push_back({++index, features(row, f)});
      }
      if (bias > 0) nodes.push_back({++index, bias});
      nodes.push_back({-1, 0});
    }
    for (Index row = 0; row < features.rows(); ++row) {
      rows.push_back(nodes.data() + row * length);
    }
  }

  std::vector<Node> nodes;
  std::vector<Node*> rows;
};

void PrintNothing(const char*) {}

// Two rows (-w/2, w/2) of the soft-margin hyperplane. `bounded` is whether the
// cost, rather than the margin, limits some support vector.
Planes FitHyperplane(const RowMatrix<double>& features, std::vector<double>& y,
                     SparseRows<svm_node>& rows, double cost, bool& bounded) {
  svm_problem problem{};
  problem.l = static_cast<int>(y.size());
  problem.y = y.data();
  problem.x = rows.rows.data();
  svm_parameter parameter{};
  parameter.svm_type = C_SVC;
  parameter.kernel_type = LINEAR;
  parameter.cache_size = 64;
  parameter.eps = 1e-4;
  parameter.C = cost;
  parameter.shrinking = 1;
  const auto destroy = [](svm_model* model) {
    svm_free_and_destroy_model(&model);
  };
  const std::unique_ptr<svm_model, decltype(destroy)> model(
      svm_train(&problem, &parameter), destroy);

  Eigen::VectorXd normal = Eigen::VectorXd::Zero(features.cols());
  bounded = false;
  for (int i = 0; i < model->l; ++i) {
    const double coefficient = model->sv_coef[0][i];
    normal += coefficient * features.row(model->sv_indices[i] - 1).transpose();
    bounded = bounded || std::abs(coefficient) >= cost;
  }
  // LIBSVM's positive side is that of label[0].
  const double half = model->label[0] == 1 ? 0.5 : -0.5;
  Planes planes{RowMatrix<double>(2, features.cols()), Eigen::VectorXd(2)};
  planes.weights.row(1) = half * normal.transpose();
  planes.weights.row(0) = -planes.weights.row(1);
  planes.biases(1) = -half * model->rho[0];
  planes.biases(0) = -planes.biases(1);
  return planes;
}

bool Separates(const Planes& planes, const RowMatrix<double>& features,
               const std::vector<double>& y) {
  for (Index row = 0; row < features.rows(); ++row) {
    const double side =
        planes.weights.row(1).dot(features.row(row)) + planes.biases(1);
    if (y[row] * side <= 0) return false;
  }
  return true;
}

absl::StatusOr<Planes> FitTwoClassMargin(const RowMatrix<double>& features,
                                         absl::Span<const std::int32_t> labels,
                                         std::optional<double> given_cost,
                                         InterruptCheck check) {
  [[maybe_unused]] static const bool silenced = [] {
    svm_set_print_string_function(PrintNothing);
    return true;
  }();
  SparseRows<svm_node> rows(features, 0);
  std::vector<double> y;
  for (const std::int32_t label : labels) y.push_back(label == 1 ? 1 : -1);
  double cost = given_cost.value_or(kHardMarginFirstCost);
  bool bounded = false;
  Planes planes = FitHyperplane(features, y, rows, cost, bounded);
  while (!given_cost.has_value() && bounded && cost < kHardMarginLastCost &&
         Separates(planes, features, y)) {
    if (absl::Status status = check(); !status.ok()) return status;
    cost *= 10;
    planes = FitHyperplane(features, y, rows, cost, bounded);
  }
  return planes;
}

// LIBLINEAR's machines over C rows of weights; of logistic machines for two
// classes there is one, which is stored as (-w/2, w/2).
Planes FitLiblinear(const RowMatrix<double>& features,
                    absl::Span<const std::int32_t> labels, Index num_classes,
                    SeparatorOptions::Method method, double cost) {
  const bool logistic = method == SeparatorOptions::Method::kLogistic;
  SparseRows<feature_node> rows(features, 1);
  std::vector<double> y(labels.begin(), labels.end());
  problem problem{};
  problem.l = static_cast<int>(y.size());
  problem.n = static_cast<int>(features.cols()) + 1;
  problem.y = y.data();
  problem.x = rows.rows.data();
  problem.bias = 1;
  parameter parameter{};
  parameter.solver_type = logistic ? L2R_LR : MCSVM_CS;
  parameter.eps = logistic ? 1e-4 : 1e-2;
  parameter.C = cost;
  const auto destroy = [](model* fitted) { free_and_destroy_model(&fitted); };
  const std::unique_ptr<model, decltype(destroy)> fitted(
      [&] {
        static std::mutex rand_mutex;
        const std::lock_guard<std::mutex> lock(rand_mutex);
        set_print_string_function(PrintNothing);
        std::srand(1);
        return train(&problem, &parameter);
      }(),
      destroy);

  const double share = logistic && num_classes == 2 ? 0.5 : 1;
  Planes planes{RowMatrix<double>(num_classes, features.cols()),
                Eigen::VectorXd(num_classes)};
  for (int i = 0; i < fitted->nr_class; ++i) {
    const int c = fitted->label[i];
    for (Index f = 0; f < features.cols(); ++f) {
      planes.weights(c, f) =
          share * get_decfun_coef(fitted.get(), static_cast<int>(f) + 1, i);
    }
    planes.biases(c) = share * get_decfun_bias(fitted.get(), i);
  }
  return planes;
}

// F x F: maps centred features to uncorrelated ones of variance 1.
RowMatrix<double> WhiteningOf(const RowMatrix<double>& features) {
  const Eigen::MatrixXd covariance =
      features.transpose() * features / static_cast<double>(features.rows());
  const SymmetricEigen eigen = EigenOf(covariance);
  const Eigen::VectorXd scale = eigen.values.unaryExpr(
      [](double v) { return v > kLeastVariance ? 1 / std::sqrt(v) : 0.0; });
  return eigen.vectors * scale.asDiagonal();
}

// LIBLINEAR on whitened features, whose planes are carried back.
Planes FitWhitened(const RowMatrix<double>& features,
                   absl::Span<const std::int32_t> labels, Index num_classes,
                   SeparatorOptions::Method method, double cost) {
  const RowMatrix<double> whitening = WhiteningOf(features);
  const RowMatrix<double> whitened = features * whitening;
  Planes planes = FitLiblinear(whitened, labels, num_classes, method, cost);
  planes.weights = (planes.weights * whitening.transpose()).eval();
  return planes;
}

}  // namespace

absl::StatusOr<Separator> Separator::Create(SeparatorParameters parameters) {
  const Index classes = parameters.weights.rows();
  const Index features = parameters.weights.cols();
  if (classes < 2 || features < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights are ", Shape(classes, features),
                     "; a separator needs at least 2 classes and 1 feature"));
  }
  for (const absl::Status& status :
       {CheckFinite(parameters.weights, "weights"),
        CheckVector(parameters.biases, classes, "biases"),
        CheckVector(parameters.feature_mean, features, "feature_mean"),
        CheckVector(parameters.feature_scale, features, "feature_scale")}) {
    if (!status.ok()) return status;
  }
  for (Index f = 0; f < features; ++f) {
    if (!(parameters.feature_scale(f) > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("feature_scale[", f, "] is ",
                       parameters.feature_scale(f), "; it must be positive"));
    }
  }
  return Separator(std::move(parameters));
}

RowMatrix<double> Separator::Decisions(
    const ConstRowMatrixRef<double>& features) const {
  const SeparatorParameters& p = parameters_;
  RowMatrix<double> decisions(features.rows(), num_classes());
  Eigen::VectorXd standardized(num_features());
  for (Index row = 0; row < features.rows(); ++row) {
    for (Index f = 0; f < num_features(); ++f) {
      standardized(f) =
          (features(row, f) - p.feature_mean(f)) / p.feature_scale(f);
    }
    for (Index c = 0; c < num_classes(); ++c) {
      double sum = p.biases(c);
      for (Index f = 0; f < num_features(); ++f) {
        sum += p.weights(c, f) * standardized(f);
      }
      decisions(row, c) = sum;
    }
  }
  return decisions;
}

Classification Separator::Classify(
    const ConstRowMatrixRef<double>& features) const {
  Classification result;
  result.decisions = Decisions(features);
  for (Index row = 0; row < features.rows(); ++row) {
    const auto decisions = result.decisions.row(row);
    Index best = decisions(1) > decisions(0) ? 1 : 0;
    Index second = 1 - best;
    for (Index c = 2; c < num_classes(); ++c) {
      if (decisions(c) > decisions(best)) {
        second = best;
        best = c;
      } else if (decisions(c) > decisions(second)) {
        second = c;
      }
    }
    result.labels.push_back(static_cast<std::int32_t>(best));
    result.margins.push_back(decisions(best) - decisions(second));
  }
  return result;
}

absl::StatusOr<Separator> FitSeparator(
    const ConstRowMatrixRef<double>& features,
    absl::Span<const std::int32_t> labels, Index num_classes,
    const SeparatorOptions& options, InterruptCheck check) {
  if (absl::Status status = CheckTrainingSet(features, labels, num_classes);
      !status.ok()) {
    return status;
  }
  if (options.cost.has_value() &&
      !(*options.cost > 0 && std::isfinite(*options.cost))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cost is ", *options.cost, "; it must be positive and finite"));
  }
  SeparatorParameters parameters;
  parameters.feature_mean = features.colwise().mean();
  RowMatrix<double> standardized =
      features.rowwise() - parameters.feature_mean.transpose();
  parameters.feature_scale =
      standardized.array().square().colwise().mean().sqrt().matrix();
  for (Index f = 0; f < features.cols(); ++f) {
    if (parameters.feature_scale(f) == 0 ||
        features.col(f).minCoeff() == features.col(f).maxCoeff()) {
      parameters.feature_mean(f) = features(0, f);
      parameters.feature_scale(f) = 1;
      standardized.col(f).setZero();
    }
  }
  if (!parameters.feature_scale.allFinite()) {
    return absl::InvalidArgumentError(
        "features are too large: their variance is not finite");
  }
  standardized.array().rowwise() /=
      parameters.feature_scale.transpose().array();

  if (absl::Status status = check(); !status.ok()) return status;
  const bool two_class_margin =
      num_classes == 2 &&
      options.method == SeparatorOptions::Method::kMaximumMargin;
  absl::StatusOr<Planes> planes =
      two_class_margin
          ? FitTwoClassMargin(standardized, labels, options.cost, check)
          : FitWhitened(standardized, labels, num_classes, options.method,
                        options.cost.value_or(kMulticlassCost));
  if (!planes.ok()) return planes.status();
  parameters.weights = std::move(planes->weights);
  parameters.biases = std::move(planes->biases);
  return Separator::Create(std::move(parameters));
}

}  // namespace poe
