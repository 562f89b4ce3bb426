// Probabilities of frames of symbols under many independent categorical
// distributions at once, by matrix products.
#ifndef POE_EXPERTS_SYMBOL_EMISSIONS_H_
#define POE_EXPERTS_SYMBOL_EMISSIONS_H_

#include "poe/numerics/matrix_product.h"
#include "poe/numerics/workers.h"

namespace poe {

// The log softmax of `logits` within blocks of `block`
// columns.
RowMatrix<double> LogSoftmax(const RowMatrix<double>& logits, Index block);

// weights' x: K x D, the number of each symbol that each of K columns of
// weights (as many rows as x) gives weight to. The same bits at any number of
// threads.
template <typename Scalar>
RowMatrix<double> WeightedSums(const RowMatrix<Scalar>& x,
                               const RowMatrix<double>& weights,
                               const Workers& workers);

// K states, each with a softmax over every S of D = coordinates x S columns of
// logits. Frames have D columns, one-hot within blocks of S.
template <typename Scalar>
class SymbolEmissions {
 public:
  // K x D.
  void Set(const ConstRowMatrixRef<Scalar>& logits, Index num_symbols);

  // log_probabilities(f, k) = sum_i x(f, i) log softmax(k, i), for any number
  // of frames.
  void LogDensities(const ConstRowMatrixRef<Scalar>& x,
                    RowMatrixRef<double> log_probabilities) const;

  // What state k says of a frame, K x D: log softmax.
  const RowMatrix<Scalar>& logits() const { return logits_; }

  // Adds the gradient of sum weights(f, k) log P(x_f | k): K x D. `weights` is
  // PaddedRows(frames) x K, 0 in the padding.
  void AddGradient(const RowMatrix<Scalar>& x, const RowMatrix<double>& weights,
                   const Workers& workers,
                   RowMatrixRef<Scalar> logit_gradient) const;

 private:
  Index num_symbols_ = 1;
  RowMatrix<Scalar> logits_;
  RowMatrix<double> log_softmax_;  // D x K
};

}  // namespace poe

#endif  // POE_EXPERTS_SYMBOL_EMISSIONS_H_
