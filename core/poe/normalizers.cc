#include "poe/normalizers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "poe/acceptance_ratio.h"
#include "poe/annealed_importance.h"
#include "poe/annealing_start.h"
#include "poe/gibbs.h"
#include "poe/log_partition.h"

namespace poe {
namespace {

// Seeds of a class and length are apart from those of its training.
constexpr std::uint64_t kSeed = 0x6e6f726d616c697a;
// Of all work for one class and length: the Gibbs chains take twice the steps
// of either direction.
constexpr double kSamplingShare = 0.5;

// What the interrupt check says is not of a class.
absl::Status OfClass(const ClassModel& one, const absl::Status& status) {
  if (!absl::IsFailedPrecondition(status)) return status;
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
  const std::optional<Product<float>> nearer = NearerStart(product);
  const Base<float>& start =
      nearer.has_value() ? nearer->base() : product.base();
  start.SampleStart({seed, Purpose::kStart, 0, 0}, samples.x);
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

absl::Status CheckEstimate(const AnnealedEstimate& estimate, Index chains,
                           absl::string_view direction) {
  if (!std::isfinite(estimate.value) || !std::isfinite(estimate.standard_error))
    return absl::FailedPreconditionError(absl::StrCat(
        "annealed importance sampling ", direction, " gave ", estimate.value,
        " with standard error ", estimate.standard_error,
        "; take more chains or temperatures"));
  if (HasCollapsed(estimate, chains))
    return absl::FailedPreconditionError(absl::StrCat(
        "of ", chains, " chains of annealed importance sampling ", direction,
        " as few as ", absl::SixDigits(estimate.effective_sample_size),
        " have the weight, so that the estimate says nothing; take more "
        "temperatures"));
  return absl::OkStatus();
}

bool IsEstimated(const ClassModel& one) {
  return std::none_of(one.log_partitions.begin(), one.log_partitions.end(),
                      [](const LogPartition& known) {
                        return known.method == LogPartition::Method::kExact;
                      });
}

// The classes to draw samples of, for each length: those that lack an estimate,
// and before them the first that has any, to which they are compared.
std::vector<std::vector<Index>> SampledClasses(
    const Model& model, const std::vector<Index>& lengths) {
  std::vector<Index> estimated;
  for (Index c = 0; c < model.num_classes(); ++c)
    if (IsEstimated(model.classes[c])) estimated.push_back(c);
  std::vector<std::vector<Index>> sampled;
  for (Index length : lengths) {
    std::vector<Index>& of_length = sampled.emplace_back();
    for (Index c : estimated)
      if (model.classes[c].FindLogPartition(length) == nullptr)
        of_length.push_back(c);
    if (!of_length.empty() && of_length[0] != estimated[0])
      of_length.insert(of_length.begin(), estimated[0]);
  }
  return sampled;
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
  const std::vector<std::vector<Index>> sampled =
      SampledClasses(model, lengths);
  std::size_t parts = 0;
  Index first = 0;
  for (const std::vector<Index>& of_length : sampled) {
    parts += of_length.size();
    if (!of_length.empty()) first = of_length[0];
  }
  if (parts == 0) return absl::OkStatus();
  if (lengths.size() > kMostEstimatedLengths)
    return OfClass(model.classes[first],
                   absl::FailedPreconditionError(
                       absl::StrCat("sequences have ", lengths.size(),
                                    " different lengths, and log Z "
                                    "depends on the length; at most ",
                                    kMostEstimatedLengths, " are estimated")));
  const double part = 1 / static_cast<double>(parts);
  double done = 0;
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    const Index frames = std::max<Index>(lengths[l], 1);
    ProductSamples<float> of_first;
    for (Index c : sampled[l]) {
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
      if (model.classes[c].FindLogPartition(lengths[l]) != nullptr) {
        of_first = *std::move(samples);
        done += part;
        continue;
      }
      const auto estimates = EstimateLogPartitionBothWays<float>(
          product, *samples, options, workers, check, [&](double share) {
            tell(kSamplingShare + (1 - kSamplingShare) * share);
          });
      if (!estimates.ok()) return OfClass(one, estimates.status());
      for (const absl::Status& status :
           {CheckEstimate(estimates->forward, settings.chains, "forward"),
            CheckEstimate(estimates->reverse, settings.chains, "in reverse")})
        if (!status.ok()) return OfClass(one, status);
      one.log_partitions.push_back(
          {LogPartition::Method::kAisForward, estimates->forward.value,
           estimates->forward.standard_error, lengths[l]});
      one.log_partitions.push_back(
          {LogPartition::Method::kAisReverse, estimates->reverse.value,
           estimates->reverse.standard_error, lengths[l]});
      SortLogPartitions(one.log_partitions);
      if (c == first) {
        of_first = *std::move(samples);
      } else {
        const auto difference = EstimateLogPartitionDifference<float>(
            product, *samples, model.classes[first].layers[0], of_first,
            workers);
        if (difference.ok())
          model.log_partition_differences.push_back(
              {c, first, difference->value, difference->standard_error,
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
