#include "poe/annealed_importance.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/annealing_start.h"

namespace poe {
namespace {

// Reverse chains draw apart from forward ones, and from the Gibbs chains that
// may have made their samples.
constexpr std::uint64_t kReverseSeed = 0x7265766572736521;

template <typename Scalar>
absl::Status CheckLength(const Product<Scalar>& product, Index length) {
  if (length < 1 || (length > 1 && !product.sequential()))
    return absl::InvalidArgumentError(absl::StrCat(
        "the length is ", length, "; it must be ",
        product.sequential() ? "at least 1" : "1, as rows are no sequences"));
  return absl::OkStatus();
}

// log Z of the base alone, for observations of `length` frames.
template <typename Scalar>
absl::StatusOr<double> LogBaseNormalizer(const Product<Scalar>& product,
                                         Index length) {
  if (product.base().num_real_inputs() > 0)
    return absl::FailedPreconditionError(
        "log Z of this product depends on its real inputs");
  const std::optional<double> of_frame = product.base().LogNormalizer();
  if (!of_frame)
    return absl::FailedPreconditionError(
        "the normalizer of this product's base is not known");
  return *of_frame * static_cast<double>(length);
}

template <typename Scalar>
Observations<Scalar> MakeChains(const Product<Scalar>& product, Index begin,
                                Index end, Index length) {
  Observations<Scalar> x = MakeAlike<Scalar>(product.sequential(), end - begin,
                                             length, product.dimension());
  for (Index n = 0; n < x.size; ++n)
    x.row_ids[n] = static_cast<std::uint64_t>(begin + n);
  return x;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<AnnealedEstimate> EstimateLogPartition(
    const Product<Scalar>& product, const AnnealedImportanceOptions& options,
    const Workers& workers, InterruptCheck check, AnnealingProgress progress) {
  if (options.chains < 2)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", options.chains, " chains; at least 2"));
  if (absl::Status status = CheckLength(product, options.length); !status.ok())
    return status;
  if (absl::Status status =
          CheckInverseTemperatures<Scalar>(options.inverse_temperatures);
      !status.ok())
    return status;
  const std::optional<Product<Scalar>> nearer = NearerStart(product);
  const Product<Scalar>& annealed = nearer.has_value() ? *nearer : product;
  const absl::StatusOr<double> of_base =
      LogBaseNormalizer(annealed, options.length);
  if (!of_base.ok()) return of_base.status();
  const auto log_weights = AnnealedLogWeights<Scalar>(
      annealed,
      {AnnealingDirection::kForward, options.inverse_temperatures, options.seed,
       options.chains},
      [&](Index begin, Index end) {
        Observations<Scalar> x =
            MakeChains(product, begin, end, options.length);
        annealed.base().SampleStart({options.seed, Purpose::kStart, 0, 0}, x);
        return x;
      },
      workers, check, progress);
  if (!log_weights.ok()) return log_weights.status();
  AnnealedEstimate estimate = LogMeanWeight(*log_weights);
  estimate.value += *of_base;
  return estimate;
}

template <typename Scalar>
absl::StatusOr<AnnealedEstimate> EstimateLogPartitionInReverse(
    const Product<Scalar>& product, const ProductSamples<Scalar>& samples,
    const AnnealedImportanceOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress) {
  if (absl::Status status = CheckSamples(product, samples); !status.ok())
    return status;
  if (absl::Status status =
          CheckInverseTemperatures<Scalar>(options.inverse_temperatures);
      !status.ok())
    return status;
  const Index length = samples.x.length(0);
  const std::optional<Product<Scalar>> nearer = NearerStart(product);
  const Product<Scalar>& annealed = nearer.has_value() ? *nearer : product;
  const absl::StatusOr<double> of_base = LogBaseNormalizer(annealed, length);
  if (!of_base.ok()) return of_base.status();
  auto log_weights = AnnealedLogWeights<Scalar>(
      annealed,
      {AnnealingDirection::kReverse, options.inverse_temperatures,
       DeriveSeed(options.seed, kReverseSeed), samples.x.size},
      [&](Index begin, Index end) {
        Observations<Scalar> x = MakeChains(product, begin, end, length);
        x.values.topRows(x.frames()) =
            samples.x.values.middleRows(begin * length, x.frames());
        return x;
      },
      workers, check, progress);
  if (!log_weights.ok()) return log_weights.status();
  for (double& log_weight : *log_weights) log_weight = -log_weight;
  AnnealedEstimate estimate = LogMeanWeight(*log_weights);
  estimate.value = *of_base - estimate.value;
  estimate.is_bound = samples.exact;
  return estimate;
}

template <typename Scalar>
absl::StatusOr<LogPartitionEstimates> EstimateLogPartitionBothWays(
    const Product<Scalar>& product, const ProductSamples<Scalar>& samples,
    const AnnealedImportanceOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress) {
  if (absl::Status status = CheckSamples(product, samples); !status.ok())
    return status;
  if (samples.x.length(0) != options.length)
    return absl::InvalidArgumentError(absl::StrCat(
        "samples have ", samples.x.length(0), " frames and forward chains ",
        options.length, "; log Z is that of one length"));
  // Of all chains' work.
  const double forward_share =
      static_cast<double>(options.chains) /
      static_cast<double>(options.chains + samples.x.size);
  const auto forward = EstimateLogPartition(
      product, options, workers, check,
      [&](double share) { progress(share * forward_share); });
  if (!forward.ok()) return forward.status();
  const auto reverse = EstimateLogPartitionInReverse(
      product, samples, options, workers, check, [&](double share) {
        progress(forward_share + share * (1 - forward_share));
      });
  if (!reverse.ok()) return reverse.status();
  return LogPartitionEstimates{*forward, *reverse};
}

#define POE_INSTANTIATE(Scalar)                                           \
  template absl::StatusOr<AnnealedEstimate> EstimateLogPartition<Scalar>( \
      const Product<Scalar>&, const AnnealedImportanceOptions&,           \
      const Workers&, InterruptCheck, AnnealingProgress);                 \
  template absl::StatusOr<AnnealedEstimate>                               \
  EstimateLogPartitionInReverse<Scalar>(                                  \
      const Product<Scalar>&, const ProductSamples<Scalar>&,              \
      const AnnealedImportanceOptions&, const Workers&, InterruptCheck,   \
      AnnealingProgress);                                                 \
  template absl::StatusOr<LogPartitionEstimates>                          \
  EstimateLogPartitionBothWays<Scalar>(                                   \
      const Product<Scalar>&, const ProductSamples<Scalar>&,              \
      const AnnealedImportanceOptions&, const Workers&, InterruptCheck,   \
      AnnealingProgress);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
