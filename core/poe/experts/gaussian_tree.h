// Tree-structured Gaussian belief nets, each coordinate linear-Gaussian in at
// most one parent: mixtures of K trees and, optionally, of a constant.
#ifndef POE_EXPERTS_GAUSSIAN_TREE_H_
#define POE_EXPERTS_GAUSSIAN_TREE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/expert_group.h"

namespace poe {

// log g(x, z = k) = log pi_k + sum_i log N(x_i; w_i x_pa(i) + b_i, exp(s_i)),
// with w, b and s those of tree k; a root has mean b_i. The uniform, which is
// the last state where there is one, is improper: log g(x, z = K) = log pi_K.
//
// With W the matrix of w, tree k sends h = (I - W)' D^-1 b and the sparse
// J = (I - W)' D^-1 (I - W); the uniform sends nothing.
//
// Blocks: weight MK x D (0 at roots), offset MK x D, log variance MK x D,
// mixing logit M x S with S = K, or K + 1 with the uniform. Row m K + k is tree
// k of expert m. Residuals are computed in double whatever Scalar is; but with
// Scalar float messages are rounded, which blurs variances given the parent
// that are less than about 1e-6 of the variance without.
template <typename Scalar>
class GaussianTree final : public ExpertGroup<Scalar> {
 public:
  struct Settings {
    std::vector<std::int32_t> parents;  // M x K x D; -1 for a root
    RowMatrix<Scalar> weight;           // MK x D; ignored at roots
    RowMatrix<Scalar> offset;           // MK x D
    RowMatrix<Scalar> log_variance;     // MK x D
    RowMatrix<Scalar> mixing_logit;     // M x K, or M x (K + 1)
    // Log variances are kept in here.
    double least_log_variance = -30, greatest_log_variance = 30;
    Scalar power = 1;
  };
  // All finite, shapes as above, every tree a forest, power > 0, bounds in
  // order.
  static absl::StatusOr<std::unique_ptr<GaussianTree>> Create(
      Settings settings);

  // Weights and offsets are kept within these bounds on either side, so that
  // messages are finite.
  static constexpr double kGreatestWeight = 1e6, kGreatestOffset = 1e12;

  Index num_trees() const { return num_trees_; }  // K
  Index num_states() const { return this->blocks()[3].cols; }
  bool has_uniform() const { return num_states() > num_trees_; }
  const std::vector<std::int32_t>& parents() const { return parents_; }
  double least_log_variance() const { return least_log_variance_; }
  double greatest_log_variance() const { return greatest_log_variance_; }

  // Adds what expert m in state k says at an exponent: log g(x, k) is h.x -
  // x'Jx / 2 plus the number that is returned. h: D; the diagonal of J: D; its
  // entries at couplings(), as many as there are.
  double AddNaturalParameters(Index m, Index k, double exponent,
                              Eigen::Ref<Vector<double>> information,
                              Eigen::Ref<Vector<double>> precision,
                              Eigen::Ref<Vector<double>> coupling) const;

  Index num_experts() const override { return this->blocks()[3].rows; }
  Index dimension() const override { return this->blocks()[0].cols; }
  bool Supports(Family family) const override {
    return family == Family::kStructuredGaussian;
  }
  // Each pair of parent and child of any tree once, sorted.
  std::vector<Coupling> couplings() const override { return couplings_; }
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
  // Offsets move in units of their standard deviation.
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override;
  // P(tree | x), M x K, where there is more than one state.
  Index num_hidden() const override {
    return num_states() > 1 ? num_experts() * num_trees_ : 0;
  }
  void HiddenProbabilities(const Posterior& posterior,
                           RowMatrixRef<Scalar> probabilities) const override;
  void AddMessages(const ConstRowMatrixRef<Scalar>& states,
                   const Workers& workers,
                   Messages<Scalar>& messages) const override;

 private:
  GaussianTree() = default;
  void FindCouplings();
  void ParametersChanged(const Workers& workers) override;

  Index num_trees_ = 1;
  double least_log_variance_ = 0, greatest_log_variance_ = 0;
  Scalar power_ = 1;
  std::vector<std::int32_t> parents_;  // M x K x D
  std::vector<Coupling> couplings_;
  std::vector<Index> column_;  // M x K x D: of couplings_; -1 for a root

  // Derived. MK x D each: exp(-s), h, the diagonal of J, its entry at the
  // coupling of a coordinate and its parent.
  RowMatrix<double> inverse_variance_, information_, precision_, coupling_;
  Vector<double> log_peak_;       // MK: -sum_i (log 2 pi + s_i) / 2
  Vector<double> log_constant_;   // MK: of log N as h.x - x'Jx / 2 + constant
  RowMatrix<double> log_mixing_;  // M x S
};

}  // namespace poe

#endif  // POE_EXPERTS_GAUSSIAN_TREE_H_
