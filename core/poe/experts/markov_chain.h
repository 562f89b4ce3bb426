// A Markov chain of K hidden states under emissions that are given as log
// densities: the recursions of a hidden Markov model, over many sequences that
// go together.
#ifndef POE_EXPERTS_MARKOV_CHAIN_H_
#define POE_EXPERTS_MARKOV_CHAIN_H_

#include "absl/types/span.h"
#include "poe/experts/frame_order.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// Initial and transition probabilities to the power `exponent`, not normalized
// again: the sum over paths of (pi[s_1] prod A[s_t, s_t+1])^exponent times the
// emissions. Immutable and thread-safe.
//
// Matrices of frames are K x order.rows(), a column for each frame; spans over
// sequences are by position in the order. What is said of a sequence has the
// same bits whichever others are there. Steps are products of probabilities,
// K x K by K x sequences, where no transition is so improbable that they could
// lose a path that matters, and else sums of logarithms.
class MarkovChain {
 public:
  // Logarithms of pi (K) and of A (K x K, row = from), finite.
  MarkovChain(const Vector<double>& log_initial,
              const RowMatrix<double>& log_transition, double exponent);

  Index num_states() const { return log_initial_.size(); }  // K
  // exponent times log pi.
  const Vector<double>& log_initial() const { return log_initial_; }

  // log_scores[n] = the log of the sum over paths, O(T K^2). `messages` holds
  // finite log densities of emissions and receives the forward messages
  // P(s_t | frames until t), which are for the functions below to read.
  void Forward(const FrameOrder& order, RowMatrixRef<double> messages,
               absl::Span<double> log_scores) const;

  // Draws a path of each sequence given its frames, from the last state back,
  // O(T K). uniforms[f] in (0, 1) decides path[f], the state of frame f.
  void SamplePaths(const FrameOrder& order,
                   const ConstRowMatrixRef<double>& forward,
                   absl::Span<const double> uniforms,
                   absl::Span<Index> path) const;

  // occupancy(k, f) = weight of the sequence times P(state k | its frames).
  // Adds to `transitions` (K x K) weight times the expected number of each.
  void Smooth(const FrameOrder& order, const ConstRowMatrixRef<double>& forward,
              absl::Span<const double> weights, RowMatrixRef<double> occupancy,
              RowMatrixRef<double> transitions) const;

  // weights(k, n) <- log sum_j exp(weights(j, n)) A[j, k]^exponent; K x any.
  void Step(RowMatrixRef<double> weights) const;

 private:
  // result(k, n) = sum_j moves(k, j) from(j, n), or all of it in logarithms;
  // not the same memory.
  void Apply(const RowMatrix<double>& moves,
             const ConstRowMatrixRef<double>& from,
             RowMatrixRef<double> result) const;
  // Transitions that are expected once `ratio` is what the frames after one say
  // of the next state, over what was known of it before.
  void AddTransitions(const ConstRowMatrixRef<double>& forward,
                      const RowMatrix<double>& ratio,
                      const Vector<double>& weights,
                      RowMatrixRef<double> transitions) const;

  Vector<double> log_initial_;
  // Whether `back_` and `forth_` are probabilities; else their logarithms.
  bool summable_ = true;
  RowMatrix<double> back_, forth_;  // A^exponent (row = from); its transpose
};

}  // namespace poe

#endif  // POE_EXPERTS_MARKOV_CHAIN_H_
