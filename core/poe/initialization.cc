#include "poe/initialization.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"

namespace poe {
namespace {

// Means of Bernoulli data are kept this far from 0 and 1, so that a pixel that
// is never on in training can still be on.
constexpr double kLeastMean = 0.01;
// Share of the root mean square deviation below which a variance is not
// believed.
constexpr double kLeastDeviationShare = 1e-3;

double RootMeanSquareDeviation(const DataMoments& moments) {
  const double deviation = std::sqrt(moments.variance.mean());
  return deviation > 0 ? deviation : 1;
}

absl::StatusOr<std::unique_ptr<Base<float>>> InitializeBase(
    const ProductSettings& settings, const DataSpec& spec,
    const DataMoments& moments) {
  if (spec.family == Family::kBernoulli) {
    Vector<float> bias(spec.dimension);
    for (Index i = 0; i < spec.dimension; ++i) {
      const double mean =
          std::clamp(moments.mean(i), kLeastMean, 1 - kLeastMean);
      bias(i) = static_cast<float>(std::log(mean / (1 - mean)));
    }
    return BernoulliBase<float>::Create(bias);
  }
  if (spec.family == Family::kCategorical) {
    // Columns of one coordinate sum to 1, so their means are probabilities.
    const Vector<float> logits =
        moments.mean.cwiseMax(kLeastMean / 10).array().log().cast<float>();
    return CategoricalBase<float>::Create(Eigen::Map<const RowMatrix<float>>(
        logits.data(), spec.dimension, spec.num_symbols));
  }
  const double least = kLeastDeviationShare * RootMeanSquareDeviation(moments);
  const Vector<float> mean = moments.mean.cast<float>();
  Vector<float> log_variance =
      moments.variance.cwiseMax(least * least).array().log().cast<float>();
  if (spec.family == Family::kStructuredGaussian) {
    log_variance.array() +=
        static_cast<float>(2 * std::log(settings.base_deviation_multiple));
    return StructuredGaussianBase<float>::Create(mean, log_variance,
                                                 settings.fixed_variance);
  }
  const PreprocessedBox box = BoxOf(spec);
  GaussianBase<float>::Settings base;
  base.lower = box.lower;
  base.upper = box.upper;
  base.fixed_variance = settings.fixed_variance;
  if (settings.gaussian_factor) {
    base.mean = mean;
    base.log_variance = log_variance;
  }
  return GaussianBase<float>::Create(std::move(base));
}

absl::StatusOr<std::unique_ptr<ExpertGroup<float>>> InitializeGroup(
    const BernoulliUnitsSettings& settings, const GroupSettings& group,
    const DataSpec& spec, const DataMoments&, const Observations<float>&,
    const Draws& draws) {
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

absl::StatusOr<std::unique_ptr<ExpertGroup<float>>> InitializeGroup(
    const UnigaussSettings& settings, const GroupSettings& group,
    const DataSpec& spec, const DataMoments& moments,
    const Observations<float>& examples, const Draws& draws) {
  const Index experts = group.num_experts, dimension = spec.dimension;
  const double deviation = RootMeanSquareDeviation(moments);
  Unigauss<float>::Settings start;
  start.mean.resize(experts, dimension);
  for (Index m = 0; m < experts; ++m) {
    std::vector<double> draw(dimension);
    const auto row = static_cast<std::uint64_t>(m);
    switch (settings.centres) {
      case UnigaussSettings::Centres::kData: {
        FillUniform(draws, row, absl::MakeSpan(draw));
        const auto example =
            static_cast<Index>(draw[0] * static_cast<double>(examples.size));
        start.mean.row(m) = examples.values.row(example);
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
      settings.initial_standard_deviation.value_or(deviation);
  start.log_variance =
      RowMatrix<float>::Constant(experts, settings.circular ? 1 : dimension,
                                 static_cast<float>(2 * std::log(initial)));
  start.log_volume = BoxOf(spec).log_volume;
  const double logit =
      settings.initial_log_volume_odds.has_value()
          ? *settings.initial_log_volume_odds - start.log_volume
          : 0;
  start.mixing_logit =
      Vector<float>::Constant(experts, static_cast<float>(logit));
  start.least_log_variance =
      2 *
      std::log(settings.least_standard_deviation.value_or(1e-3 * deviation));
  start.greatest_log_variance =
      2 *
      std::log(settings.greatest_standard_deviation.value_or(1e3 * deviation));
  start.power = static_cast<float>(group.power);
  return Unigauss<float>::Create(std::move(start));
}

}  // namespace

DataMoments MomentsOf(const Observations<float>& x) {
  const RowMatrix<double> values =
      x.values.topRows(x.frames()).template cast<double>();
  DataMoments moments;
  moments.mean = values.colwise().mean();
  moments.variance = (values.rowwise() - moments.mean.transpose())
                         .array()
                         .square()
                         .matrix()
                         .colwise()
                         .mean();
  moments.least = values.colwise().minCoeff();
  moments.greatest = values.colwise().maxCoeff();
  return moments;
}

PreprocessedBox BoxOf(const DataSpec& spec) {
  PreprocessedBox box;
  box.lower.resize(spec.dimension);
  box.upper.resize(spec.dimension);
  box.log_volume = 0;
  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  for (Index i = 0; i < spec.dimension; ++i) {
    const double shift = scaled ? preprocessing.shift[i] : 0;
    const double scale = scaled ? preprocessing.scale[i] : 1;
    box.lower(i) = (spec.box->lower[i] - shift) / scale;
    box.upper(i) = (spec.box->upper[i] - shift) / scale;
    box.log_volume += std::log(box.upper(i) - box.lower(i));
  }
  return box;
}

absl::StatusOr<Product<float>> InitializeProduct(
    const ProductSettings& settings, const DataSpec& spec,
    const Observations<float>& examples, std::uint64_t seed) {
  const DataMoments moments = MomentsOf(examples);
  absl::StatusOr<std::unique_ptr<Base<float>>> base =
      InitializeBase(settings, spec, moments);
  if (!base.ok()) return base.status();
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  for (std::size_t i = 0; i < settings.groups.size(); ++i) {
    const GroupSettings& group = settings.groups[i];
    const Draws draws = {seed, Purpose::kInitialize,
                         static_cast<std::uint32_t>(i), 0};
    auto made = std::visit(
        [&](const auto& kind) {
          return InitializeGroup(kind, group, spec, moments, examples, draws);
        },
        group.kind);
    if (!made.ok()) return made.status();
    groups.push_back(*std::move(made));
  }
  return Product<float>::Create(*std::move(base), std::move(groups));
}

}  // namespace poe
