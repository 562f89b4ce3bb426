#include "poe/initialization.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/initial_groups.h"

namespace poe {
namespace {

// Means of Bernoulli data are kept this far from 0 and 1, so that a pixel that
// is never on in training can still be on.
constexpr double kLeastMean = 0.01;
// Share of the root mean square deviation below which a variance is not
// believed.
constexpr double kLeastDeviationShare = 1e-3;

absl::StatusOr<std::unique_ptr<Base<float>>> InitializeBase(
    const ProductSettings& settings, const DataSpec& spec,
    const DataMoments& moments) {
  if (spec.family == Family::kBernoulli) {
    Vector<float> bias(spec.width() - spec.num_real_inputs());
    for (Index i = 0; i < bias.size(); ++i) {
      const double mean =
          std::clamp(moments.mean(i), kLeastMean, 1 - kLeastMean);
      bias(i) = static_cast<float>(std::log(mean / (1 - mean)));
    }
    return BernoulliBase<float>::Create(bias, spec.num_real_inputs());
  }
  if (spec.family == Family::kCategorical) {
    // Columns of one coordinate sum to 1, so their means are probabilities.
    const Vector<float> logits =
        moments.mean.head(spec.width() - spec.num_real_inputs())
            .cwiseMax(kLeastMean / 10)
            .array()
            .log()
            .cast<float>();
    return CategoricalBase<float>::Create(
        Eigen::Map<const RowMatrix<float>>(
            logits.data(), logits.size() / spec.num_symbols, spec.num_symbols),
        spec.num_real_inputs());
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

InitialData MakeInitialData(const DataSpec& spec, const Examples& examples,
                            InterruptCheck check) {
  DataMoments moments = MomentsOf(examples);
  const double deviation = RootMeanSquareDeviation(moments);
  std::vector<double> weight_so_far;
  if (!examples.weights.empty()) {
    weight_so_far = examples.FrameWeights();
    std::partial_sum(weight_so_far.begin(), weight_so_far.end(),
                     weight_so_far.begin());
  }
  return {spec,      examples, std::move(moments), std::move(weight_so_far),
          deviation, check};
}

// A group that sees some coordinates, made by `make` of the data in them.
template <typename Make>
InitialGroup MakeSelected(const DataSpec& spec,
                          absl::Span<const Index> coordinates,
                          const Examples& examples, InterruptCheck check,
                          Make make) {
  std::vector<Index> columns = ColumnsOf(spec, coordinates);
  const DataSpec selected = SelectCoordinates(spec, coordinates);
  const Examples seen = {SelectColumns<float>(examples.x, columns),
                         examples.weights};
  InitialGroup inner = make(MakeInitialData(selected, seen, check));
  if (!inner.ok()) return inner;
  return SelectedCoordinates<float>::Create(*std::move(inner),
                                            std::move(columns), spec.width());
}

}  // namespace

std::vector<double> Examples::FrameWeights() const {
  std::vector<double> of_frames;
  of_frames.reserve(x.frames());
  for (Index n = 0; n < x.size; ++n)
    of_frames.insert(of_frames.end(), x.length(n),
                     weights.empty() ? 1 : weights[n]);
  return of_frames;
}

DataMoments MomentsOf(const Examples& examples) {
  const std::vector<double> weights = examples.FrameWeights();
  const auto rows = static_cast<Index>(weights.size());
  const RowMatrix<float>& values = examples.x.values;
  const double total =
      std::accumulate(weights.begin(), weights.end(), double{0});
  // Row by row: there may be many.
  const auto row = [&values](Index n) -> Vector<double> {
    return values.row(n).transpose().cast<double>();
  };
  DataMoments moments;
  moments.mean = moments.variance = Vector<double>::Zero(values.cols());
  moments.least = moments.greatest = row(0);
  for (Index n = 0; n < rows; ++n) {
    const Vector<double> x = row(n);
    moments.mean += weights[n] * x;
    moments.least = moments.least.cwiseMin(x);
    moments.greatest = moments.greatest.cwiseMax(x);
  }
  moments.mean /= total;
  for (Index n = 0; n < rows; ++n)
    moments.variance += weights[n] * (row(n) - moments.mean).cwiseAbs2();
  moments.variance /= total;
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

double RootMeanSquareDeviation(const DataMoments& moments) {
  const double deviation = std::sqrt(moments.variance.mean());
  return deviation > 0 ? deviation : 1;
}

absl::StatusOr<Product<float>> InitializeProduct(
    const ProductSettings& settings, const DataSpec& spec,
    const Examples& examples, std::uint64_t seed, InterruptCheck check) {
  const InitialData data = MakeInitialData(spec, examples, check);
  absl::StatusOr<std::unique_ptr<Base<float>>> base =
      InitializeBase(settings, spec, data.moments);
  if (!base.ok()) return base.status();
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  for (std::size_t i = 0; i < settings.groups.size(); ++i) {
    const GroupSettings& group = settings.groups[i];
    const Draws draws = {seed, Purpose::kInitialize,
                         static_cast<std::uint32_t>(i), 0};
    auto make = [&](const InitialData& seen) {
      return std::visit(
          [&](const auto& kind) {
            return InitializeGroup(kind, group, seen, draws);
          },
          group.kind);
    };
    auto made =
        group.coordinates.empty()
            ? make(data)
            : MakeSelected(spec, group.coordinates, examples, check, make);
    if (!made.ok()) return made.status();
    groups.push_back(*std::move(made));
  }
  return Product<float>::Create(*std::move(base), std::move(groups));
}

}  // namespace poe
