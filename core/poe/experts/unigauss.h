// Unigauss experts: a uniform on the box mixed with an axis-aligned Gaussian
// (the paper, "Simple examples"); one binary latent each.
#ifndef POE_EXPERTS_UNIGAUSS_H_
#define POE_EXPERTS_UNIGAUSS_H_

#include "absl/status/statusor.h"
#include "poe/expert_group.h"
#include "poe/experts/diagonal_gaussians.h"

namespace poe {

// f_m(x) = (1 - pi_m) / V + pi_m N(x; mu_m, diag exp(s_m)). Blocks: mean M x D,
// log variance M x D (M x 1 for circular experts), mixing logit M x 1.
// Squared distances are computed in double whatever Scalar is.
template <typename Scalar>
class Unigauss final : public ExpertGroup<Scalar> {
 public:
  struct Settings {
    RowMatrix<Scalar> mean;          // M x D
    RowMatrix<Scalar> log_variance;  // M x D, or M x 1: circular
    Vector<Scalar> mixing_logit;     // M
    double log_volume = 0;           // log V of the box, preprocessed units
    // Log variances are kept in here.
    double least_log_variance = -30, greatest_log_variance = 30;
    Scalar power = 1;
  };
  // All finite, shapes as above, power > 0, bounds in order.
  static absl::StatusOr<std::unique_ptr<Unigauss>> Create(Settings settings);

  bool circular() const { return this->blocks()[1].cols != dimension(); }
  double log_volume() const { return log_volume_; }

  Index num_experts() const override { return this->blocks()[0].rows; }
  Index dimension() const override { return this->blocks()[0].cols; }
  bool Supports(Family family) const override {
    return family == Family::kGaussian;
  }
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
  // Means move in units of their expert's standard deviation.
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override;
  Index num_hidden() const override { return num_experts(); }
  void HiddenProbabilities(const Posterior& posterior,
                           RowMatrixRef<Scalar> probabilities) const override;
  void AddMessages(const ConstRowMatrixRef<Scalar>& states,
                   const Workers& workers,
                   Messages<Scalar>& messages) const override;

 private:
  Unigauss() = default;
  void ParametersChanged(const Workers& workers) override;

  double log_volume_ = 0;
  double least_log_variance_ = 0, greatest_log_variance_ = 0;
  Scalar power_ = 1;

  // Derived. Log densities are E(x), so the Gaussians' weights are pi / (1 -
  // pi) times the volume.
  DiagonalGaussians<Scalar> gaussians_;
  Vector<double> log_uniform_;  // M: log(1 - pi) - log V
};

}  // namespace poe

#endif  // POE_EXPERTS_UNIGAUSS_H_
