#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "poe/experts/hidden_markov.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/initial_groups.h"

namespace poe {
namespace {

// Standard deviations of transition and emission logits at the start: far
// enough apart that states differ, near enough that none is lost.
constexpr double kTransitionSpread = 0.5;
constexpr double kEmissionSpread = 0.5;
// Of a linear dynamical system: length of its rotations' eigenvalues, and the
// share of the data's variance that is left to the noise of emissions.
constexpr double kDecay = 0.9;
constexpr double kNoiseShare = 0.5;

// rows x cols standard normal values; `unit` tells matrices apart.
RowMatrix<double> Normal(Draws draws, std::uint32_t unit, Index rows,
                         Index cols) {
  draws.step = unit;
  RowMatrix<double> values(rows, cols);
  std::vector<double> row(cols);
  for (Index i = 0; i < rows; ++i) {
    FillNormal(draws, static_cast<std::uint64_t>(i), absl::MakeSpan(row));
    for (Index j = 0; j < cols; ++j) values(i, j) = row[j];
  }
  return values;
}

// Lower triangle by rows of a multiple of the identity, logarithms on the
// diagonal.
RowMatrix<float> ScaledIdentity(Index experts, Index size, double deviation) {
  RowMatrix<float> flat =
      RowMatrix<float>::Zero(experts, size * (size + 1) / 2);
  for (Index i = 0; i < size; ++i)
    flat.col(i * (i + 1) / 2 + i)
        .setConstant(static_cast<float>(std::log(deviation)));
  return flat;
}

}  // namespace

InitialGroup InitializeGroup(const HiddenMarkovSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws) {
  const Index experts = group.num_experts, states = settings.num_states;
  HiddenMarkov<float>::Settings start;
  start.initial_logit = RowMatrix<float>::Zero(experts, states);
  start.transition_logit =
      (kTransitionSpread * Normal(draws, 1, experts * states, states))
          .cast<float>();
  if (data.spec.family == Family::kCategorical) {
    // The base knows the frequencies of symbols; states need only differ.
    start.emission_logit = (kEmissionSpread * Normal(draws, 2, experts * states,
                                                     data.spec.width()))
                               .cast<float>();
    start.num_symbols = data.spec.num_symbols;
  } else {
    start.mean.resize(experts * states, data.spec.dimension);
    std::vector<double> draw(states);
    for (Index m = 0; m < experts; ++m) {
      FillUniform(draws, static_cast<std::uint64_t>(m), absl::MakeSpan(draw));
      for (Index k = 0; k < states; ++k)
        start.mean.row(m * states + k) = FrameAt(data, draw[k]);
    }
    start.log_variance = RowMatrix<float>::Constant(
        start.mean.rows(), start.mean.cols(),
        static_cast<float>(
            2 * std::log(settings.initial_standard_deviation.value_or(
                    data.deviation))));
    const LogVarianceBounds bounds = BoundsOf(settings, data.deviation);
    start.least_log_variance = bounds.least;
    start.greatest_log_variance = bounds.greatest;
  }
  start.power = static_cast<float>(group.power);
  return HiddenMarkov<float>::Create(std::move(start));
}

InitialGroup InitializeGroup(const LinearDynamicalSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws) {
  const Index experts = group.num_experts, latents = settings.num_latent;
  const Index dimension = data.spec.dimension;
  LinearDynamical<float>::Settings start;
  start.initial_mean = RowMatrix<float>::Zero(experts, latents);
  start.initial_log_cholesky = ScaledIdentity(experts, latents, 1);
  start.transition_log_cholesky =
      ScaledIdentity(experts, latents, std::sqrt(1 - kDecay * kDecay));
  // Pairs of latents turn together; one that is left over decays.
  start.transition = RowMatrix<float>::Zero(experts * latents, latents);
  std::vector<double> turn(latents);
  for (Index m = 0; m < experts; ++m) {
    FillUniform(draws, static_cast<std::uint64_t>(m), absl::MakeSpan(turn));
    for (Index l = 0; l < latents; l += 2) {
      auto block = start.transition.middleRows(m * latents, latents);
      if (l + 1 == latents) {
        block(l, l) = static_cast<float>(kDecay);
        continue;
      }
      const double angle = std::numbers::pi * turn[l];
      block(l, l) = block(l + 1, l + 1) =
          static_cast<float>(kDecay * std::cos(angle));
      block(l, l + 1) = static_cast<float>(-kDecay * std::sin(angle));
      block(l + 1, l) = static_cast<float>(kDecay * std::sin(angle));
    }
  }
  const double scale =
      settings.initial_standard_deviation.value_or(data.deviation);
  start.emission =
      (scale * std::sqrt((1 - kNoiseShare) / static_cast<double>(latents)) *
       Normal(draws, 1, experts * dimension, latents))
          .cast<float>();
  start.emission_offset =
      data.moments.mean.transpose().replicate(experts, 1).cast<float>();
  start.emission_log_variance = RowMatrix<float>::Constant(
      experts, dimension,
      static_cast<float>(std::log(kNoiseShare * scale * scale)));
  const LogVarianceBounds bounds = BoundsOf(settings, data.deviation);
  start.least_log_variance = bounds.least;
  start.greatest_log_variance = bounds.greatest;
  start.power = static_cast<float>(group.power);
  return LinearDynamical<float>::Create(std::move(start));
}

}  // namespace poe
