#include "poe/annealed_chains.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

// Chains of one share of the work: below the least matrix products are slow,
// above the most the states of all of them leave the cache.
constexpr Index kLeastChains = 16, kMostChains = 256;
// Parameters x chains of a share's pass, between two looks at the interrupt
// check: some ten milliseconds' work.
constexpr Index kMostWork = Index{1} << 25;

// Some chains on their way.
template <typename Scalar>
class Share {
 public:
  Share(const Product<Scalar>& product, Observations<Scalar> x)
      : product_(&product),
        x_(std::move(x)),
        posteriors_(product.NewPosteriors()) {}

  // Infers x as it is now, at beta.
  void Infer(double beta) {
    product_->Infer(x_, static_cast<Scalar>(beta), Workers::Inline(),
                    posteriors_);
  }

  // Goes to beta with the same x.
  void Temper(double beta) {
    product_->Temper(x_, static_cast<Scalar>(beta), Workers::Inline(),
                     posteriors_);
  }

  // log_weights += sign log f_beta(x), beta and x as last inferred.
  void Weigh(double sign, absl::Span<double> log_weights) {
    scores_.assign(x_.size, 0);
    for (std::size_t i = 0; i < product_->num_groups(); ++i)
      product_->group(i).AddLogScores(*posteriors_[i], absl::MakeSpan(scores_));
    for (Index n = 0; n < x_.size; ++n) log_weights[n] += sign * scores_[n];
  }

  // The rest of a Gibbs step at the beta last inferred.
  void Resample(std::uint64_t seed, std::uint32_t step) {
    product_->Resample(posteriors_, seed, step, Reconstruction::kSample,
                       Workers::Inline(), messages_, x_);
  }

 private:
  const Product<Scalar>* product_;
  Observations<Scalar> x_;
  typename Product<Scalar>::Posteriors posteriors_;
  Messages<Scalar> messages_;
  std::vector<double> scores_;
};

// From beta_k-1 to beta_k (k as numbered from 1) or, in the reverse direction,
// back: one matrix product to infer x, and one to resample it.
template <typename Scalar>
void Pass(const AnnealedWalk& walk, std::size_t k, Share<Scalar>& share,
          absl::Span<double> log_weights) {
  const std::vector<double>& ladder = walk.inverse_temperatures;
  const bool forward = walk.direction == AnnealingDirection::kForward;
  const double low = ladder[k - 1], high = ladder[k];
  // A kind's log score at beta = 0 is a constant that is left out.
  const bool weigh_low = k > 1;
  const bool weigh_low_first = forward && weigh_low;
  share.Infer(weigh_low_first ? low : high);
  if (weigh_low_first) {
    share.Weigh(-1, log_weights);
    share.Temper(high);
  }
  share.Weigh(1, log_weights);
  if (!forward && weigh_low) {
    share.Temper(low);
    share.Weigh(-1, log_weights);
  }
  const std::size_t step = forward ? k : k - 1;
  if (step > 0 && step + 1 < ladder.size())
    share.Resample(walk.seed, static_cast<std::uint32_t>(step));
}

}  // namespace

std::vector<double> EvenInverseTemperatures(int intervals) {
  std::vector<double> ladder(intervals + 1);
  for (int k = 0; k <= intervals; ++k)
    ladder[k] = static_cast<double>(k) / intervals;
  return ladder;
}

template <typename Scalar>
absl::Status CheckInverseTemperatures(absl::Span<const double> ladder) {
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
absl::StatusOr<std::vector<double>> AnnealedLogWeights(
    const Product<Scalar>& product, const AnnealedWalk& walk,
    absl::FunctionRef<Observations<Scalar>(Index begin, Index end)> start,
    const Workers& workers, InterruptCheck check, AnnealingProgress progress) {
  const std::size_t passes = walk.inverse_temperatures.size() - 1;
  const Index most = std::clamp(
      PaddedRows(kMostWork / std::max<Index>(product.num_parameters(), 1)),
      kLeastChains, kMostChains);
  std::vector<double> log_weights(walk.chains, 0);
  Index end = 0;
  for (Index begin = 0; begin < walk.chains; begin = end) {
    const Index per_worker = PaddedRows(
        (walk.chains - begin + workers.threads() - 1) / workers.threads());
    const Index width = std::clamp(per_worker, kLeastChains, most);
    end = std::min(walk.chains, begin + width * workers.threads());
    std::vector<std::optional<Share<Scalar>>> shares((end - begin + width - 1) /
                                                     width);
    for (std::size_t pass = 1; pass <= passes; ++pass) {
      if (absl::Status status = check(); !status.ok()) return status;
      const std::size_t k = walk.direction == AnnealingDirection::kForward
                                ? pass
                                : passes + 1 - pass;
      workers.ForEach(static_cast<Index>(shares.size()), [&](Index i) {
        const Index first = begin + i * width;
        const Index last = std::min(end, first + width);
        if (pass == 1) shares[i].emplace(product, start(first, last));
        Pass(walk, k, *shares[i],
             absl::MakeSpan(log_weights).subspan(first, last - first));
      });
      const double before = static_cast<double>(begin) * passes;
      progress((before + static_cast<double>(end - begin) * pass) /
               (static_cast<double>(walk.chains) * passes));
    }
  }
  return log_weights;
}

AnnealedEstimate LogMeanWeight(absl::Span<const double> log_weights) {
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
  AnnealedEstimate estimate;
  estimate.value = greatest + std::log(mean);
  estimate.standard_error = std::sqrt(deviations / (count - 1) / count) / mean;
  estimate.effective_sample_size = sum * sum / squares;
  return estimate;
}

bool HasCollapsed(const AnnealedEstimate& estimate, Index chains) {
  return estimate.effective_sample_size <
         std::min(kLeastEffectiveChains, static_cast<double>(chains) / 2);
}

template absl::Status CheckInverseTemperatures<float>(absl::Span<const double>);
template absl::Status CheckInverseTemperatures<double>(
    absl::Span<const double>);
template absl::StatusOr<std::vector<double>> AnnealedLogWeights<float>(
    const Product<float>&, const AnnealedWalk&,
    absl::FunctionRef<Observations<float>(Index, Index)>, const Workers&,
    InterruptCheck, AnnealingProgress);
template absl::StatusOr<std::vector<double>> AnnealedLogWeights<double>(
    const Product<double>&, const AnnealedWalk&,
    absl::FunctionRef<Observations<double>(Index, Index)>, const Workers&,
    InterruptCheck, AnnealingProgress);

}  // namespace poe
