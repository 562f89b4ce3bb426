#include "poe/initial_groups.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "poe/experts/bernoulli_units.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/unigauss.h"

namespace poe {

Eigen::Ref<const Eigen::Matrix<float, 1, Eigen::Dynamic>> FrameAt(
    const InitialData& data, double share) {
  const Observations<float>& x = data.examples.x;
  const std::vector<double>& so_far = data.weight_so_far;
  if (so_far.empty())
    return x.values.row(
        static_cast<Index>(share * static_cast<double>(x.frames())));
  const auto frame = std::upper_bound(so_far.begin(), std::prev(so_far.end()),
                                      share * so_far.back());
  return x.values.row(frame - so_far.begin());
}

LogVarianceBounds BoundsOf(const StandardDeviations& settings,
                           double deviation) {
  const auto log_variance = [](double bound) {
    return std::clamp(2 * std::log(bound), -kGreatestLogVariance,
                      kGreatestLogVariance);
  };
  return {log_variance(
              settings.least_standard_deviation.value_or(1e-3 * deviation)),
          log_variance(
              settings.greatest_standard_deviation.value_or(1e3 * deviation))};
}

InitialGroup InitializeGroup(const BernoulliUnitsSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws) {
  const DataSpec& spec = data.spec;
  RowMatrix<float> weights(spec.width(), group.num_experts);
  std::vector<double> normal(group.num_experts);
  for (Index i = 0; i < spec.width(); ++i) {
    FillNormal(draws, static_cast<std::uint64_t>(i), absl::MakeSpan(normal));
    for (Index m = 0; m < group.num_experts; ++m)
      weights(i, m) =
          static_cast<float>(settings.initial_weight_scale * normal[m]);
  }
  const Vector<float> bias = Vector<float>::Constant(
      group.num_experts, static_cast<float>(settings.initial_bias));
  return BernoulliUnits<float>::Create(weights, bias,
                                       static_cast<float>(group.power));
}

InitialGroup InitializeGroup(const UnigaussSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws) {
  const DataMoments& moments = data.moments;
  const Index experts = group.num_experts, dimension = data.spec.dimension;
  Unigauss<float>::Settings start;
  start.mean.resize(experts, dimension);
  for (Index m = 0; m < experts; ++m) {
    std::vector<double> draw(dimension);
    const auto row = static_cast<std::uint64_t>(m);
    switch (settings.centres) {
      case UnigaussSettings::Centres::kData: {
        FillUniform(draws, row, absl::MakeSpan(draw));
        start.mean.row(m) = FrameAt(data, draw[0]);
        break;
      }
      case UnigaussSettings::Centres::kUniform:
        FillUniform(draws, row, absl::MakeSpan(draw));
        for (Index i = 0; i < dimension; ++i)
          start.mean(m, i) = static_cast<float>(
              moments.least(i) +
              draw[i] * (moments.greatest(i) - moments.least(i)));
        break;
      case UnigaussSettings::Centres::kMean:
        FillNormal(draws, row, absl::MakeSpan(draw));
        for (Index i = 0; i < dimension; ++i)
          start.mean(m, i) = static_cast<float>(
              moments.mean(i) + 0.1 * std::sqrt(moments.variance(i)) * draw[i]);
        break;
    }
  }
  const double initial =
      settings.initial_standard_deviation.value_or(data.deviation);
  start.log_variance =
      RowMatrix<float>::Constant(experts, settings.circular ? 1 : dimension,
                                 static_cast<float>(2 * std::log(initial)));
  start.log_volume = BoxOf(data.spec).log_volume;
  const double logit =
      settings.initial_log_volume_odds.has_value()
          ? *settings.initial_log_volume_odds - start.log_volume
          : 0;
  start.mixing_logit =
      Vector<float>::Constant(experts, static_cast<float>(logit));
  const LogVarianceBounds bounds = BoundsOf(settings, data.deviation);
  start.least_log_variance = bounds.least;
  start.greatest_log_variance = bounds.greatest;
  start.power = static_cast<float>(group.power);
  return Unigauss<float>::Create(std::move(start));
}

InitialGroup InitializeGroup(const GaussianMixtureSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws) {
  const Index experts = group.num_experts;
  const Index components = settings.num_components;
  GaussianMixture<float>::Settings start;
  start.mean.resize(experts * components, data.spec.dimension);
  std::vector<double> draw(components);
  for (Index m = 0; m < experts; ++m) {
    FillUniform(draws, static_cast<std::uint64_t>(m), absl::MakeSpan(draw));
    for (Index k = 0; k < components; ++k)
      start.mean.row(m * components + k) = FrameAt(data, draw[k]);
  }
  start.log_variance = RowMatrix<float>::Constant(
      start.mean.rows(), start.mean.cols(),
      static_cast<float>(2 *
                         std::log(settings.initial_standard_deviation.value_or(
                             data.deviation))));
  start.mixing_logit = RowMatrix<float>::Zero(experts, components);
  const LogVarianceBounds bounds = BoundsOf(settings, data.deviation);
  start.least_log_variance = bounds.least;
  start.greatest_log_variance = bounds.greatest;
  start.power = static_cast<float>(group.power);
  return GaussianMixture<float>::Create(std::move(start));
}

}  // namespace poe
