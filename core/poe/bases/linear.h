// What bases have in common whose log score is linear: log b(x) = a.x, with
// messages that add to a. Real inputs, which stand behind the columns that a
// speaks of, have no part in it.
#ifndef POE_BASES_LINEAR_H_
#define POE_BASES_LINEAR_H_

#include "absl/status/status.h"
#include "poe/base.h"

namespace poe {

// One block: visible bias 1 x (D - real inputs).
template <typename Scalar>
class LinearBase : public Base<Scalar> {
 public:
  Index dimension() const final { return num_outputs() + num_real_inputs_; }
  Index num_real_inputs() const final { return num_real_inputs_; }
  void AddLogScores(const Observations<Scalar>& x,
                    absl::Span<double> log_scores) const final;
  Messages<Scalar> NaturalParameters() const final;
  void SampleStart(const Draws& draws, Observations<Scalar>& x) const final;
  void AddGradient(const Observations<Scalar>& x,
                   absl::Span<const Scalar> weights,
                   Eigen::Ref<Vector<Scalar>> gradient) const final;

 protected:
  // InvalidArgument unless the bias is finite and not empty. num_real_inputs
  // must be at least 0.
  absl::Status SetBias(const Vector<Scalar>& bias, Index num_real_inputs);

  // The columns before those of real inputs.
  Index num_outputs() const { return this->parameters().size(); }

 private:
  Index num_real_inputs_ = 0;
};

}  // namespace poe

#endif  // POE_BASES_LINEAR_H_
