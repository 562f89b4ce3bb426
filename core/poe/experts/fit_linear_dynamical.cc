#include "poe/experts/fit_linear_dynamical.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "Eigen/Cholesky"
#include "Eigen/QR"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "poe/experts/linear_filter.h"
#include "poe/experts/linear_smoother.h"
#include "poe/numerics/symmetric_eigen.h"

namespace poe {
namespace {

using Settings = LinearDynamical<double>::Settings;

// Of a log likelihood, which is a sum over frames.
constexpr double kRounding = 1e-9;

// Frames by time, without the sequences that weigh nothing.
struct Data {
  FrameOrder order;
  RowMatrix<double> values;     // rows x D
  std::vector<double> weights;  // by position
  double frames = 0, transitions = 0;
  double weighted_frames = 0;
};

Data Arrange(const Observations<double>& x, absl::Span<const double> weights) {
  std::vector<Index> lengths, firsts;
  std::vector<double> kept;
  const std::vector<Index> starts = x.FrameStarts();
  Data data;
  for (Index n = 0; n < x.size; ++n) {
    const double weight = weights.empty() ? 1 : weights[n];
    if (weight == 0) continue;
    lengths.push_back(x.length(n));
    firsts.push_back(starts[n]);
    kept.push_back(weight);
    const auto length = static_cast<double>(x.length(n));
    data.frames += length;
    data.transitions += length - 1;
    data.weighted_frames += weight * length;
  }
  data.order = FrameOrder(lengths);
  data.values.resize(data.order.rows(), x.dimension());
  for (Index k = 0; k < data.order.sequences(); ++k) {
    const Index n = data.order.observation(k);
    data.weights.push_back(kept[n]);
    for (Index t = 0; t < lengths[n]; ++t)
      data.values.row(data.order.row(k, t)) = x.values.row(firsts[n] + t);
  }
  return data;
}

// The nearest covariance with no eigenvalue below `least`: what the M step
// wants under that bound.
RowMatrix<double> FactorAbove(const RowMatrix<double>& covariance,
                              double least) {
  const SymmetricEigen eigen =
      EigenOf((covariance + covariance.transpose()) / 2);
  // A triangular root of V diag(w) V' without forming it.
  RowMatrix<double> root =
      eigen.values.cwiseMax(least).cwiseSqrt().asDiagonal() *
      eigen.vectors.transpose();
  ReduceToTriangle(root);
  return root.transpose();
}

struct DataMean {
  Vector<double> mean, variance;  // D each, by weight
};

DataMean MeanOf(const Data& data) {
  DataMean of;
  of.mean = of.variance = Vector<double>::Zero(data.values.cols());
  for (int pass = 0; pass < 2; ++pass) {
    for (Index t = 0; t < data.order.longest(); ++t)
      for (Index k = 0; k < data.order.Active(0, data.order.sequences(), t);
           ++k) {
        const double share = data.weights[k] / data.weighted_frames;
        const auto frame = data.values.row(data.order.row(k, t)).transpose();
        if (pass == 0)
          of.mean += share * frame;
        else
          of.variance += share * (frame - of.mean).cwiseAbs2();
      }
  }
  return of;
}

LinearSystem RandomStart(const DataMean& data, Index latents,
                         std::uint64_t seed,
                         const Vector<double>& least_variance) {
  const Index dimension = data.mean.size();
  LinearSystem system;
  system.offset = data.mean;
  std::vector<double> normal((latents + dimension) * latents);
  FillNormal({seed, Purpose::kInitialize, 0, 0}, 0, absl::MakeSpan(normal));
  const Eigen::Map<const RowMatrix<double>> directions(
      normal.data(), latents + dimension, latents);
  // Latents that keep a variance of 1.
  constexpr double kDamping = 0.9;
  const Eigen::MatrixXd rotation =
      Eigen::HouseholderQR<Eigen::MatrixXd>(directions.topRows(latents))
          .householderQ();
  system.initial_mean = Vector<double>::Zero(latents);
  system.initial_factor = RowMatrix<double>::Identity(latents, latents);
  system.transition = kDamping * rotation;
  system.transition_factor =
      std::sqrt(1 - kDamping * kDamping) * system.initial_factor;
  system.emission = (data.variance / (2.0 * static_cast<double>(latents)))
                        .cwiseSqrt()
                        .asDiagonal() *
                    directions.bottomRows(dimension);
  system.log_variance =
      (data.variance / 2).cwiseMax(least_variance).array().log();
  return system;
}

// The parameters that the moments want, none of them left worse than it is.
void Maximize(const SmoothedMoments& moments,
              const Vector<double>& least_variance, double least_latent,
              LinearSystem& system) {
  const Index latents = system.latents();
  const RowMatrix<double> initial = system.initial_factor;
  const RowMatrix<double> noise = system.transition_factor;
  const Vector<double> shift = moments.initial / moments.sequences;
  system.initial_mean += initial * shift;
  system.initial_factor =
      FactorAbove(initial *
                      (moments.initial_square / moments.sequences -
                       shift * shift.transpose()) *
                      initial.transpose(),
                  least_latent);

  // Regressions of what is left on what explains it, by least squares.
  const RowMatrix<double> change = moments.source_square.ldlt()
                                       .solve(moments.noise_source.transpose())
                                       .transpose();
  system.transition += noise * change;
  system.transition_factor = FactorAbove(
      noise *
          ((moments.noise_square - change * moments.noise_source.transpose()) /
           moments.transitions) *
          noise.transpose(),
      least_latent);

  Eigen::MatrixXd square(latents + 1, latents + 1);
  square << moments.latent_square, moments.latent, moments.latent.transpose(),
      moments.frames;
  Eigen::MatrixXd cross(system.dimension(), latents + 1);
  cross << moments.residual_latent, moments.residual;
  const Eigen::MatrixXd step =
      square.ldlt().solve(cross.transpose()).transpose();
  system.emission += step.leftCols(latents);
  system.offset += step.col(latents);
  const Vector<double> left =
      moments.residual_square - step.cwiseProduct(cross).rowwise().sum();
  system.log_variance =
      (left / moments.frames).cwiseMax(least_variance).array().log();
}

bool AllFinite(const LinearSystem& system) {
  return system.initial_mean.allFinite() && system.initial_factor.allFinite() &&
         system.transition.allFinite() &&
         system.transition_factor.allFinite() && system.emission.allFinite() &&
         system.offset.allFinite() && system.log_variance.allFinite();
}

Settings SettingsOf(const LinearSystem& system, Settings settings) {
  settings.initial_mean = system.initial_mean.transpose();
  settings.initial_log_cholesky =
      LogCholeskyOf(system.initial_factor).transpose();
  settings.transition = system.transition;
  settings.transition_log_cholesky =
      LogCholeskyOf(system.transition_factor).transpose();
  settings.emission = system.emission;
  settings.emission_offset = system.offset.transpose();
  settings.emission_log_variance = system.log_variance.transpose();
  return settings;
}

absl::Status NotFinite(absl::string_view what, int iterations) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the ", what, " is not finite after ", iterations,
      " iterations; a greater least_variance or lesser values may help"));
}

absl::Status Validate(const Observations<double>& x,
                      absl::Span<const double> weights,
                      const FitLinearDynamicalOptions& options) {
  if (!weights.empty() && static_cast<Index>(weights.size()) != x.size)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", weights.size(), " weights for ", x.size,
                     " sequences; there must be as many, or none"));
  for (std::size_t n = 0; n < weights.size(); ++n)
    if (!(weights[n] >= 0) || !std::isfinite(weights[n]))
      return absl::InvalidArgumentError(
          absl::StrCat("weights[", n, "] is ", weights[n],
                       "; it must be finite and not negative"));
  if (!options.start.has_value() && options.num_latent < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "a linear dynamical system cannot have ", options.num_latent,
        " latent dimensions; it must have at least 1"));
  if (!(options.least_variance > 0) || !std::isfinite(options.least_variance))
    return absl::InvalidArgumentError(absl::StrCat(
        "least_variance is ", options.least_variance, "; it must be positive"));
  if (!(options.least_latent_variance > 0) ||
      !std::isfinite(options.least_latent_variance))
    return absl::InvalidArgumentError(
        absl::StrCat("least_latent_variance is ", options.least_latent_variance,
                     "; it must be positive"));
  if (!(options.least_variance_share > 0 && options.least_variance_share <= 1))
    return absl::InvalidArgumentError(absl::StrCat("least_variance_share is ",
                                                   options.least_variance_share,
                                                   "; it must be in (0, 1]"));
  if (options.max_iterations < 1)
    return absl::InvalidArgumentError(absl::StrCat("max_iterations is ",
                                                   options.max_iterations,
                                                   "; it must be at least 1"));
  if (!(options.tolerance >= 0))
    return absl::InvalidArgumentError(absl::StrCat(
        "tolerance is ", options.tolerance, "; it must not be negative"));
  if (!x.values.allFinite())
    return absl::InvalidArgumentError(
        "a value to fit a linear dynamical system to is not finite");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FittedLinearDynamical> FitLinearDynamical(
    const Observations<double>& x, absl::Span<const double> weights,
    const FitLinearDynamicalOptions& options, const Workers& workers,
    InterruptCheck check) {
  if (absl::Status status = Validate(x, weights, options); !status.ok())
    return status;
  Settings kept;
  Index latents = options.num_latent;
  std::unique_ptr<LinearDynamical<double>> start;
  if (options.start.has_value()) {
    auto group = LinearDynamical<double>::Create(*options.start);
    if (!group.ok()) return group.status();
    start = *std::move(group);
    if (start->num_experts() != 1 || start->dimension() != x.dimension())
      return absl::InvalidArgumentError(absl::StrCat(
          "the start has ", start->num_experts(), " experts of ",
          start->dimension(), " coordinates; it must be 1 of ", x.dimension()));
    kept = *options.start;
    latents = start->num_latents();
  }
  const Data data = Arrange(x, weights);
  if (data.frames < static_cast<double>(latents + 2) ||
      data.transitions < static_cast<double>(latents + 1))
    return absl::FailedPreconditionError(
        absl::StrCat("sequences of positive weight have ", data.frames,
                     " frames and ", data.transitions, " transitions; ",
                     latents, " latent dimensions need at least ", latents + 2,
                     " and ", latents + 1));
  const DataMean of_data = MeanOf(data);
  const Vector<double> least = (options.least_variance_share * of_data.variance)
                                   .cwiseMax(options.least_variance);
  const double least_latent = options.least_latent_variance;
  LinearSystem system;
  if (start != nullptr) {
    system = start->system(0);
    for (RowMatrix<double>* factor :
         {&system.initial_factor, &system.transition_factor})
      *factor = FactorAbove(*factor * factor->transpose(), least_latent);
    system.log_variance =
        system.log_variance.cwiseMax(least.array().log().matrix());
  } else {
    system = RandomStart(of_data, latents, options.seed, least);
  }

  FilteredMeans means(data.order, latents);
  std::vector<double> scores(data.weights.size());
  FittedLinearDynamical fitted;
  for (int iteration = 0;; ++iteration) {
    if (absl::Status status = check(); !status.ok()) return status;
    if (!AllFinite(system))
      return NotFinite("linear dynamical system", iteration);
    const FilterGains gains(system, 1, data.order.longest());
    workers.ParallelFor(
        data.order.sequences(), kRowQuantum, [&](Index begin, Index end) {
          FilterMeans(system, gains, data.order, data.values, begin, end, means,
                      absl::MakeSpan(scores));
        });
    double log_likelihood = 0;
    for (std::size_t k = 0; k < scores.size(); ++k)
      log_likelihood += data.weights[k] * scores[k];
    if (!std::isfinite(log_likelihood))
      return NotFinite("log likelihood", iteration);
    if (iteration > 0) {
      const double gain = log_likelihood - fitted.log_likelihood;
      fitted.iterations = iteration;
      fitted.last_gain = gain / data.weighted_frames;
      fitted.converged = fitted.last_gain < options.tolerance;
      // At the top rounding may take a little back: then the last stand.
      if (gain < 0) {
        if (gain < -std::max(options.tolerance * data.weighted_frames,
                             kRounding * std::abs(log_likelihood)))
          return absl::FailedPreconditionError(absl::StrCat(
              "the log likelihood of a frame fell by ", -fitted.last_gain,
              " nats in iteration ", iteration,
              ", which rounding does not explain; a greater least_variance or "
              "fewer latent dimensions may help"));
        return fitted;
      }
    }
    fitted.settings = SettingsOf(system, kept);
    fitted.log_likelihood = log_likelihood;
    fitted.log_likelihoods.push_back(log_likelihood);
    if (fitted.converged || iteration == options.max_iterations) return fitted;
    Maximize(Smooth(system, gains, data.order, data.values, means, data.weights,
                    workers),
             least, least_latent, system);
  }
}

}  // namespace poe
