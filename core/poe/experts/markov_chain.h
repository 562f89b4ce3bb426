// One Markov chain of K hidden states under emissions that are given as log
// densities: the recursions of a hidden Markov model.
#ifndef POE_EXPERTS_MARKOV_CHAIN_H_
#define POE_EXPERTS_MARKOV_CHAIN_H_

#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// Initial and transition probabilities to the power `exponent`, not normalized
// again: the sum over paths of (pi[s_1] prod A[s_t, s_t+1])^exponent times the
// emissions. Weights are kept as logarithms, so that nothing underflows
// however improbable the frames are. Immutable and thread-safe.
class MarkovChain {
 public:
  // Logarithms of pi (K) and of A (K x K, row = from), finite.
  MarkovChain(const Vector<double>& log_initial,
              const RowMatrix<double>& log_transition, double exponent);

  Index num_states() const { return log_initial_.size(); }  // K
  // exponent times log pi.
  const Vector<double>& log_initial() const { return log_initial_; }

  // The log of the sum over paths, O(T K^2). `log_emission` is T x K. Leaves
  // the forward messages in `log_forward`, T x K, up to a constant for each
  // frame: the greatest of a row is 0.
  double Forward(const ConstRowMatrixRef<double>& log_emission,
                 RowMatrixRef<double> log_forward) const;

  // Draws a path given the frames, from the last state back, O(T K).
  // uniforms[t] in (0, 1) decides state t.
  void SamplePath(const ConstRowMatrixRef<double>& log_forward,
                  absl::Span<const double> uniforms,
                  absl::Span<Index> path) const;

  // occupancy(t, k) = weight P(s_t = k | frames); T x K. Adds to `transitions`
  // (K x K) weight times the expected number of each.
  void Smooth(const ConstRowMatrixRef<double>& log_emission,
              const ConstRowMatrixRef<double>& log_forward, double weight,
              RowMatrixRef<double> occupancy,
              RowMatrixRef<double> transitions) const;

  // result[k] = log sum_j exp(log_weights[j]) A[j, k]^exponent, K each, not
  // the same memory.
  void Step(absl::Span<const double> log_weights,
            absl::Span<double> result) const;

 private:
  // Weights of transitions, from row to column.
  struct Table {
    RowMatrix<double> logs, values;
  };
  void Apply(const Table& table, absl::Span<const double> log_weights,
             absl::Span<double> result) const;

  Vector<double> log_initial_;
  Table forth_, back_;  // A and its transpose
  // Whether no transition is so improbable that sums of `values` could lose a
  // path that matters; else sums are taken of logarithms.
  bool summable_ = true;
};

}  // namespace poe

#endif  // POE_EXPERTS_MARKOV_CHAIN_H_
