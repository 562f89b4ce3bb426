#include "poe/experts/fit_gaussian_mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/components.h"
#include "poe/experts/diagonal_gaussians.h"
#include "poe/numerics/random.h"

namespace poe {
namespace {

constexpr Index kChunkRows = 4096;  // whose features are held at a time
constexpr Index kLeastFitRows = 64;
constexpr double kVarianceRange = 1e6;  // to either side of the data's
// A component that explains nothing keeps this share, so that its logit is
// finite.
constexpr double kLeastShare = 1e-30;

struct Mixture {
  RowMatrix<double> mean, log_variance;  // K x D
  Vector<double> log_share;              // K
};

// Sums over rows of weight times responsibility.
struct Sums {
  Vector<double> total;        // K
  RowMatrix<double> features;  // 2D x K: of (x - centre)^2, x - centre
  Vector<double> centre;       // D
  double log_likelihood = 0;
};

template <typename Scalar>
class Fitter {
 public:
  Fitter(const Observations<Scalar>& x, absl::Span<const double> weights,
         const FitGaussianMixtureOptions& options, const Workers& workers,
         InterruptCheck check)
      : x_(x),
        rows_(x.frames()),
        options_(options),
        workers_(workers),
        check_(check) {
    weights_ = Vector<double>::Ones(rows_);
    if (!weights.empty())
      weights_ = Eigen::Map<const Vector<double>>(weights.data(), rows_);
  }

  absl::StatusOr<FittedGaussianMixture<Scalar>> Fit() {
    absl::StatusOr<std::vector<Index>> clusters = DrawClusters();
    if (!clusters.ok()) return clusters.status();
    total_weight_ = weights_.sum();
    BoundVariances();
    Mixture mixture = MixtureOf(*clusters);
    FittedGaussianMixture<Scalar> fit;
    for (int iteration = 0;; ++iteration) {
      if (absl::Status status = check_(); !status.ok()) return status;
      const Sums sums = Expect(mixture);
      const double now = sums.log_likelihood / total_weight_;
      if (!std::isfinite(now))
        return absl::FailedPreconditionError(
            absl::StrCat("the likelihood of a mixture is not finite after ",
                         iteration, " iterations; scale the data"));
      if (iteration > 0) {
        fit.iterations = iteration;
        fit.last_gain = now - fit.log_likelihoods.back();
        fit.converged = fit.last_gain < options_.tolerance;
      }
      fit.log_likelihoods.push_back(now);
      if (fit.converged || iteration == options_.max_iterations) break;
      Maximize(sums, mixture);
    }
    fit.settings.mean = mixture.mean.template cast<Scalar>();
    fit.settings.log_variance = mixture.log_variance.template cast<Scalar>();
    fit.settings.mixing_logit =
        mixture.log_share.transpose().template cast<Scalar>();
    fit.settings.least_log_variance = std::log(least_variance_);
    fit.settings.greatest_log_variance = std::log(greatest_variance_);
    return fit;
  }

 private:
  auto Row(Index n) const {
    return x_.values.row(n).transpose().template cast<double>();
  }

  // The cluster of each row: that of the nearest of K drawn rows.
  absl::StatusOr<std::vector<Index>> DrawClusters() const {
    std::vector<Index> clusters(rows_, 0);
    Vector<double> mass = weights_;
    Vector<double> squared_distance = Vector<double>::Constant(
        rows_, std::numeric_limits<double>::infinity());
    for (Index k = 0; k < options_.num_components; ++k) {
      const double total = mass.sum();
      if (!std::isfinite(total))
        return absl::FailedPreconditionError(
            "weights, or squared distances between rows, are too large to add; "
            "scale them");
      if (!(total > 0))
        return absl::FailedPreconditionError(absl::StrCat(
            "only ", k, " distinct rows have weight; a mixture of ",
            options_.num_components, " components needs as many"));
      const Vector<double> drawn = Row(DrawRow(mass, total, k));
      for (Index n = 0; n < rows_; ++n) {
        const double distance = (Row(n) - drawn).squaredNorm();
        if (distance < squared_distance(n)) {
          squared_distance(n) = distance;
          clusters[n] = k;
        }
      }
      mass = weights_.cwiseProduct(squared_distance);
    }
    return clusters;
  }

  // A row drawn with probability proportional to its mass.
  Index DrawRow(const Vector<double>& mass, double total, Index k) const {
    double uniform;
    FillUniform({options_.seed, Purpose::kInitialize, 0, 0},
                static_cast<std::uint64_t>(k), absl::MakeSpan(&uniform, 1));
    double rest = uniform * total;
    Index drawn = 0;
    for (Index n = 0; n < rows_ && rest >= 0; ++n) {
      if (!(mass(n) > 0)) continue;
      drawn = n;
      rest -= mass(n);
    }
    return drawn;
  }

  void BoundVariances() {
    Vector<double> mean = Vector<double>::Zero(x_.dimension());
    for (Index n = 0; n < rows_; ++n) mean += weights_(n) * Row(n);
    mean /= total_weight_;
    double variance = 0;
    for (Index n = 0; n < rows_; ++n)
      variance += weights_(n) * (Row(n) - mean).squaredNorm();
    variance /= total_weight_ * static_cast<double>(x_.dimension());
    if (!(variance > 0)) variance = 1;
    least_variance_ =
        options_.least_variance.value_or(variance / kVarianceRange);
    greatest_variance_ = kVarianceRange * std::max(variance, least_variance_);
  }

  double LogVariance(double variance) const {
    return std::log(
        std::min(std::max(variance, least_variance_), greatest_variance_));
  }

  // Means and shares of the clusters, and the variance within clusters, which
  // is the same for all: a cluster of one row has none of its own.
  Mixture MixtureOf(const std::vector<Index>& clusters) const {
    const Index components = options_.num_components, width = x_.dimension();
    Mixture mixture;
    mixture.mean = RowMatrix<double>::Zero(components, width);
    Vector<double> total = Vector<double>::Zero(components);
    for (Index n = 0; n < rows_; ++n) {
      mixture.mean.row(clusters[n]) += weights_(n) * Row(n).transpose();
      total(clusters[n]) += weights_(n);
    }
    for (Index k = 0; k < components; ++k) mixture.mean.row(k) /= total(k);
    Vector<double> variance = Vector<double>::Zero(width);
    for (Index n = 0; n < rows_; ++n)
      variance +=
          weights_(n) *
          (Row(n) - mixture.mean.row(clusters[n]).transpose()).cwiseAbs2();
    variance /= total_weight_;
    for (double& value : variance) value = LogVariance(value);
    mixture.log_variance = variance.transpose().replicate(components, 1);
    mixture.log_share = (total / total_weight_).array().log();
    return mixture;
  }

  Sums Expect(const Mixture& mixture) const {
    const Index components = options_.num_components, width = x_.dimension();
    DiagonalGaussians<double> gaussians;
    gaussians.Update(mixture.mean, mixture.log_variance, mixture.log_share,
                     workers_);
    Sums sums;
    sums.total = Vector<double>::Zero(components);
    sums.features = RowMatrix<double>::Zero(2 * width, components);
    sums.centre = gaussians.centre();
    RowMatrix<double> features, shares, log_scores;
    for (Index first = 0; first < rows_; first += kChunkRows) {
      const Index count = std::min(kChunkRows, rows_ - first);
      features.resize(PaddedRows(count), 2 * width);
      shares.resize(PaddedRows(count), components);
      log_scores.resize(PaddedRows(count), 1);
      workers_.ParallelFor(
          PaddedRows(count), kLeastFitRows, [&](Index begin, Index end) {
            const Index size = end - begin;
            const RowMatrix<double> part =
                x_.values.middleRows(first + begin, size)
                    .template cast<double>();
            GaussianFeatures<double>(gaussians.centre(), part,
                                     features.middleRows(begin, size));
            gaussians.LogDensities(part, 0, shares.middleRows(begin, size));
            NormalizeComponents(shares.middleRows(begin, size),
                                log_scores.middleRows(begin, size));
          });
      for (Index n = 0; n < shares.rows(); ++n) {
        const double weight = n < count ? weights_(first + n) : 0;
        shares.row(n) *= weight;
        sums.total += shares.row(n).transpose();
        sums.log_likelihood += weight * log_scores(n, 0);
      }
      sums.features += FeatureSums<double>(features, shares, workers_);
    }
    return sums;
  }

  void Maximize(const Sums& sums, Mixture& mixture) const {
    const Index width = x_.dimension();
    for (Index k = 0; k < options_.num_components; ++k) {
      const double total = sums.total(k);
      mixture.log_share(k) =
          std::log(std::max(total / total_weight_, kLeastShare));
      if (total < kLeastShare * total_weight_) continue;
      for (Index i = 0; i < width; ++i) {
        const double distance = sums.features(width + i, k) / total;
        mixture.mean(k, i) = sums.centre(i) + distance;
        mixture.log_variance(k, i) =
            LogVariance(sums.features(i, k) / total - distance * distance);
      }
    }
  }

  const Observations<Scalar>& x_;
  const Index rows_;
  const FitGaussianMixtureOptions& options_;
  const Workers& workers_;
  InterruptCheck check_;
  Vector<double> weights_;
  double total_weight_ = 0;
  double least_variance_ = 0, greatest_variance_ = 0;
};

template <typename Scalar>
absl::Status Check(const Observations<Scalar>& x,
                   absl::Span<const double> weights,
                   const FitGaussianMixtureOptions& options) {
  if (options.num_components < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("a mixture of ", options.num_components,
                     " components; there must be at least 1"));
  if (options.max_iterations < 0 || !(options.tolerance >= 0))
    return absl::InvalidArgumentError(
        "neither the iterations nor the tolerance of a mixture's fit may be "
        "negative");
  if (options.least_variance.has_value() &&
      !(*options.least_variance > 0 && std::isfinite(*options.least_variance)))
    return absl::InvalidArgumentError(
        absl::StrCat("the least variance of a mixture is ",
                     *options.least_variance, "; it must be positive"));
  if (x.dimension() < 1)
    return absl::InvalidArgumentError("rows to fit have no coordinates");
  const Index rows = x.frames();
  if (!weights.empty() && static_cast<Index>(weights.size()) != rows)
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", weights.size(), " weights for ", rows, " rows"));
  for (std::size_t n = 0; n < weights.size(); ++n)
    if (!(weights[n] >= 0) || !std::isfinite(weights[n]))
      return absl::InvalidArgumentError(
          absl::StrCat("weights[", n, "] is ", weights[n],
                       "; it must be finite and not negative"));
  if (!x.values.topRows(rows).allFinite())
    return absl::InvalidArgumentError("a value to fit is not finite");
  return absl::OkStatus();
}

}  // namespace

template <typename Scalar>
absl::StatusOr<FittedGaussianMixture<Scalar>> FitGaussianMixture(
    const Observations<Scalar>& x, absl::Span<const double> weights,
    const FitGaussianMixtureOptions& options, const Workers& workers,
    InterruptCheck check) {
  if (absl::Status status = Check(x, weights, options); !status.ok())
    return status;
  return Fitter<Scalar>(x, weights, options, workers, check).Fit();
}

template absl::StatusOr<FittedGaussianMixture<float>> FitGaussianMixture<float>(
    const Observations<float>&, absl::Span<const double>,
    const FitGaussianMixtureOptions&, const Workers&, InterruptCheck);
template absl::StatusOr<FittedGaussianMixture<double>>
FitGaussianMixture<double>(const Observations<double>&,
                           absl::Span<const double>,
                           const FitGaussianMixtureOptions&, const Workers&,
                           InterruptCheck);

}  // namespace poe
