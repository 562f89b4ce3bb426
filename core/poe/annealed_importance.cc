#include "poe/annealed_importance.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

template <typename Scalar>
absl::Status CheckLadder(const std::vector<double>& ladder) {
  if (ladder.size() < 2 || ladder.front() != 0 || ladder.back() != 1)
    return absl::InvalidArgumentError(
        absl::StrCat("the ladder of ", ladder.size(),
                     " inverse temperatures must begin with 0 and end with 1"));
  for (std::size_t k = 1; k < ladder.size(); ++k)
    if (!(static_cast<Scalar>(ladder[k - 1]) < static_cast<Scalar>(ladder[k])))
      return absl::InvalidArgumentError(absl::StrCat(
          "inverse_temperatures[", k, "] is ", ladder[k], " after ",
          ladder[k - 1], "; they must ascend strictly"));
  return absl::OkStatus();
}

template <typename Scalar>
absl::Status CheckOptions(const Product<Scalar>& product,
                          const AnnealedImportanceOptions& options) {
  if (options.chains < 2)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", options.chains, " chains; at least 2"));
  if (options.length < 1 || (options.length > 1 && !product.sequential()))
    return absl::InvalidArgumentError(absl::StrCat(
        "the length is ", options.length, "; it must be ",
        product.sequential() ? "at least 1" : "1, as rows are no sequences"));
  return CheckLadder<Scalar>(options.inverse_temperatures);
}

// log of the mean of the weights, with its error.
LogPartitionEstimate Summarize(const std::vector<double>& log_weights) {
  const double count = static_cast<double>(log_weights.size());
  const double greatest =
      *std::max_element(log_weights.begin(), log_weights.end());
  double sum = 0, squares = 0;
  for (double log_weight : log_weights) {
    const double weight = std::exp(log_weight - greatest);
    sum += weight;
    squares += weight * weight;
  }
  const double mean = sum / count;
  double deviations = 0;
  for (double log_weight : log_weights)
    deviations += std::pow(std::exp(log_weight - greatest) - mean, 2);
  LogPartitionEstimate estimate;
  estimate.value = greatest + std::log(mean);
  estimate.standard_error = std::sqrt(deviations / (count - 1) / count) / mean;
  estimate.effective_sample_size = sum * sum / squares;
  return estimate;
}

// Chains on their way along beta, with their weights.
template <typename Scalar>
class AnnealedChains {
 public:
  AnnealedChains(const Product<Scalar>& product, Observations<Scalar> x,
                 std::uint64_t seed, const Workers& workers)
      : product_(product),
        workers_(workers),
        seed_(seed),
        x_(std::move(x)),
        posteriors_(product.NewPosteriors()),
        log_weights_(x_.size, 0) {}

  // Infers at beta and adds sign log f_beta(x) to the log weights.
  void Weigh(double beta, double sign) {
    product_.Infer(x_, static_cast<Scalar>(beta), workers_, posteriors_);
    std::vector<double> scores(x_.size, 0);
    for (std::size_t i = 0; i < product_.num_groups(); ++i)
      product_.group(i).AddLogScores(*posteriors_[i], absl::MakeSpan(scores));
    for (Index n = 0; n < x_.size; ++n) log_weights_[n] += sign * scores[n];
  }

  // A Gibbs step at the beta of the last inference.
  void Resample(std::uint32_t step) {
    product_.Resample(posteriors_, seed_, step, Reconstruction::kSample,
                      workers_, messages_, x_);
  }

  const std::vector<double>& log_weights() const { return log_weights_; }

 private:
  const Product<Scalar>& product_;
  const Workers& workers_;
  std::uint64_t seed_;
  Observations<Scalar> x_;
  typename Product<Scalar>::Posteriors posteriors_;
  Messages<Scalar> messages_;
  std::vector<double> log_weights_;
};

}  // namespace

std::vector<double> EvenInverseTemperatures(int intervals) {
  std::vector<double> ladder(intervals + 1);
  for (int k = 0; k <= intervals; ++k)
    ladder[k] = static_cast<double>(k) / intervals;
  return ladder;
}

template <typename Scalar>
absl::StatusOr<LogPartitionEstimate> EstimateLogPartition(
    const Product<Scalar>& product, const AnnealedImportanceOptions& options,
    const Workers& workers, InterruptCheck check) {
  if (absl::Status status = CheckOptions(product, options); !status.ok())
    return status;
  const std::optional<double> log_normalizer = product.base().LogNormalizer();
  if (!log_normalizer)
    return absl::FailedPreconditionError(
        "the normalizer of this product's base is not known");
  Observations<Scalar> start =
      product.sequential()
          ? MakeSequences<Scalar>(
                std::vector<Index>(options.chains, options.length),
                product.dimension())
          : MakeDense<Scalar>(options.chains, product.dimension());
  product.base().SampleStart({options.seed, Purpose::kStart, 0, 0}, start);
  AnnealedChains<Scalar> chains(product, std::move(start), options.seed,
                                workers);
  const std::vector<double>& ladder = options.inverse_temperatures;
  for (std::size_t k = 1; k < ladder.size(); ++k) {
    if (absl::Status status = check(); !status.ok()) return status;
    chains.Weigh(ladder[k], 1);
    if (k + 1 == ladder.size()) break;
    chains.Resample(static_cast<std::uint32_t>(k));
    chains.Weigh(ladder[k], -1);
  }
  LogPartitionEstimate estimate = Summarize(chains.log_weights());
  estimate.value += *log_normalizer * static_cast<double>(options.length);
  return estimate;
}

template absl::StatusOr<LogPartitionEstimate> EstimateLogPartition<float>(
    const Product<float>&, const AnnealedImportanceOptions&, const Workers&,
    InterruptCheck);
template absl::StatusOr<LogPartitionEstimate> EstimateLogPartition<double>(
    const Product<double>&, const AnnealedImportanceOptions&, const Workers&,
    InterruptCheck);

}  // namespace poe
