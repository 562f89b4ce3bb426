#include "poe/experts/fit_hidden_markov.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/diagonal_gaussians.h"
#include "poe/numerics/random.h"

namespace poe {
namespace {

using Model = HiddenMarkov<double>;

// The data, in double, and their moments.
struct Data {
  Observations<double> x;
  std::vector<double> weights;    // N
  double total = 0;               // weighted number of frames
  Vector<double> mean, variance;  // D, weighted
  RowMatrix<double> features;     // (x - mean)^2, x - mean
};

// Rows of D columns, N weights, at least K frames of positive weight.
template <typename Scalar>
absl::StatusOr<Data> MakeData(const Observations<Scalar>& x,
                              absl::Span<const Scalar> weights, Index states) {
  if (!weights.empty() && static_cast<Index>(weights.size()) != x.size)
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", weights.size(), " weights for ", x.size, " sequences"));
  if (states < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("a hidden Markov model has ", states,
                     " states; there must be at least 1"));
  Data data;
  data.x.size = x.size;
  data.x.values = x.values.template cast<double>();
  data.x.lengths = x.lengths;
  data.x.row_ids = x.row_ids;
  data.weights.assign(x.size, 1);
  if (!weights.empty()) data.weights.assign(weights.begin(), weights.end());
  Index frames = 0;
  RowMatrix<double> of_frames = RowMatrix<double>::Zero(x.values.rows(), 1);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    const double weight = data.weights[n];
    if (!(weight >= 0) || !std::isfinite(weight))
      return absl::InvalidArgumentError(
          absl::StrCat("weight ", n, " is ", weight,
                       "; weights must be finite and not negative"));
    of_frames.middleRows(starts[n], x.length(n)).setConstant(weight);
    data.total += weight * static_cast<double>(x.length(n));
    if (weight > 0) frames += x.length(n);
  }
  if (frames < states)
    return absl::FailedPreconditionError(
        absl::StrCat("there are ", frames, " frames of positive weight for ",
                     states, " states; there must be at least as many"));
  if (!x.values.topRows(starts[x.size]).allFinite())
    return absl::InvalidArgumentError("a value of the sequences is not finite");
  data.mean = (of_frames.transpose() * data.x.values).transpose() / data.total;
  data.features.resize(x.values.rows(), 2 * x.dimension());
  GaussianFeatures<double>(data.mean, data.x.values, data.features);
  data.variance =
      FeatureSums<double>(data.features, of_frames, Workers::Inline())
          .topRows(x.dimension()) /
      data.total;
  if (!data.mean.allFinite() || !data.variance.allFinite())
    return absl::FailedPreconditionError(
        "the variance of the sequences is not finite");
  return data;
}

// The probabilities p >= least that maximize sum counts log p within blocks of
// columns, as logits. Blocks without counts stay as they are.
void MaximizeProbabilities(const RowMatrix<double>& counts, Index block,
                           double least, RowMatrix<double>& logits) {
  for (Index k = 0; k < counts.rows(); ++k) {
    for (Index first = 0; first < counts.cols(); first += block) {
      const auto count = counts.row(k).segment(first, block);
      if (!(count.sum() > 0)) continue;
      // Those at the bound leave the rest to the others, in proportion.
      std::vector<bool> bound(block, false);
      double rest = 1, others = count.sum();
      for (bool changed = true; changed;) {
        changed = false;
        for (Index i = 0; i < block; ++i) {
          if (bound[i] || count(i) * rest >= least * others) continue;
          bound[i] = changed = true;
        }
        rest = 1;
        others = 0;
        for (Index i = 0; i < block; ++i)
          if (bound[i])
            rest -= least;
          else
            others += count(i);
      }
      for (Index i = 0; i < block; ++i)
        logits(k, first + i) =
            std::log(bound[i] ? least : count(i) / others * rest);
    }
  }
}

class Fitter {
 public:
  Fitter(const Data& data, const FitHiddenMarkovOptions& options,
         const Model::Settings& bounds)
      : data_(data), options_(options) {
    const double least = std::exp(bounds.least_log_variance);
    const double greatest = std::exp(bounds.greatest_log_variance);
    least_variance_ = (options.least_variance_share * data.variance)
                          .cwiseMax(least)
                          .cwiseMin(greatest);
    greatest_variance_ = greatest;
  }

  // Brings probabilities and variances within the bounds.
  void Project(Model::Settings& settings) const {
    auto project = [&](RowMatrix<double>& logits, Index block) {
      const RowMatrix<double> shares = LogSoftmax(logits, block).array().exp();
      MaximizeProbabilities(shares, block, options_.least_probability, logits);
    };
    const Index states = settings.initial_logit.cols();
    project(settings.initial_logit, states);
    project(settings.transition_logit, states);
    if (settings.num_symbols != 0) {
      project(settings.emission_logit, settings.num_symbols);
      return;
    }
    for (Index k = 0; k < states; ++k)
      for (Index i = 0; i < settings.mean.cols(); ++i)
        settings.log_variance(k, i) =
            BoundedLogVariance(std::exp(settings.log_variance(k, i)), i);
  }

  // The settings that are likeliest if paths are as `counts` expects.
  void Maximize(const Model::ExpectedCounts& counts, const Workers& workers,
                Model::Settings& settings) const {
    const Index states = settings.initial_logit.cols();
    const double least = options_.least_probability;
    MaximizeProbabilities(counts.initial, states, least,
                          settings.initial_logit);
    MaximizeProbabilities(counts.transitions, states, least,
                          settings.transition_logit);
    if (settings.num_symbols != 0) {
      MaximizeProbabilities(
          WeightedSums(data_.x.values, counts.occupancy, workers),
          settings.num_symbols, least, settings.emission_logit);
      return;
    }
    const RowMatrix<double> sums =
        FeatureSums<double>(data_.features, counts.occupancy, workers);
    const Index dimension = settings.mean.cols();
    for (Index k = 0; k < states; ++k) {
      const double total = counts.occupancy.col(k).sum();
      if (!(total > 0)) continue;
      for (Index i = 0; i < dimension; ++i) {
        const double shift = sums(dimension + i, k) / total;
        const double variance = sums(i, k) / total - shift * shift;
        settings.mean(k, i) = data_.mean(i) + shift;
        settings.log_variance(k, i) = BoundedLogVariance(variance, i);
      }
    }
  }

 private:
  double BoundedLogVariance(double variance, Index i) const {
    return std::log(
        std::clamp(variance, least_variance_(i), greatest_variance_));
  }

  const Data& data_;
  const FitHiddenMarkovOptions& options_;
  Vector<double> least_variance_;
  double greatest_variance_;
};

template <typename To, typename From>
typename HiddenMarkov<To>::Settings CastSettings(const From& from) {
  typename HiddenMarkov<To>::Settings to;
  to.initial_logit = from.initial_logit.template cast<To>();
  to.transition_logit = from.transition_logit.template cast<To>();
  to.mean = from.mean.template cast<To>();
  to.log_variance = from.log_variance.template cast<To>();
  to.emission_logit = from.emission_logit.template cast<To>();
  to.num_symbols = from.num_symbols;
  to.least_log_variance = from.least_log_variance;
  to.greatest_log_variance = from.greatest_log_variance;
  to.power = static_cast<To>(from.power);
  return to;
}

absl::Status Validate(const FitHiddenMarkovOptions& options, Index columns) {
  if (options.max_iterations < 0 || !(options.tolerance >= 0))
    return absl::InvalidArgumentError(
        "iterations and tolerance of a fit must not be negative");
  if (!(options.least_variance_share > 0 && options.least_variance_share <= 1))
    return absl::InvalidArgumentError(
        absl::StrCat("the least share of variance is ",
                     options.least_variance_share, "; it must be in (0, 1]"));
  if (!(options.least_probability > 0 &&
        options.least_probability * static_cast<double>(columns) < 1))
    return absl::InvalidArgumentError(absl::StrCat(
        "the least probability is ", options.least_probability,
        "; it must be positive and below 1 over the number of states and of "
        "symbols"));
  return absl::OkStatus();
}

}  // namespace

template <typename Scalar>
absl::StatusOr<FittedHiddenMarkov<Scalar>> FitHiddenMarkov(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    const typename HiddenMarkov<Scalar>::Settings& start,
    const FitHiddenMarkovOptions& options, const Workers& workers,
    InterruptCheck check) {
  auto settings = CastSettings<double>(start);
  settings.power = 1;
  if (auto created = Model::Create(settings); !created.ok())
    return created.status();
  const Index states = start.initial_logit.cols();
  if (start.initial_logit.rows() != 1)
    return absl::InvalidArgumentError(
        absl::StrCat("the start has ", start.initial_logit.rows(),
                     " experts; one is fitted at a time"));
  const Index columns = settings.mean.cols() + settings.emission_logit.cols();
  if (columns != x.dimension())
    return absl::InvalidArgumentError(
        absl::StrCat("the start sees ", columns, " columns but the data have ",
                     x.dimension()));
  if (auto status = Validate(options, std::max(states, start.num_symbols));
      !status.ok())
    return status;
  const auto data = MakeData(x, weights, states);
  if (!data.ok()) return data.status();
  const Fitter fitter(*data, options, settings);
  fitter.Project(settings);

  FittedHiddenMarkov<Scalar> fit;
  std::unique_ptr<Posterior> posterior;
  for (;; ++fit.iterations) {
    if (absl::Status status = check(); !status.ok()) return status;
    const auto model = Model::Create(settings);
    if (!model.ok())
      return absl::FailedPreconditionError(absl::StrCat(
          "after ", fit.iterations, " iterations: ", model.status().message()));
    if (posterior == nullptr) posterior = (*model)->NewPosterior();
    (*model)->Infer(data->x, 1, workers, *posterior);
    std::vector<double> scores(x.size, 0);
    (*model)->AddLogScores(*posterior, absl::MakeSpan(scores));
    double sum = 0;
    for (Index n = 0; n < x.size; ++n) sum += data->weights[n] * scores[n];
    const double before = fit.log_likelihood;
    fit.log_likelihood = sum / data->total;
    if (!std::isfinite(fit.log_likelihood))
      return absl::FailedPreconditionError(
          absl::StrCat("the log likelihood is not finite after ",
                       fit.iterations, " iterations"));
    if (fit.iterations > 0) {
      fit.last_gain = fit.log_likelihood - before;
      fit.converged = fit.last_gain < options.tolerance;
    }
    if (fit.converged || fit.iterations == options.max_iterations) break;
    fitter.Maximize(
        (*model)->Count(data->x, *posterior, data->weights, workers), workers,
        settings);
  }
  settings.power = start.power;
  fit.settings = CastSettings<Scalar>(settings);
  return fit;
}

template <typename Scalar>
absl::StatusOr<typename HiddenMarkov<Scalar>::Settings> RandomHiddenMarkov(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    Index num_states, Index num_symbols, std::uint64_t seed) {
  if (num_symbols < 0 || num_symbols == 1 ||
      (num_symbols > 0 && x.dimension() % num_symbols != 0))
    return absl::InvalidArgumentError(
        absl::StrCat("frames of ", x.dimension(), " columns do not hold ",
                     num_symbols, " symbols to a coordinate"));
  const auto data = MakeData(x, weights, num_states);
  if (!data.ok()) return data.status();
  std::uint32_t matrices = 0;
  auto noise = [&](Index rows, Index cols, double scale) {
    RowMatrix<double> values(rows, cols);
    FillNormal({seed, Purpose::kInitialize, matrices++, 0}, 0,
               absl::MakeSpan(values.data(), values.size()));
    return RowMatrix<double>(scale * values);
  };
  Model::Settings settings;
  settings.initial_logit = noise(1, num_states, 0.1);
  settings.transition_logit = noise(num_states, num_states, 0.1);
  if (num_symbols > 0) {
    // Add half a count to each symbol.
    const Vector<double> counts = data->mean * data->total;
    settings.num_symbols = num_symbols;
    settings.emission_logit = noise(num_states, x.dimension(), 0.5);
    settings.emission_logit.rowwise() +=
        (counts.array() + 0.5).log().matrix().transpose();
    return CastSettings<Scalar>(settings);
  }
  std::vector<Index> frames;
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n)
    if (data->weights[n] > 0)
      for (Index f = starts[n]; f < starts[n + 1]; ++f) frames.push_back(f);
  const std::vector<std::uint32_t> order =
      RandomPermutation({seed, Purpose::kInitialize, matrices, 0},
                        static_cast<std::uint32_t>(frames.size()));
  settings.mean.resize(num_states, x.dimension());
  for (Index k = 0; k < num_states; ++k)
    settings.mean.row(k) = data->x.values.row(frames[order[k]]);
  settings.log_variance = data->variance.cwiseMax(1e-12)
                              .array()
                              .log()
                              .matrix()
                              .transpose()
                              .replicate(num_states, 1);
  return CastSettings<Scalar>(settings);
}

#define POE_INSTANTIATE(Scalar)                                                \
  template absl::StatusOr<FittedHiddenMarkov<Scalar>> FitHiddenMarkov<Scalar>( \
      const Observations<Scalar>&, absl::Span<const Scalar>,                   \
      const HiddenMarkov<Scalar>::Settings&, const FitHiddenMarkovOptions&,    \
      const Workers&, InterruptCheck);                                         \
  template absl::StatusOr<HiddenMarkov<Scalar>::Settings>                      \
  RandomHiddenMarkov<Scalar>(const Observations<Scalar>&,                      \
                             absl::Span<const Scalar>, Index, Index,           \
                             std::uint64_t);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
