#include "poe/experts/markov_chain.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// A state that underflows, at 1e-308 of the greatest, has a share below 1e-278
// of whatever follows where every transition has at least this weight.
constexpr double kLeastLogWeight = -69;  // log 1e-30

// values -= their greatest, which is returned.
double ShiftToZero(absl::Span<double> values) {
  const double greatest = *std::max_element(values.begin(), values.end());
  for (double& value : values) value -= greatest;
  return greatest;
}

// values <- total exp(values) / sum exp(values)
void Normalize(double total, absl::Span<double> values) {
  ShiftToZero(values);
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value);
  for (double& value : values) value *= total / sum;
}

// The index drawn with probability proportional to exp(values), which are
// replaced.
Index DrawIndex(double uniform, absl::Span<double> values) {
  ShiftToZero(values);
  double sum = 0;
  for (double& value : values) value = sum += std::exp(value);
  const auto found =
      std::upper_bound(values.begin(), values.end(), uniform * sum);
  return std::min<Index>(found - values.begin(),
                         static_cast<Index>(values.size()) - 1);
}

absl::Span<double> RowOf(RowMatrixRef<double>& matrix, Index t) {
  return {matrix.data() + t * matrix.outerStride(),
          static_cast<std::size_t>(matrix.cols())};
}

}  // namespace

MarkovChain::MarkovChain(const Vector<double>& log_initial,
                         const RowMatrix<double>& log_transition,
                         double exponent)
    : log_initial_(exponent * log_initial) {
  forth_.logs = exponent * log_transition;
  back_.logs = forth_.logs.transpose();
  summable_ = forth_.logs.minCoeff() > kLeastLogWeight;
  forth_.values = forth_.logs.unaryExpr([](double t) { return std::exp(t); });
  back_.values = forth_.values.transpose();
}

void MarkovChain::Apply(const Table& table,
                        absl::Span<const double> log_weights,
                        absl::Span<double> result) const {
  const Index states = num_states();
  if (!summable_) {
    std::vector<double> terms(states);
    for (Index k = 0; k < states; ++k) {
      for (Index j = 0; j < states; ++j)
        terms[j] = log_weights[j] + table.logs(j, k);
      result[k] = LogSumExp(terms);
    }
    return;
  }
  const double greatest =
      *std::max_element(log_weights.begin(), log_weights.end());
  std::fill(result.begin(), result.end(), 0.0);
  for (Index j = 0; j < states; ++j) {
    const double weight = std::exp(log_weights[j] - greatest);
    const double* row = table.values.row(j).data();
    for (Index k = 0; k < states; ++k) result[k] += weight * row[k];
  }
  for (double& value : result) value = greatest + std::log(value);
}

void MarkovChain::Step(absl::Span<const double> log_weights,
                       absl::Span<double> result) const {
  Apply(forth_, log_weights, result);
}

double MarkovChain::Forward(const ConstRowMatrixRef<double>& log_emission,
                            RowMatrixRef<double> log_forward) const {
  double score = 0;
  for (Index t = 0; t < log_emission.rows(); ++t) {
    const absl::Span<double> row = RowOf(log_forward, t);
    if (t == 0)
      std::copy_n(log_initial_.data(), row.size(), row.begin());
    else
      Apply(forth_, RowOf(log_forward, t - 1), row);
    for (Index k = 0; k < num_states(); ++k) row[k] += log_emission(t, k);
    score += ShiftToZero(row);
  }
  return score + LogSumExp(RowOf(log_forward, log_forward.rows() - 1));
}

void MarkovChain::SamplePath(const ConstRowMatrixRef<double>& log_forward,
                             absl::Span<const double> uniforms,
                             absl::Span<Index> path) const {
  std::vector<double> weights(num_states());
  for (Index t = log_forward.rows(); t-- > 0;) {
    const bool last = t + 1 == log_forward.rows();
    for (Index k = 0; k < num_states(); ++k)
      weights[k] = log_forward(t, k) + (last ? 0 : back_.logs(path[t + 1], k));
    path[t] = DrawIndex(uniforms[t], absl::MakeSpan(weights));
  }
}

void MarkovChain::Smooth(const ConstRowMatrixRef<double>& log_emission,
                         const ConstRowMatrixRef<double>& log_forward,
                         double weight, RowMatrixRef<double> occupancy,
                         RowMatrixRef<double> transitions) const {
  const Index states = num_states(), length = log_emission.rows();
  // The backward message of frame t, and what frame t + 1 says of its state.
  Vector<double> backward = Vector<double>::Zero(states), next(states);
  RowMatrix<double> sums = RowMatrix<double>::Zero(states, states);
  for (Index t = length; t-- > 0;) {
    const bool last = t + 1 == length;
    if (!last) {
      next = backward + log_emission.row(t + 1).transpose();
      ShiftToZero(absl::MakeSpan(next.data(), states));
      Apply(back_, absl::MakeConstSpan(next.data(), states),
            absl::MakeSpan(backward.data(), states));
    }
    occupancy.row(t) = log_forward.row(t) + backward.transpose();
    Normalize(weight, RowOf(occupancy, t));
    if (last) continue;
    // P(s_t+1 = k | s_t = j, frames) = A[j, k] exp(next[k] - backward[j]).
    if (summable_)
      for (Index k = 0; k < states; ++k) next(k) = std::exp(next(k));
    for (Index j = 0; j < states; ++j) {
      if (summable_) {
        sums.row(j) +=
            occupancy(t, j) * std::exp(-backward(j)) * next.transpose();
        continue;
      }
      for (Index k = 0; k < states; ++k)
        sums(j, k) += occupancy(t, j) *
                      std::exp(forth_.logs(j, k) + next(k) - backward(j));
    }
  }
  if (summable_)
    transitions += sums.cwiseProduct(forth_.values);
  else
    transitions += sums;
}

}  // namespace poe
