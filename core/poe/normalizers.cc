#include "poe/normalizers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "poe/acceptance_ratio.h"
#include "poe/annealed_importance.h"
#include "poe/gibbs.h"

namespace poe {
namespace {

// Seeds of a class and length are apart from those of its training.
constexpr std::uint64_t kSeed = 0x6e6f726d616c697a;
// Of all work for one class and length: the Gibbs chains take twice the steps
// of either direction.
constexpr double kSamplingShare = 0.5;

absl::Status OfClass(const ClassModel& one, const absl::Status& status) {
  if (status.ok() || absl::IsCancelled(status)) return status;
  return absl::Status(status.code(), absl::StrCat("log Z of class \"", one.name,
                                                  "\": ", status.message()));
}

absl::StatusOr<ProductSamples<float>> DrawSamples(
    const Product<float>& product, const NormalizerSettings& settings,
    Index length, std::uint64_t seed, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress) {
  ProductSamples<float> samples;
  samples.x = MakeAlike<float>(product.sequential(), settings.chains, length,
                               product.dimension());
  product.base().SampleStart({seed, Purpose::kStart, 0, 0}, samples.x);
  GibbsOptions options;
  options.seed = seed;
  options.inverse_temperatures =
      AnnealingSchedule(2 * settings.temperatures, settings.temperatures);
  const auto steps = static_cast<double>(options.inverse_temperatures.size());
  double done = 0;
  const absl::Status status = RunGibbs<float>(
      product, options, workers,
      [&] {
        progress(done / steps);
        done += 1;
        return check();
      },
      samples.x);
  if (!status.ok()) return status;
  return samples;
}

absl::Status CheckFinite(const AnnealedEstimate& estimate,
                         absl::string_view direction) {
  if (std::isfinite(estimate.value) && std::isfinite(estimate.standard_error))
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "annealed importance sampling ", direction, " gave ", estimate.value,
      " with standard error ", estimate.standard_error,
      "; take more chains or temperatures"));
}

}  // namespace

absl::Status Validate(const NormalizerSettings& settings) {
  if (settings.chains < 2)
    return absl::InvalidArgumentError(
        absl::StrCat("normalizer.chains is ", settings.chains,
                     "; it must be at least 2, so that there is an error"));
  if (settings.temperatures < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("normalizer.temperatures is ", settings.temperatures,
                     "; it must be at least 1"));
  return absl::OkStatus();
}

absl::Status CheckEstimable(const DataSpec& spec,
                            const Product<float>& product) {
  if (!spec.input_coordinates.empty())
    return absl::FailedPreconditionError(
        "log Z of a conditional model depends on its inputs; train without a "
        "normalizer");
  if (!product.base().LogNormalizer().has_value())
    return absl::FailedPreconditionError(
        "the normalizer of the base, where annealing starts, is not known");
  return absl::OkStatus();
}

absl::Status EstimateNormalizers(
    const NormalizerSettings& settings, const std::vector<Index>& lengths,
    std::uint64_t seed, const Workers& workers, InterruptCheck check,
    absl::FunctionRef<void(Index class_index, double share)> progress,
    Model& model) {
  std::vector<Index> unknown;
  for (Index c = 0; c < model.num_classes(); ++c)
    if (model.classes[c].log_partitions.empty()) unknown.push_back(c);
  if (unknown.empty()) return absl::OkStatus();
  if (lengths.size() > kMostEstimatedLengths)
    return OfClass(model.classes[unknown[0]],
                   absl::FailedPreconditionError(
                       absl::StrCat("sequences have ", lengths.size(),
                                    " different lengths, and log Z "
                                    "depends on the length; at most ",
                                    kMostEstimatedLengths, " are estimated")));
  const double part = 1 / static_cast<double>(unknown.size() * lengths.size());
  double done = 0;
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    const Index frames = std::max<Index>(lengths[l], 1);
    ProductSamples<float> of_first;
    for (Index c : unknown) {
      ClassModel& one = model.classes[c];
      const Product<float>& product = one.layers[0];
      const auto tell = [&](double share) { progress(c, done + part * share); };
      AnnealedImportanceOptions options;
      options.chains = settings.chains;
      options.inverse_temperatures =
          EvenInverseTemperatures(settings.temperatures);
      options.length = frames;
      options.seed = DeriveSeed(
          DeriveSeed(DeriveSeed(seed, kSeed), static_cast<std::uint64_t>(c)),
          static_cast<std::uint64_t>(lengths[l]));
      auto samples =
          DrawSamples(product, settings, frames, options.seed, workers, check,
                      [&](double share) { tell(kSamplingShare * share); });
      if (!samples.ok()) return samples.status();
      const auto estimates = EstimateLogPartitionBothWays<float>(
          product, *samples, options, workers, check, [&](double share) {
            tell(kSamplingShare + (1 - kSamplingShare) * share);
          });
      if (!estimates.ok()) return OfClass(one, estimates.status());
      for (const absl::Status& status :
           {CheckFinite(estimates->forward, "forward"),
            CheckFinite(estimates->reverse, "in reverse")})
        if (!status.ok()) return OfClass(one, status);
      one.log_partitions.push_back(
          {LogPartition::Method::kAisForward, estimates->forward.value,
           estimates->forward.standard_error, lengths[l]});
      one.log_partitions.push_back(
          {LogPartition::Method::kAisReverse, estimates->reverse.value,
           estimates->reverse.standard_error, lengths[l]});
      if (c == unknown[0]) {
        of_first = *std::move(samples);
      } else {
        const auto difference = EstimateLogPartitionDifference<float>(
            product, *samples, model.classes[unknown[0]].layers[0], of_first,
            workers);
        if (difference.ok())
          model.log_partition_differences.push_back(
              {c, unknown[0], difference->value, difference->standard_error,
               lengths[l]});
        else if (!absl::IsFailedPrecondition(difference.status()))
          return OfClass(one, difference.status());
      }
      done += part;
    }
  }
  return absl::OkStatus();
}

}  // namespace poe
