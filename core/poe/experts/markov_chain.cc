#include "poe/experts/markov_chain.h"

#include <algorithm>
#include <limits>

#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// A state that underflows, at 1e-308 of the greatest, has a share below 1e-278
// of whatever follows where every transition has at least this weight.
constexpr double kLeastLogWeight = -69;  // log 1e-30

// One number for each column. Arithmetic goes along rows, one operation at a
// time, so that a column has the same bits wherever it stands.
using ColumnArray = Eigen::Array<double, 1, Eigen::Dynamic>;

void ExpOf(RowMatrixRef<double> values) {
  for (Index k = 0; k < values.rows(); ++k)
    Exp(absl::Span<double>(values.row(k).data(), values.cols()));
}

void LogOf(ColumnArray& values) {
  Log(absl::Span<double>(values.data(), values.size()));
}

ColumnArray Sums(const ConstRowMatrixRef<double>& values) {
  ColumnArray sums = values.row(0);
  for (Index k = 1; k < values.rows(); ++k) sums += values.row(k).array();
  return sums;
}

// Subtracts from each column its greatest value, and returns these.
ColumnArray ShiftToZero(RowMatrixRef<double> values) {
  ColumnArray greatest = values.row(0);
  for (Index k = 1; k < values.rows(); ++k)
    greatest = greatest.max(values.row(k).array());
  values.array().rowwise() -= greatest;
  return greatest;
}

// Divides columns by their sums, which are returned.
ColumnArray Normalize(RowMatrixRef<double> values) {
  const ColumnArray sums = Sums(values);
  const ColumnArray factors = sums.inverse();
  values.array().rowwise() *= factors;
  return sums;
}

// The same of logarithms.
ColumnArray NormalizeLogs(RowMatrixRef<double> values) {
  ColumnArray sums = ShiftToZero(values);
  RowMatrix<double> shares = values;
  ExpOf(shares);
  ColumnArray logs = Sums(shares);
  LogOf(logs);
  values.array().rowwise() -= logs;
  return sums + logs;
}

}  // namespace

MarkovChain::MarkovChain(const Vector<double>& log_initial,
                         const RowMatrix<double>& log_transition,
                         double exponent)
    : log_initial_(exponent * log_initial), back_(exponent * log_transition) {
  summable_ = back_.minCoeff() > kLeastLogWeight;
  if (summable_) ExpOf(back_);
  forth_ = back_.transpose();
}

void MarkovChain::Apply(const RowMatrix<double>& moves,
                        const ConstRowMatrixRef<double>& from,
                        RowMatrixRef<double> result) const {
  if (summable_) {
    MultiplyRows<double>(moves, from, result);
    return;
  }
  RowMatrix<double> terms;
  for (Index k = 0; k < num_states(); ++k) {
    terms = from;
    terms.colwise() += moves.row(k).transpose();
    result.row(k) = NormalizeLogs(terms);
  }
}

void MarkovChain::Forward(const FrameOrder& order,
                          RowMatrixRef<double> messages,
                          absl::Span<double> log_scores) const {
  const Index sequences = order.sequences();
  messages.leftCols(sequences).colwise() += log_initial_;
  // Logarithms of what each frame's messages were divided by.
  ColumnArray scale = ColumnArray::Zero(order.rows());
  if (summable_) {
    scale = ShiftToZero(messages);
    ExpOf(messages);
  }
  ColumnArray sums(order.rows());
  RowMatrix<double> predicted(num_states(), sequences);
  for (Index t = 0; t < order.longest(); ++t) {
    const Index first = order.row(0, t);
    const Index active = order.Active(0, sequences, t);
    auto now = messages.middleCols(first, active);
    if (t > 0) {
      auto before = predicted.leftCols(active);
      Apply(forth_, messages.middleCols(order.row(0, t - 1), active), before);
      if (summable_)
        now.array() *= before.array();
      else
        now += before;
    }
    sums.segment(first, active) =
        summable_ ? Normalize(now) : NormalizeLogs(now);
  }
  if (summable_) LogOf(sums);
  scale += sums;
  std::fill(log_scores.begin(), log_scores.end(), 0.0);
  for (Index t = 0; t < order.longest(); ++t)
    for (Index n = 0; n < order.Active(0, sequences, t); ++n)
      log_scores[n] += scale(order.row(n, t));
}

void MarkovChain::SamplePaths(const FrameOrder& order,
                              const ConstRowMatrixRef<double>& forward,
                              absl::Span<const double> uniforms,
                              absl::Span<Index> path) const {
  const Index sequences = order.sequences(), states = num_states();
  RowMatrix<double> all(states, sequences);
  for (Index t = order.longest(); t-- > 0;) {
    const Index first = order.row(0, t);
    const Index active = order.Active(0, sequences, t);
    auto weights = all.leftCols(active);
    weights = forward.middleCols(first, active);
    for (Index n = 0; n < order.Active(0, sequences, t + 1); ++n) {
      const double* moves = forth_.row(path[order.row(n, t + 1)]).data();
      for (Index k = 0; k < states; ++k) {
        if (summable_)
          weights(k, n) *= moves[k];
        else
          weights(k, n) += moves[k];
      }
    }
    if (!summable_) {
      ShiftToZero(weights);
      ExpOf(weights);
    }
    for (Index k = 1; k < states; ++k) weights.row(k) += weights.row(k - 1);
    const absl::Span<Index> drawn = path.subspan(first, active);
    std::fill(drawn.begin(), drawn.end(), Index{0});
    for (Index k = 0; k + 1 < states; ++k)
      for (Index n = 0; n < active; ++n)
        drawn[n] +=
            weights(k, n) <= uniforms[first + n] * weights(states - 1, n);
  }
}

void MarkovChain::Smooth(const FrameOrder& order,
                         const ConstRowMatrixRef<double>& forward,
                         absl::Span<const double> weights,
                         RowMatrixRef<double> occupancy,
                         RowMatrixRef<double> transitions) const {
  const Index sequences = order.sequences();
  Vector<double> frame_weights(order.rows());
  // P(s_t+1 | all frames) / P(s_t+1 | frames until t), in the column of frame
  // t; nothing follows last frames.
  RowMatrix<double> ratio = RowMatrix<double>::Constant(
      num_states(), order.rows(),
      summable_ ? 0.0 : -std::numeric_limits<double>::infinity());
  RowMatrix<double> predicted(num_states(), sequences);
  for (Index t = order.longest(); t-- > 0;) {
    const Index first = order.row(0, t);
    const Index active = order.Active(0, sequences, t);
    const Index going = order.Active(0, sequences, t + 1);
    const auto known = forward.middleCols(first, active);
    auto now = occupancy.middleCols(first, active);
    for (Index n = 0; n < active; ++n) frame_weights(first + n) = weights[n];
    now = known;
    if (summable_)
      for (Index n = going; n < active; ++n) now.col(n) *= weights[n];
    if (going == 0) continue;
    auto before = predicted.leftCols(going);
    auto news = ratio.middleCols(first, going);
    const auto next = occupancy.middleCols(order.row(0, t + 1), going);
    Apply(forth_, known.leftCols(going), before);
    if (summable_)
      news = next.cwiseQuotient(before);
    else
      news = next - before;
    Apply(back_, news, before);
    if (summable_) {
      now.leftCols(going).array() *= before.array();
    } else {
      now.leftCols(going) += before;
      NormalizeLogs(now.leftCols(going));
    }
  }
  if (!summable_) {
    ExpOf(occupancy);
    occupancy.array().rowwise() *= frame_weights.transpose().array();
  }
  AddTransitions(forward, ratio, frame_weights, transitions);
}

void MarkovChain::AddTransitions(const ConstRowMatrixRef<double>& forward,
                                 const RowMatrix<double>& ratio,
                                 const Vector<double>& weights,
                                 RowMatrixRef<double> transitions) const {
  if (summable_) {
    const RowMatrix<double> by_frame = ratio.transpose();
    RowMatrix<double> sums(num_states(), num_states());
    MultiplyRows<double>(forward, by_frame, sums);
    transitions += sums.cwiseProduct(back_);
    return;
  }
  RowMatrix<double> terms;
  for (Index j = 0; j < num_states(); ++j) {
    terms = ratio;
    terms.rowwise() += forward.row(j);
    terms.colwise() += back_.row(j).transpose();
    ExpOf(terms);
    transitions.row(j) += (terms * weights).transpose();
  }
}

void MarkovChain::Step(RowMatrixRef<double> weights) const {
  const RowMatrix<double> from = weights;
  if (!summable_) {
    Apply(forth_, from, weights);
    return;
  }
  RowMatrix<double> shares = from;
  const ColumnArray greatest = ShiftToZero(shares);
  ExpOf(shares);
  Apply(forth_, shares, weights);
  for (Index k = 0; k < num_states(); ++k) {
    ColumnArray logs = weights.row(k);
    LogOf(logs);
    weights.row(k) = logs + greatest;
  }
}

}  // namespace poe
