#include "poe/fit_apart.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/fit_convergence.h"
#include "poe/experts/fit_gaussian_mixture.h"
#include "poe/experts/fit_hidden_markov.h"
#include "poe/experts/fit_linear_dynamical.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/initial_groups.h"

namespace poe {
namespace {

using Group = std::unique_ptr<ExpertGroup<float>>;
using StatusOrGroup = absl::StatusOr<Group>;

// What every fit is told.
struct Task {
  const FitApartSettings& settings;
  const GroupSettings& group;
  const Examples& examples;
  Index num_symbols;  // S for symbols, or 0
  double deviation;   // of the data, root mean square over coordinates
  std::uint64_t seed;
  const Workers& workers;
  InterruptCheck check;
};

// Under which expert m is fitted: those of the observations in its share, and 0
// for the others; empty if all are 1.
template <typename Scalar>
std::vector<Scalar> WeightsOf(const Task& task, Index m) {
  const Examples& examples = task.examples;
  std::vector<Scalar> weights(examples.weights.begin(), examples.weights.end());
  if (task.settings.row_share == 1) return weights;
  weights.resize(examples.x.size, 1);
  const Draws draws = {task.seed, Purpose::kHoldOut,
                       static_cast<std::uint32_t>(m), 0};
  for (Index n = 0; n < examples.x.size; ++n) {
    double draw;
    FillUniform(draws, static_cast<std::uint64_t>(n), absl::MakeSpan(&draw, 1));
    if (!(draw < task.settings.row_share)) weights[n] = 0;
  }
  return weights;
}

std::uint64_t SeedOf(const Task& task, Index m) {
  return DeriveSeed(task.seed, static_cast<std::uint64_t>(m));
}

template <typename Scalar>
void Append(const RowMatrix<Scalar>& more, RowMatrix<float>& rows) {
  const Index before = rows.rows();
  rows.conservativeResize(before + more.rows(), more.cols());
  rows.bottomRows(more.rows()) = more.template cast<float>();
}

// Fits expert by expert with `fit`, which gets the bounds on log variances,
// appends its result to the settings and says how it ended.
template <typename T, typename Fit>
StatusOrGroup FitAll(const Task& task, const StandardDeviations& deviations,
                     Fit fit) {
  typename T::Settings all;
  const LogVarianceBounds bounds = BoundsOf(deviations, task.deviation);
  const Index values =
      task.examples.x.dimension() / std::max<Index>(task.num_symbols, 1);
  for (Index m = 0; m < task.group.num_experts; ++m) {
    const absl::StatusOr<FitConvergence> fitted = fit(m, bounds, all);
    const absl::Status status =
        fitted.ok() ? CheckConverged(*fitted, values) : fitted.status();
    if (!status.ok())
      return absl::Status(
          status.code(), absl::StrCat("expert ", m, " cannot be fitted apart: ",
                                      status.message()));
  }
  all.least_log_variance = bounds.least;
  all.greatest_log_variance = bounds.greatest;
  all.power = static_cast<float>(task.group.power * task.settings.power);
  auto group = T::Create(std::move(all));
  if (!group.ok()) return group.status();
  return *std::move(group);
}

// One overload for each kind; null for kinds without a fit of their own.
struct Fitter {
  const Task& task;

  StatusOrGroup operator()(const BernoulliUnitsSettings&) const {
    return nullptr;
  }
  StatusOrGroup operator()(const UnigaussSettings&) const { return nullptr; }
  StatusOrGroup operator()(const GaussianTreeSettings& tree) const {
    TreeFit fit;
    if (task.settings.row_share == 1)
      fit.weights = {task.examples.FrameWeights()};
    else
      for (Index m = 0; m < task.group.num_experts; ++m)
        fit.weights.push_back(WeightsOf<double>(task, m));
    fit.max_iterations = task.settings.max_iterations;
    fit.must_converge = true;
    fit.power = task.group.power * task.settings.power;
    fit.seed = task.seed;
    return FitTrees(tree, task.group.num_experts, task.examples, fit,
                    task.check);
  }
  StatusOrGroup operator()(const GaussianMixtureSettings& mixture) const {
    return FitAll<GaussianMixture<float>>(
        task, mixture,
        [&](Index m, const LogVarianceBounds& bounds,
            GaussianMixture<float>::Settings& all)
            -> absl::StatusOr<FitConvergence> {
          FitGaussianMixtureOptions options;
          options.num_components = mixture.num_components;
          options.max_iterations = task.settings.max_iterations;
          options.least_variance = std::exp(bounds.least);
          options.seed = SeedOf(task, m);
          auto fitted = FitGaussianMixture<float>(
              task.examples.x, WeightsOf<double>(task, m), options,
              task.workers, task.check);
          if (!fitted.ok()) return fitted.status();
          Append(fitted->settings.mean, all.mean);
          Append(fitted->settings.log_variance, all.log_variance);
          Append(fitted->settings.mixing_logit, all.mixing_logit);
          return *fitted;
        });
  }
  StatusOrGroup operator()(const HiddenMarkovSettings& markov) const {
    return FitAll<HiddenMarkov<float>>(
        task, markov,
        [&](Index m, const LogVarianceBounds& bounds,
            HiddenMarkov<float>::Settings& all)
            -> absl::StatusOr<FitConvergence> {
          const std::vector<float> weights = WeightsOf<float>(task, m);
          auto start = RandomHiddenMarkov<float>(
              task.examples.x, weights, markov.num_states, task.num_symbols,
              SeedOf(task, m));
          if (!start.ok()) return start.status();
          start->least_log_variance = bounds.least;
          start->greatest_log_variance = bounds.greatest;
          FitHiddenMarkovOptions options;
          options.max_iterations = task.settings.max_iterations;
          auto fitted =
              FitHiddenMarkov<float>(task.examples.x, weights, *start, options,
                                     task.workers, task.check);
          if (!fitted.ok()) return fitted.status();
          const HiddenMarkov<float>::Settings& one = fitted->settings;
          Append(one.initial_logit, all.initial_logit);
          Append(one.transition_logit, all.transition_logit);
          all.num_symbols = one.num_symbols;
          if (one.num_symbols > 0) {
            Append(one.emission_logit, all.emission_logit);
          } else {
            Append(one.mean, all.mean);
            Append(one.log_variance, all.log_variance);
          }
          return *fitted;
        });
  }
  StatusOrGroup operator()(const LinearDynamicalSettings& system) const {
    Observations<double> examples;
    examples.size = task.examples.x.size;
    examples.values = task.examples.x.values.cast<double>();
    examples.lengths = task.examples.x.lengths;
    examples.row_ids = task.examples.x.row_ids;
    return FitAll<LinearDynamical<float>>(
        task, system,
        [&](Index m, const LogVarianceBounds& bounds,
            LinearDynamical<float>::Settings& all)
            -> absl::StatusOr<FitConvergence> {
          FitLinearDynamicalOptions options;
          options.num_latent = system.num_latent;
          options.least_variance = std::exp(bounds.least);
          options.seed = SeedOf(task, m);
          options.max_iterations = task.settings.max_iterations;
          auto fitted = FitLinearDynamical(examples, WeightsOf<double>(task, m),
                                           options, task.workers, task.check);
          if (!fitted.ok()) return fitted.status();
          const LinearDynamical<double>::Settings& one = fitted->settings;
          Append(one.initial_mean, all.initial_mean);
          Append(one.initial_log_cholesky, all.initial_log_cholesky);
          Append(one.transition, all.transition);
          Append(one.transition_log_cholesky, all.transition_log_cholesky);
          Append(one.emission, all.emission);
          Append(one.emission_offset, all.emission_offset);
          Append(one.emission_log_variance, all.emission_log_variance);
          return *fitted;
        });
  }
};

// `count` of the numbers, drawn at random, in their order.
std::vector<Index> Draw(std::vector<Index> numbers, std::size_t count,
                        const Draws& draws, std::uint64_t row) {
  std::vector<double> keys(numbers.size());
  FillUniform(draws, row, absl::MakeSpan(keys));
  std::vector<std::size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  std::vector<Index> drawn;
  for (std::size_t i = 0; i < count; ++i) drawn.push_back(numbers[order[i]]);
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

}  // namespace

ProductSettings SpreadCoordinates(const FitApartSettings& settings,
                                  const ProductSettings& shape,
                                  const DataSpec& spec, std::uint64_t seed) {
  if (settings.coordinate_share == 1) return shape;
  ProductSettings spread = shape;
  spread.groups.clear();
  for (std::size_t i = 0; i < shape.groups.size(); ++i) {
    const GroupSettings& group = shape.groups[i];
    if (std::holds_alternative<BernoulliUnitsSettings>(group.kind) ||
        std::holds_alternative<UnigaussSettings>(group.kind)) {
      spread.groups.push_back(group);
      continue;
    }
    std::vector<Index> all = group.coordinates;
    if (all.empty()) {
      all.resize(spec.dimension);
      std::iota(all.begin(), all.end(), Index{0});
    }
    const auto count = static_cast<std::size_t>(
        std::ceil(settings.coordinate_share * static_cast<double>(all.size())));
    const Draws draws = {seed, Purpose::kInitialize,
                         static_cast<std::uint32_t>(i), 1};
    for (Index m = 0; m < group.num_experts; ++m) {
      GroupSettings& one = spread.groups.emplace_back(group);
      one.num_experts = 1;
      one.coordinates = Draw(all, count, draws, static_cast<std::uint64_t>(m));
    }
  }
  return spread;
}

absl::Status FitApart(const FitApartSettings& settings,
                      const ProductSettings& shape, const DataSpec& spec,
                      const Examples& examples, std::uint64_t seed,
                      const Workers& workers, InterruptCheck check,
                      Product<float>& product) {
  const double deviation = RootMeanSquareDeviation(MomentsOf(examples));
  // The status of the check is no error of a fit.
  absl::Status interrupted;
  auto remember = [&] { return interrupted = check(); };
  for (std::size_t i = 0; i < shape.groups.size(); ++i) {
    const GroupSettings& group = shape.groups[i];
    const std::vector<Index> columns = ColumnsOf(spec, group.coordinates);
    Examples selected;
    if (!columns.empty())
      selected = {SelectColumns<float>(examples.x, columns), examples.weights};
    const Task task = {
        settings,         group,     columns.empty() ? examples : selected,
        spec.num_symbols, deviation, DeriveSeed(seed, i),
        workers,          remember};
    StatusOrGroup fitted = std::visit(Fitter{task}, group.kind);
    if (!interrupted.ok()) return interrupted;
    if (!fitted.ok())
      return absl::Status(
          fitted.status().code(),
          absl::StrCat("groups[", i, "]: ", fitted.status().message()));
    if (*fitted == nullptr) continue;
    if (!columns.empty())
      fitted = SelectedCoordinates<float>::Create(*std::move(fitted), columns,
                                                  spec.width());
    if (!fitted.ok()) return fitted.status();
    product.ReplaceGroup(i, *std::move(fitted));
  }
  return absl::OkStatus();
}

}  // namespace poe
