// Linear dynamical systems as experts over sequences of real frames; the latent
// state is a path of L numbers for each frame.
#ifndef POE_EXPERTS_LINEAR_DYNAMICAL_H_
#define POE_EXPERTS_LINEAR_DYNAMICAL_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/expert_group.h"
#include "poe/experts/linear_system.h"

namespace poe {

// y_1 ~ N(m_1, P_1), y_t = A y_{t-1} + N(0, Q), x_t = C y_t + d + N(0, R), R
// diagonal. With e = power * beta only the emissions are tempered:
//   log f(x) = log integral of p(y) prod_t N(x_t; C y_t + d, R)^e over y,
// by the Kalman filter; 0 at e = 0. Blocks in the order of Settings. All
// arithmetic is in double; values further away than 1e60 count as 1e60, and
// messages and gradients stay below 1e30.
template <typename Scalar>
class LinearDynamical final : public ExpertGroup<Scalar> {
 public:
  struct Settings {
    RowMatrix<Scalar> initial_mean;  // M x L
    // M x L (L + 1) / 2: lower triangle by rows, logarithms on the diagonal.
    RowMatrix<Scalar> initial_log_cholesky;     // of P_1
    RowMatrix<Scalar> transition;               // A, (M L) x L
    RowMatrix<Scalar> transition_log_cholesky;  // of Q, as above
    RowMatrix<Scalar> emission;                 // C, (M D) x L
    RowMatrix<Scalar> emission_offset;          // d, M x D
    RowMatrix<Scalar> emission_log_variance;    // log R, M x D
    // Log variances are kept in here, logarithms on a Cholesky factor's
    // diagonal in half of it.
    double least_log_variance = -30, greatest_log_variance = 30;
    Scalar power = 1;
  };
  // All finite, shapes as above, power > 0, bounds in order.
  static absl::StatusOr<std::unique_ptr<LinearDynamical>> Create(
      Settings settings);

  Index num_latents() const { return this->blocks()[0].cols; }  // L
  // Expert m by itself.
  const LinearSystem& system(Index m) const { return systems_[m]; }

  Index num_experts() const override { return this->blocks()[0].rows; }
  Index dimension() const override { return this->blocks()[5].cols; }
  bool Supports(Family family) const override {
    return family == Family::kGaussian || family == Family::kStructuredGaussian;
  }
  bool sequential() const override { return true; }
  Scalar power() const override { return power_; }
  std::unique_ptr<ExpertGroup<Scalar>> Clone() const override;

  std::unique_ptr<Posterior> NewPosterior() const override;
  void Infer(const Observations<Scalar>& x, Scalar beta, const Workers& workers,
             Posterior& posterior) const override;
  void AddLogScores(const Posterior& posterior,
                    absl::Span<double> log_scores) const override;
  void ExpertLogScores(const Posterior& posterior,
                       RowMatrixRef<double> log_scores) const override;
  // Unit (t M + m) L + l of a sequence's draws moves y_tl of expert m.
  void AddSampledMessages(const Observations<Scalar>& x,
                          const Posterior& posterior, const Draws& draws,
                          const Workers& workers,
                          Messages<Scalar>& messages) const override;
  void AddGradient(const Observations<Scalar>& x, const Posterior& posterior,
                   absl::Span<const Scalar> weights, const Workers& workers,
                   Eigen::Ref<Vector<Scalar>> gradient) const override;
  // Initial means move in units of the first state's deviations, emissions and
  // offsets in units of the noise's.
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override;

 private:
  LinearDynamical() = default;
  void ParametersChanged(const Workers& workers) override;

  double least_log_variance_ = 0, greatest_log_variance_ = 0;
  Scalar power_ = 1;
  std::vector<LinearSystem> systems_;  // derived: M
};

}  // namespace poe

#endif  // POE_EXPERTS_LINEAR_DYNAMICAL_H_
