#include "poe/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "Eigen/Cholesky"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

constexpr std::size_t kMaxQuantiles = 1001;
constexpr double kOffsetPrecision = 0.01;
constexpr int kMaxNewtonSteps = 200;

// Replaces a row of logits by their softmax and returns the log of the sum of
// exponentials.
double Softmax(double* logits, Index size) {
  const double greatest = *std::max_element(logits, logits + size);
  double sum = 0;
  for (Index c = 0; c < size; ++c) {
    logits[c] = std::exp(logits[c] - greatest);
    sum += logits[c];
  }
  for (Index c = 0; c < size; ++c) logits[c] /= sum;
  return greatest + std::log(sum);
}

// The log posterior of theta = (slope, offsets), concave, over decision values
// that are centred by row and scaled to a root mean square of 1.
struct LogPosterior {
  const RowMatrix<double>& decisions;
  absl::Span<const std::int32_t> labels;

  // Fills `probabilities` (N x C) as well. Needs theta(0) > 0.
  double Value(const Eigen::VectorXd& theta,
               RowMatrix<double>& probabilities) const {
    const double slope = theta(0);
    const auto offsets = theta.tail(decisions.cols());
    probabilities = (slope * decisions).rowwise() + offsets.transpose();
    double value = std::log(slope) - slope -
                   0.5 * kOffsetPrecision * offsets.squaredNorm();
    for (Index row = 0; row < decisions.rows(); ++row) {
      value += probabilities(row, labels[row]);
      value -= Softmax(probabilities.row(row).data(), decisions.cols());
    }
    return value;
  }

  Eigen::VectorXd Gradient(const Eigen::VectorXd& theta,
                           const RowMatrix<double>& probabilities) const {
    Eigen::VectorXd gradient(theta.size());
    auto offsets = gradient.tail(decisions.cols());
    gradient(0) =
        1 / theta(0) - 1 - decisions.cwiseProduct(probabilities).sum();
    offsets = -kOffsetPrecision * theta.tail(decisions.cols()) -
              probabilities.colwise().sum().transpose();
    for (Index row = 0; row < decisions.rows(); ++row) {
      gradient(0) += decisions(row, labels[row]);
      offsets(labels[row]) += 1;
    }
    return gradient;
  }

  // Minus the second derivatives: positive definite.
  Eigen::MatrixXd Curvature(const Eigen::VectorXd& theta,
                            const RowMatrix<double>& probabilities) const {
    const Index classes = decisions.cols();
    const RowMatrix<double> weighted = decisions.cwiseProduct(probabilities);
    const Eigen::VectorXd mean = weighted.rowwise().sum();
    Eigen::MatrixXd curvature(theta.size(), theta.size());
    curvature(0, 0) = 1 / (theta(0) * theta(0)) +
                      weighted.cwiseProduct(decisions).sum() -
                      mean.squaredNorm();
    curvature.col(0).tail(classes) =
        weighted.colwise().sum().transpose() - probabilities.transpose() * mean;
    curvature.row(0).tail(classes) = curvature.col(0).tail(classes).transpose();
    auto offsets = curvature.bottomRightCorner(classes, classes);
    offsets = -(probabilities.transpose() * probabilities);
    offsets.diagonal() += probabilities.colwise().sum().transpose();
    offsets.diagonal().array() += kOffsetPrecision;
    return curvature;
  }
};

// Newton's method, each step halved until it gains.
Eigen::VectorXd Maximize(const LogPosterior& posterior) {
  Eigen::VectorXd theta = Eigen::VectorXd::Zero(posterior.decisions.cols() + 1);
  theta(0) = 1;
  RowMatrix<double> probabilities;
  double value = posterior.Value(theta, probabilities);
  for (int step = 0; step < kMaxNewtonSteps; ++step) {
    const Eigen::VectorXd gradient = posterior.Gradient(theta, probabilities);
    const Eigen::VectorXd direction =
        posterior.Curvature(theta, probabilities).ldlt().solve(gradient);
    const double promised = gradient.dot(direction);
    if (!(promised > 1e-12)) break;
    double length = 1;
    Eigen::VectorXd candidate;
    RowMatrix<double> candidate_probabilities;
    double candidate_value = 0;
    bool gained = false;
    for (; !gained && length > 1e-10; length /= 2) {
      candidate = theta + length * direction;
      if (!(candidate(0) > 0)) continue;
      candidate_value = posterior.Value(candidate, candidate_probabilities);
      gained = candidate_value > value + 1e-4 * length * promised;
    }
    if (!gained) break;
    theta = candidate;
    probabilities.swap(candidate_probabilities);
    value = candidate_value;
  }
  return theta;
}

absl::Status CheckDecisions(const ConstRowMatrixRef<double>& decisions,
                            absl::Span<const std::int32_t> labels) {
  if (decisions.rows() < 1 || decisions.cols() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "decisions are ", decisions.rows(), " x ", decisions.cols(),
        "; a calibration needs at least one row and 2 classes"));
  }
  if (static_cast<Index>(labels.size()) != decisions.rows()) {
    return absl::InvalidArgumentError(
        absl::StrCat(labels.size(), " labels for ", decisions.rows(),
                     " rows of decisions; there must be one for each row"));
  }
  for (Index row = 0; row < decisions.rows(); ++row) {
    if (labels[row] < 0 || labels[row] >= decisions.cols()) {
      return absl::InvalidArgumentError(
          absl::StrCat("labels[", row, "] is ", labels[row],
                       "; it must be in [0, ", decisions.cols(), ")"));
    }
    for (Index c = 0; c < decisions.cols(); ++c) {
      if (!std::isfinite(decisions(row, c))) {
        return absl::InvalidArgumentError(
            absl::StrCat("decisions[", row, "][", c, "] is ", decisions(row, c),
                         "; it must be finite"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<ScorePercentiles> ScorePercentiles::FromScores(
    std::vector<double> scores) {
  std::erase_if(scores, [](double score) { return !std::isfinite(score); });
  if (scores.empty()) return std::nullopt;
  std::sort(scores.begin(), scores.end());
  if (scores.size() <= kMaxQuantiles) {
    return ScorePercentiles(std::move(scores));
  }
  std::vector<double> quantiles(kMaxQuantiles);
  const double last = static_cast<double>(scores.size() - 1);
  for (std::size_t i = 0; i < kMaxQuantiles; ++i) {
    const double position =
        last * static_cast<double>(i) / static_cast<double>(kMaxQuantiles - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, scores.size() - 1);
    quantiles[i] = std::lerp(scores[below], scores[above],
                             position - static_cast<double>(below));
  }
  return ScorePercentiles(std::move(quantiles));
}

absl::StatusOr<ScorePercentiles> ScorePercentiles::Create(
    std::vector<double> quantiles) {
  if (quantiles.empty()) {
    return absl::InvalidArgumentError(
        "quantiles are empty; there must be at least one");
  }
  for (std::size_t i = 0; i < quantiles.size(); ++i) {
    if (!std::isfinite(quantiles[i])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "quantiles[", i, "] is ", quantiles[i], "; it must be finite"));
    }
    if (i > 0 && quantiles[i] < quantiles[i - 1]) {
      return absl::InvalidArgumentError(
          absl::StrCat("quantiles[", i, "] is ", quantiles[i], ", less than ",
                       quantiles[i - 1], " before it; they must ascend"));
    }
  }
  return ScorePercentiles(std::move(quantiles));
}

double ScorePercentiles::Percentile(double log_score) const {
  if (!(log_score >= quantiles_.front())) return 0;
  if (log_score > quantiles_.back()) return 100;
  if (quantiles_.size() == 1) return 50;
  const auto [first, last] =
      std::equal_range(quantiles_.begin(), quantiles_.end(), log_score);
  const double rank = static_cast<double>(first - quantiles_.begin());
  double position = rank + static_cast<double>(last - first - 1) / 2;
  if (first == last) {
    // Halves, so that no difference overflows.
    const double below = *(first - 1) / 2;
    position = rank - 1 + (log_score / 2 - below) / (*first / 2 - below);
  }
  return 100 * position / static_cast<double>(quantiles_.size() - 1);
}

absl::StatusOr<ProbabilityCalibration> ProbabilityCalibration::Create(
    double slope, Eigen::VectorXd offsets) {
  if (!(slope > 0 && std::isfinite(slope))) {
    return absl::InvalidArgumentError(
        absl::StrCat("slope is ", slope, "; it must be positive and finite"));
  }
  if (offsets.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("offsets have ", offsets.size(),
                     " entries; there must be one for each of at least 2 "
                     "classes"));
  }
  for (Index c = 0; c < offsets.size(); ++c) {
    if (!std::isfinite(offsets(c))) {
      return absl::InvalidArgumentError(absl::StrCat(
          "offsets[", c, "] is ", offsets(c), "; it must be finite"));
    }
  }
  return ProbabilityCalibration(slope, std::move(offsets));
}

RowMatrix<double> ProbabilityCalibration::Probabilities(
    const ConstRowMatrixRef<double>& decisions) const {
  RowMatrix<double> probabilities(decisions.rows(), decisions.cols());
  for (Index row = 0; row < decisions.rows(); ++row) {
    // Relative to the greatest decision, so that no product overflows upwards.
    const double greatest = decisions.row(row).maxCoeff();
    for (Index c = 0; c < decisions.cols(); ++c) {
      probabilities(row, c) =
          slope_ * (decisions(row, c) - greatest) + offsets_(c);
    }
    Softmax(probabilities.row(row).data(), decisions.cols());
  }
  return probabilities;
}

absl::StatusOr<ProbabilityCalibration> FitProbabilityCalibration(
    const ConstRowMatrixRef<double>& decisions,
    absl::Span<const std::int32_t> labels) {
  if (absl::Status status = CheckDecisions(decisions, labels); !status.ok()) {
    return status;
  }
  const Eigen::VectorXd row_means = decisions.rowwise().mean();
  RowMatrix<double> scaled = decisions.colwise() - row_means;
  double unit =
      scaled.stableNorm() / std::sqrt(static_cast<double>(scaled.size()));
  if (!std::isfinite(unit)) {
    return absl::InvalidArgumentError(
        "decisions are too large: their differences are not finite");
  }
  if (unit == 0) unit = 1;
  scaled /= unit;
  const Eigen::VectorXd theta = Maximize({scaled, labels});
  Eigen::VectorXd offsets = theta.tail(decisions.cols());
  offsets.array() -= offsets.mean();
  return ProbabilityCalibration::Create(theta(0) / unit, std::move(offsets));
}

}  // namespace poe
