// A product whose experts are all hidden Markov models: one chain of the joint
// states of all of them, given which the coordinates of a frame are
// independent.
#ifndef POE_EXPERTS_HIDDEN_MARKOV_PRODUCT_H_
#define POE_EXPERTS_HIDDEN_MARKOV_PRODUCT_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/experts/markov_chain.h"
#include "poe/product.h"

namespace poe {

// A view of a product, which must outlive it and not change. Joint states are
// K_1 K_2 ... K_M, the first expert's changing fastest. Everything is at beta 1
// and the groups' own powers.
template <typename Scalar>
class HiddenMarkovProduct {
 public:
  // FailedPrecondition where a group is not of hidden Markov models, which may
  // see some coordinates only, there are more than `most` joint states, or real
  // inputs.
  static absl::StatusOr<HiddenMarkovProduct> View(
      const Product<Scalar>& product, Index most);

  Index joint_states() const { return joint_states_; }

  // For each joint state, log of the integral (sum) of base and emissions over
  // those values of a frame that are not clamped, the others as they are.
  // `values` and `clamped` have D entries, or none where nothing is clamped.
  // O(M D) for each: on the whole line for a structured base, on the box for a
  // Gaussian one.
  Vector<double> LogFrameIntegrals(
      absl::Span<const Scalar> values,
      absl::Span<const std::uint8_t> clamped) const;

  // log of the sum over joint paths of what the chains say and, at frame t,
  // frame(t): what LogFrameIntegrals gives; over the first frames, as many as
  // each of `lengths` says, which ascend strictly from 1 or more. Each has the
  // same bits whatever others there are. O(T M K^(M+1)), T the longest.
  std::vector<double> LogSumsOverPaths(
      absl::Span<const Index> lengths,
      absl::FunctionRef<const Vector<double>&(Index t)> frame) const;

 private:
  // Parameters in double, K x D; zeros where the expert does not look.
  struct Expert {
    MarkovChain chain;
    double exponent;
    RowMatrix<double> logits;           // symbols: log softmax
    RowMatrix<double> mean, precision;  // Gaussians
    Vector<double> log_peak;            // Gaussians: log density at the mean
  };

  HiddenMarkovProduct() = default;

  // Calls body(joint, states) for every combination of one state of each.
  template <typename Body>
  void ForEachJointState(Body body) const;
  // Base and Gaussians named by `states` at a value of coordinate i, and their
  // log integral over it; both without peaks.
  double LogDensity(const std::vector<Index>& states, Index i,
                    double value) const;
  double LogIntegral(const std::vector<Index>& states, Index i) const;
  // weights <- log sum over joint states before of exp(weights) and the
  // probability of the transitions, one expert after the other.
  void Step(Vector<double>& weights) const;

  // What the base says of coordinate i: -precision (x - mean)^2 / 2 on an
  // interval, or on the whole line.
  struct RealCoordinate {
    double mean = 0, precision = 0;
    bool bounded = false;
    double lower = 0, upper = 0;
  };

  std::vector<Expert> experts_;
  Index joint_states_ = 1;
  std::vector<RealCoordinate> coordinates_;  // empty for symbols
  RowMatrix<double> base_logits_;            // 1 x D; empty for real values
  Index num_symbols_ = 0;
};

}  // namespace poe

#endif  // POE_EXPERTS_HIDDEN_MARKOV_PRODUCT_H_
