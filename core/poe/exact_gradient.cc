#include "poe/exact_gradient.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// Rows of combinations that are evaluated together.
constexpr Index kBlockRows = 4096;

}  // namespace

template <typename Scalar>
absl::StatusOr<ExactGradient<Scalar>> ExactGradient<Scalar>::Create(
    const Product<Scalar>& product, Index symbols,
    absl::Span<const std::uint8_t> inputs) {
  const Family family = product.base().family();
  if (product.sequential())
    return absl::FailedPreconditionError(
        "the exact gradient sums over all values of a row; sequences have too "
        "many");
  if (family != Family::kBernoulli && family != Family::kCategorical)
    return absl::FailedPreconditionError(
        "the exact gradient sums over all values of a row; real data cannot be "
        "summed over");
  ExactGradient exact(product);
  if (family == Family::kCategorical) exact.columns_ = exact.states_ = symbols;
  Index columns;
  for (Index i = 0; i < product.dimension(); i += columns) {
    const bool given = !inputs.empty() && inputs[i] != 0;
    columns = given ? 1 : exact.columns_;
    if (given) continue;
    exact.outputs_.push_back(i);
    exact.combinations_ *= exact.states_;
    if (exact.combinations_ > kMostCombinations)
      return absl::FailedPreconditionError(absl::StrCat(
          "the exact gradient sums over all values of the outputs, which are "
          "more than ",
          kMostCombinations, "; name more inputs or leave out `exact`"));
  }
  return exact;
}

template <typename Scalar>
Observations<Scalar> ExactGradient<Scalar>::Combine(
    const Observations<Scalar>& data, Index begin, Index end) const {
  Observations<Scalar> combined =
      MakeDense<Scalar>((end - begin) * combinations_, data.dimension());
  for (Index n = begin; n < end; ++n) {
    for (Index c = 0; c < combinations_; ++c) {
      auto row = combined.values.row((n - begin) * combinations_ + c);
      row = data.values.row(n);
      Index rest = c;
      for (Index first : outputs_) {
        const Index state = rest % states_;
        rest /= states_;
        if (columns_ == 1) {
          row(first) = static_cast<Scalar>(state);
        } else {
          row.segment(first, columns_).setZero();
          row(first + state) = 1;
        }
      }
    }
  }
  return combined;
}

template <typename Scalar>
std::vector<double> ExactGradient<Scalar>::LogSums(
    const Observations<Scalar>& combined, const Workers& workers,
    std::vector<double>& scores) const {
  scores = this->product().LogScores(combined, workers);
  std::vector<double> sums;
  for (Index n = 0; n < combined.size; n += combinations_)
    sums.push_back(
        LogSumExp(absl::MakeConstSpan(scores).subspan(n, combinations_)));
  return sums;
}

template <typename Scalar>
void ExactGradient<Scalar>::ComputeGradient(const Observations<Scalar>& data,
                                            absl::Span<const Scalar> weights,
                                            const Workers& workers) {
  const std::vector<Scalar> row_weights = this->Normalized(weights, data.size);
  auto posteriors = this->product().NewPosteriors();
  this->SetZero(workers);
  this->product().Infer(data, 1, workers, posteriors);
  this->Add(data, posteriors, row_weights, workers);
  const std::vector<double> own = this->product().LogScores(data, workers);
  mean_log_probability_ = 0;
  for (Index n = 0; n < data.size; ++n)
    mean_log_probability_ += static_cast<double>(row_weights[n]) * own[n];
  // Without inputs the expectation is the same for every row.
  const Index rows = has_inputs() ? data.size : std::min<Index>(data.size, 1);
  const Index block = std::max<Index>(1, kBlockRows / combinations_);
  std::vector<double> scores;
  std::vector<Scalar> shares;
  for (Index begin = 0; begin < rows; begin += block) {
    const Index end = std::min(rows, begin + block);
    const Observations<Scalar> combined = Combine(data, begin, end);
    const std::vector<double> sums = LogSums(combined, workers, scores);
    shares.resize(combined.size);
    for (Index k = 0; k < combined.size; ++k) {
      const Index n = k / combinations_;
      const Scalar weight = has_inputs() ? row_weights[begin + n] : Scalar{1};
      shares[k] = -weight * static_cast<Scalar>(std::exp(scores[k] - sums[n]));
    }
    for (Index n = begin; n < end; ++n)
      mean_log_probability_ -=
          (has_inputs() ? static_cast<double>(row_weights[n]) : 1.0) *
          sums[n - begin];
    this->product().Infer(combined, 1, workers, posteriors);
    this->Add(combined, posteriors, shares, workers);
  }
}

template <typename Scalar>
std::vector<double> ExactGradient<Scalar>::LogProbabilities(
    const Observations<Scalar>& data, const Workers& workers) const {
  std::vector<double> result = this->product().LogScores(data, workers);
  if (!has_inputs()) {
    const double log_partition = LogPartition(workers);
    for (double& value : result) value -= log_partition;
    return result;
  }
  const Index block = std::max<Index>(1, kBlockRows / combinations_);
  std::vector<double> scores;
  for (Index begin = 0; begin < data.size; begin += block) {
    const Index end = std::min(data.size, begin + block);
    const std::vector<double> sums =
        LogSums(Combine(data, begin, end), workers, scores);
    for (Index n = begin; n < end; ++n) result[n] -= sums[n - begin];
  }
  return result;
}

template <typename Scalar>
double ExactGradient<Scalar>::LogPartition(const Workers& workers) const {
  const Observations<Scalar> any =
      MakeDense<Scalar>(1, this->product().dimension());
  std::vector<double> scores;
  return LogSums(Combine(any, 0, 1), workers, scores)[0];
}

template class ExactGradient<float>;
template class ExactGradient<double>;

}  // namespace poe
