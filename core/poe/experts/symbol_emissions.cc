#include "poe/experts/symbol_emissions.h"

#include <cmath>

#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr Index kLeastColumns = 32;

}  // namespace

RowMatrix<double> LogSoftmax(const RowMatrix<double>& logits, Index block) {
  RowMatrix<double> result = logits;
  for (Index k = 0; k < logits.rows(); ++k)
    for (Index first = 0; first < logits.cols(); first += block)
      result.row(k).segment(first, block).array() -=
          LogSumExp(absl::MakeConstSpan(logits.row(k).data() + first, block));
  return result;
}

template <typename Scalar>
RowMatrix<double> WeightedSums(const RowMatrix<Scalar>& x,
                               const RowMatrix<double>& weights,
                               const Workers& workers) {
  const RowMatrix<double> frames = x.template cast<double>();
  RowMatrix<double> sums = RowMatrix<double>::Zero(x.cols(), weights.cols());
  workers.ParallelFor(x.cols(), kLeastColumns, [&](Index begin, Index end) {
    AddTransposedProduct<double>(frames, weights, begin,
                                 sums.middleRows(begin, end - begin));
  });
  return sums.transpose();
}

template <typename Scalar>
void SymbolEmissions<Scalar>::Set(const ConstRowMatrixRef<Scalar>& logits,
                                  Index num_symbols) {
  num_symbols_ = num_symbols;
  const RowMatrix<double> log_softmax =
      LogSoftmax(logits.template cast<double>(), num_symbols);
  logits_ = log_softmax.template cast<Scalar>();
  log_softmax_ = log_softmax.transpose();
}

template <typename Scalar>
void SymbolEmissions<Scalar>::LogDensities(
    const ConstRowMatrixRef<Scalar>& x,
    RowMatrixRef<double> log_probabilities) const {
  MultiplyRows<double>(x.template cast<double>(), log_softmax_,
                       log_probabilities);
}

template <typename Scalar>
void SymbolEmissions<Scalar>::AddGradient(
    const RowMatrix<Scalar>& x, const RowMatrix<double>& weights,
    const Workers& workers, RowMatrixRef<Scalar> logit_gradient) const {
  const RowMatrix<double> sums = WeightedSums(x, weights, workers);
  for (Index k = 0; k < sums.rows(); ++k) {
    for (Index first = 0; first < sums.cols(); first += num_symbols_) {
      const double total = sums.row(k).segment(first, num_symbols_).sum();
      for (Index i = first; i < first + num_symbols_; ++i)
        logit_gradient(k, i) += static_cast<Scalar>(
            sums(k, i) - std::exp(log_softmax_(i, k)) * total);
    }
  }
}

#define POE_INSTANTIATE(Scalar)                                            \
  template RowMatrix<double> WeightedSums<Scalar>(                         \
      const RowMatrix<Scalar>&, const RowMatrix<double>&, const Workers&); \
  template class SymbolEmissions<Scalar>;
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
