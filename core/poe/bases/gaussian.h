// Real data on an axis-aligned box, with or without a Gaussian factor:
// log b(x) = -sum_i (x_i - mean_i)^2 exp(-s_i) / 2 inside, -infinity outside.
#ifndef POE_BASES_GAUSSIAN_H_
#define POE_BASES_GAUSSIAN_H_

#include <optional>

#include "absl/status/statusor.h"
#include "poe/base.h"

namespace poe {

template <typename Scalar>
class GaussianBase final : public Base<Scalar> {
 public:
  struct Settings {
    // D each, lower < upper, finite, preprocessed units.
    Vector<double> lower, upper;
    // D each; both empty: uniform on the box.
    Vector<Scalar> mean, log_variance;
    // Training leaves log_variance as it is.
    bool fixed_variance = false;
  };
  static absl::StatusOr<std::unique_ptr<GaussianBase>> Create(
      Settings settings);

  // Log variances are kept within +-kGreatestLogVariance.
  static constexpr double kGreatestLogVariance = 30;

  const Vector<double>& lower() const { return lower_; }
  const Vector<double>& upper() const { return upper_; }
  bool has_gaussian_factor() const { return !this->blocks().empty(); }

  Family family() const override { return Family::kGaussian; }
  Index dimension() const override { return lower_.size(); }
  std::unique_ptr<Base<Scalar>> Clone() const override;
  bool InSupport(absl::Span<const Scalar> row) const override;
  void AddLogScores(const Observations<Scalar>& x,
                    absl::Span<double> log_scores) const override;
  std::optional<double> LogNormalizer() const override;
  void AddLogNormalizers(const Observations<Scalar>& x,
                         absl::Span<double> log_normalizers) const override;
  Messages<Scalar> NaturalParameters() const override;
  // Each coordinate is a normal of mean h / Lambda and variance 1 / Lambda cut
  // off at the box; where Lambda is 0 it is an exponential of slope h, or
  // uniform on the box if h is 0 as well. kMean gives the mean of that
  // distribution.
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
  GaussianBase() = default;
  void ParametersChanged(const Workers& workers) override;
  // log of the integral of the factor of coordinate i over the box.
  double LogIntegral(Index i) const;

  Vector<double> lower_, upper_;
  Vector<Scalar> precision_;  // empty without a Gaussian factor
  bool fixed_variance_ = false;
};

}  // namespace poe

#endif  // POE_BASES_GAUSSIAN_H_
