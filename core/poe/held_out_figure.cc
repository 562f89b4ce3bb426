#include "poe/held_out_figure.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "absl/status/status.h"
#include "poe/exact_gradient.h"
#include "poe/log_partition.h"
#include "poe/scoring.h"

namespace poe {
namespace {

// Rows between two looks at the interrupt check; large enough that matrix
// products run at full speed.
constexpr Index kJudgedRows = 512;

std::vector<Index> LengthsOfSelection(const RowSelection& rows) {
  if (rows.rows().starts.empty()) return {0};
  std::set<Index> lengths;
  for (Index n : rows.numbers()) lengths.insert(rows.rows().length(n));
  return {lengths.begin(), lengths.end()};
}

// N log probabilities; `log_partitions` by length.
std::vector<double> LogProbabilitiesOf(
    const Product<float>& product,
    const std::map<Index, double>& log_partitions, const Observations<float>& x,
    const Workers& workers) {
  std::vector<double> values = product.LogScores(x, workers);
  for (Index n = 0; n < x.size; ++n)
    values[n] -= log_partitions.at(x.sequential() ? x.length(n) : 0);
  return values;
}

// N log probabilities of outputs given inputs.
absl::StatusOr<std::vector<double>> ConditionalLogProbabilities(
    const Product<float>& product, const DataSpec& spec,
    const Observations<float>& x, const Workers& workers) {
  const auto listed =
      ExactGradient<float>::Create(product, spec.num_symbols, InputMask(spec));
  if (!listed.ok()) return listed.status();
  return listed->LogProbabilities(x, workers);
}

// N squared differences of data and reconstruction, summed over coordinates.
std::vector<double> SquaredErrors(const Product<float>& product,
                                  Reconstruction reconstruction,
                                  std::uint64_t seed,
                                  const Observations<float>& x,
                                  const Workers& workers) {
  Product<float>::Posteriors posteriors = product.NewPosteriors();
  Messages<float> messages;
  Observations<float> reconstructed = x;
  product.Infer(x, 1, workers, posteriors);
  product.Resample(posteriors, seed, 0, reconstruction, workers, messages,
                   reconstructed);
  std::vector<double> errors;
  Index first = 0;
  for (Index n = 0; n < x.size; ++n) {
    const Index frames = x.length(n);
    errors.push_back((reconstructed.values.middleRows(first, frames) -
                      x.values.middleRows(first, frames))
                         .cast<double>()
                         .squaredNorm());
    first += frames;
  }
  return errors;
}

}  // namespace

HeldOutJudge::HeldOutJudge(const RowSelection& rows,
                           const Product<float>& product,
                           Reconstruction reconstruction, std::uint64_t seed)
    : rows_(rows),
      spec_(rows.seen_spec()),
      reconstruction_(reconstruction),
      seed_(seed),
      lengths_(LengthsOfSelection(rows)),
      way_(ChooseWay(product)) {}

HeldOutJudge::Way HeldOutJudge::ChooseWay(const Product<float>& product) const {
  if (KnowsConditionalProbability(spec_, product)) return Way::kConditional;
  // What has an exact log Z is a matter of kinds and numbers of experts, so
  // that the way stays the same while the parameters change.
  const bool known = !lengths_.empty() && lengths_.size() <= kMostLengths &&
                     ExactLogPartition(product, spec_, lengths_.front()).ok();
  return known ? Way::kLogPartition : Way::kReconstruction;
}

absl::StatusOr<HeldOutFigure> HeldOutJudge::Judge(const Product<float>& product,
                                                  const Workers& workers,
                                                  InterruptCheck check) const {
  std::map<Index, double> log_partitions;
  if (way_ == Way::kLogPartition) {
    for (Index length : lengths_) {
      if (absl::Status status = check(); !status.ok()) return status;
      const auto value = ExactLogPartition(product, spec_, length);
      if (!value.ok()) return value.status();
      log_partitions[length] = *value;
    }
  }
  const auto values_of =
      [&](const Observations<float>& x) -> absl::StatusOr<std::vector<double>> {
    if (way_ == Way::kLogPartition)
      return LogProbabilitiesOf(product, log_partitions, x, workers);
    if (way_ == Way::kConditional)
      return ConditionalLogProbabilities(product, spec_, x, workers);
    return SquaredErrors(product, reconstruction_, seed_, x, workers);
  };
  double sum = 0, total = 0;
  for (Index begin = 0; begin < rows_.size(); begin += kJudgedRows) {
    if (absl::Status status = check(); !status.ok()) return status;
    std::vector<std::uint32_t> positions(
        std::min(kJudgedRows, rows_.size() - begin));
    std::iota(positions.begin(), positions.end(),
              static_cast<std::uint32_t>(begin));
    const Observations<float> x = rows_.Take(positions, workers);
    const absl::StatusOr<std::vector<double>> values = values_of(x);
    if (!values.ok()) return values.status();
    const std::vector<float> weights = rows_.Weights(positions);
    const std::vector<bool> in_support = product.InSupport(x);
    for (Index n = 0; n < x.size; ++n) {
      const double weight = weights.empty() ? 1 : weights[n];
      if (!in_support[n] || weight == 0) continue;
      sum += weight * (*values)[n];
      total += way_ == Way::kReconstruction
                   ? weight * static_cast<double>(x.length(n) * x.dimension())
                   : weight;
    }
  }
  if (total == 0)
    return absl::FailedPreconditionError(
        "no held-out row has a weight and lies in the box of the training "
        "rows, so that early_stopping has nothing to go by; raise "
        "held_out_share");
  HeldOutFigure figure;
  (way_ == Way::kReconstruction ? figure.reconstruction_error
                                : figure.log_probability) = sum / total;
  return figure;
}

}  // namespace poe
