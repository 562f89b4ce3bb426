// Experts that are mixtures of axis-aligned Gaussians: one latent of K states
// each, which names the component.
#ifndef POE_EXPERTS_GAUSSIAN_MIXTURE_H_
#define POE_EXPERTS_GAUSSIAN_MIXTURE_H_

#include "absl/status/statusor.h"
#include "poe/expert_group.h"
#include "poe/experts/diagonal_gaussians.h"

namespace poe {

// f_m(x) = sum_k softmax(a_m)_k N(x; mu_mk, diag exp(s_mk)); at the exponent
// e = power beta, sum_k of each term to the e. Blocks: mean (M K) x D, log
// variance (M K) x D, mixing logit a: M x K; the components of one expert are
// adjacent rows. Log densities are computed in double whatever Scalar is.
// Hidden probabilities are those of all M K components.
template <typename Scalar>
class GaussianMixture final : public ExpertGroup<Scalar> {
 public:
  struct Settings {
    RowMatrix<Scalar> mean;          // (M K) x D
    RowMatrix<Scalar> log_variance;  // (M K) x D
    RowMatrix<Scalar> mixing_logit;  // M x K
    // Log variances are kept in here.
    double least_log_variance = -30, greatest_log_variance = 30;
    Scalar power = 1;
  };
  // All finite, shapes as above, power > 0, bounds in order.
  static absl::StatusOr<std::unique_ptr<GaussianMixture>> Create(
      Settings settings);

  Index num_components() const { return this->blocks()[2].cols; }  // K

  Index num_experts() const override { return this->blocks()[2].rows; }
  Index dimension() const override { return this->blocks()[0].cols; }
  bool Supports(Family family) const override {
    return family == Family::kGaussian || family == Family::kStructuredGaussian;
  }
  Scalar power() const override { return power_; }
  std::unique_ptr<ExpertGroup<Scalar>> Clone() const override;

  std::unique_ptr<Posterior> NewPosterior() const override;
  void Infer(const Observations<Scalar>& x, Scalar beta, const Workers& workers,
             Posterior& posterior) const override;
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
  // Means move in units of their component's standard deviation.
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override;
  Index num_hidden() const override { return num_experts() * num_components(); }
  void HiddenProbabilities(const Posterior& posterior,
                           RowMatrixRef<Scalar> probabilities) const override;
  void AddMessages(const ConstRowMatrixRef<Scalar>& states,
                   const Workers& workers,
                   Messages<Scalar>& messages) const override;

 private:
  GaussianMixture() = default;
  void ParametersChanged(const Workers& workers) override;

  double least_log_variance_ = 0, greatest_log_variance_ = 0;
  Scalar power_ = 1;

  // Derived: all components, weighted by their mixing proportions.
  Vector<double> log_share_;  // M K: log softmax(a)
  DiagonalGaussians<Scalar> gaussians_;
};

}  // namespace poe

#endif  // POE_EXPERTS_GAUSSIAN_MIXTURE_H_
