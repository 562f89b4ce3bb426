// Bernoulli hidden units: f_m(x) = 1 + exp(c_m + w_m.x), a Boltzmann machine
// with one hidden unit each; a group of them is a restricted Boltzmann machine.
#ifndef POE_EXPERTS_BERNOULLI_UNITS_H_
#define POE_EXPERTS_BERNOULLI_UNITS_H_

#include "absl/status/statusor.h"
#include "poe/expert_group.h"

namespace poe {

// Blocks: weights D x M, hidden bias 1 x M. The message of a unit that is on is
// its weight vector, as log-odds of binary data, logits of symbols or
// information of real data, where the base must bring the precision.
template <typename Scalar>
class BernoulliUnits final : public ExpertGroup<Scalar> {
 public:
  // weights D x M and bias M, finite; power > 0.
  static absl::StatusOr<std::unique_ptr<BernoulliUnits>> Create(
      const RowMatrix<Scalar>& weights, const Vector<Scalar>& bias,
      Scalar power = 1);

  Index num_experts() const override { return this->blocks()[0].cols; }
  Index dimension() const override { return this->blocks()[0].rows; }
  bool Supports(Family) const override { return true; }
  Scalar power() const override { return power_; }
  std::unique_ptr<ExpertGroup<Scalar>> Clone() const override;

  std::unique_ptr<Posterior> NewPosterior() const override;
  void Infer(const Observations<Scalar>& x, Scalar beta, const Workers& workers,
             Posterior& posterior) const override;
  void Temper(const Observations<Scalar>& x, Scalar beta,
              const Workers& workers, Posterior& posterior) const override;
  void AddLogScores(const Posterior& posterior,
                    absl::Span<double> log_scores) const override;
  void ExpertLogScores(const Posterior& posterior,
                       RowMatrixRef<double> log_scores) const override;
  void AddSampledMessages(const Observations<Scalar>& x,
                          const Posterior& posterior, const Draws& draws,
                          const Workers& workers,
                          Messages<Scalar>& messages) const override;
  void AddGradient(const Observations<Scalar>& x, const Posterior& posterior,
                   absl::Span<const Scalar> weights, const Workers& workers,
                   Eigen::Ref<Vector<Scalar>> gradient) const override;
  Index num_hidden() const override { return num_experts(); }
  void HiddenProbabilities(const Posterior& posterior,
                           RowMatrixRef<Scalar> probabilities) const override;
  void AddMessages(const ConstRowMatrixRef<Scalar>& states,
                   const Workers& workers,
                   Messages<Scalar>& messages) const override;

 private:
  explicit BernoulliUnits(Scalar power) : power_(power) {}

  Scalar power_;
};

}  // namespace poe

#endif  // POE_EXPERTS_BERNOULLI_UNITS_H_
