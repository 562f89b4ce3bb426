// Real data without a box, under a Gaussian of positive precision:
// log b(x) = -sum_i (x_i - mean_i)^2 exp(-s_i) / 2. Experts may couple
// coordinates; the precision of a frame is then a sparse matrix, positive
// definite whatever the latents are.
#ifndef POE_BASES_STRUCTURED_GAUSSIAN_H_
#define POE_BASES_STRUCTURED_GAUSSIAN_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/base.h"

namespace poe {

// Blocks: mean 1 x D, log variance 1 x D, kept within +-kGreatestLogVariance.
template <typename Scalar>
class StructuredGaussianBase final : public Base<Scalar> {
 public:
  // D finite values each, D >= 1. Training leaves a `fixed` base as it is.
  static absl::StatusOr<std::unique_ptr<StructuredGaussianBase>> Create(
      const Vector<Scalar>& mean, const Vector<Scalar>& log_variance,
      bool fixed = false);

  static constexpr double kGreatestLogVariance = 30;

  Family family() const override { return Family::kStructuredGaussian; }
  Index dimension() const override { return this->blocks()[0].cols; }
  std::unique_ptr<Base<Scalar>> Clone() const override;
  void Couple(std::vector<Coupling> couplings) override {
    couplings_ = std::move(couplings);
  }
  const std::vector<Coupling>& couplings() const { return couplings_; }
  bool InSupport(absl::Span<const Scalar> row) const override;
  void AddLogScores(const Observations<Scalar>& x,
                    absl::Span<double> log_scores) const override;
  std::optional<double> LogNormalizer() const override;
  void AddLogNormalizers(const Observations<Scalar>& x,
                         absl::Span<double> log_normalizers) const override;
  Messages<Scalar> NaturalParameters() const override;
  // Draws and means by sparse Cholesky factors where coordinates are coupled.
  void Reconstruct(const Messages<Scalar>& messages,
                   Reconstruction reconstruction, const Draws& draws,
                   const Workers& workers,
                   Observations<Scalar>& x) const override;
  void SampleStart(const Draws& draws, Observations<Scalar>& x) const override;
  void AddGradient(const Observations<Scalar>& x,
                   absl::Span<const Scalar> weights,
                   Eigen::Ref<Vector<Scalar>> gradient) const override;
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override;

 private:
  StructuredGaussianBase() = default;
  void ParametersChanged(const Workers& workers) override;

  std::vector<Coupling> couplings_;
  Vector<Scalar> precision_;
  bool fixed_ = false;
};

}  // namespace poe

#endif  // POE_BASES_STRUCTURED_GAUSSIAN_H_
