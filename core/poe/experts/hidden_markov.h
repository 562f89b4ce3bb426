// Hidden Markov models as experts over sequences: the latent is a path of
// hidden states, and given the path every frame has an emission of its own, a
// diagonal Gaussian or independent symbols.
#ifndef POE_EXPERTS_HIDDEN_MARKOV_H_
#define POE_EXPERTS_HIDDEN_MARKOV_H_

#include "absl/status/statusor.h"
#include "poe/expert_group.h"
#include "poe/experts/diagonal_gaussians.h"
#include "poe/experts/markov_chain.h"
#include "poe/experts/symbol_emissions.h"

namespace poe {

// f_m(x) = sum over paths s of pi_m[s_1] prod_t A_m[s_t, s_t+1]
// prod_t e_m(x_t | s_t), for M experts of K states each. At power * beta every
// factor is tempered inside the sum and nothing is normalized again. Blocks:
// initial logit M x K and transition logit (M K) x K, row = from (pi and A are
// their softmax by rows), then mean and log variance (M K) x D, or emission
// logit (M K) x D. States of one expert are K rows in succession. Inner
// arithmetic is in double whatever Scalar is; O(T M K (K + D)). Sequences of
// similar length go through the recursions together (markov_chain.h).
template <typename Scalar>
class HiddenMarkov final : public ExpertGroup<Scalar> {
 public:
  struct Settings {
    RowMatrix<Scalar> initial_logit;     // M x K
    RowMatrix<Scalar> transition_logit;  // (M K) x K
    // Gaussian emissions; else empty.
    RowMatrix<Scalar> mean, log_variance;  // (M K) x D
    // Symbols, D = coordinates x S; else empty, and num_symbols 0.
    RowMatrix<Scalar> emission_logit;  // (M K) x D
    Index num_symbols = 0;             // S
    // Log variances are kept in here.
    double least_log_variance = -30, greatest_log_variance = 30;
    Scalar power = 1;
  };
  // InvalidArgument unless all are finite, shapes are as above, there is one
  // kind of emission, power > 0, and the bounds are in order within
  // +-kGreatestLogVariance.
  static absl::StatusOr<std::unique_ptr<HiddenMarkov>> Create(
      Settings settings);

  Index num_states() const { return this->blocks()[0].cols; }  // K
  bool has_symbols() const { return num_symbols_ != 0; }
  Index num_symbols() const { return num_symbols_; }  // S; 0 for Gaussians
  // The chain of expert m at an exponent (power * beta).
  MarkovChain Chain(Index m, double exponent) const;

  Index num_experts() const override { return this->blocks()[0].rows; }
  Index dimension() const override { return this->blocks()[2].cols; }
  bool Supports(Family family) const override;
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
  // State t of expert m is decided by draw t M + m of the sequence's row id.
  void AddSampledMessages(const Observations<Scalar>& x,
                          const Posterior& posterior, const Draws& draws,
                          const Workers& workers,
                          Messages<Scalar>& messages) const override;
  void AddGradient(const Observations<Scalar>& x, const Posterior& posterior,
                   absl::Span<const Scalar> weights, const Workers& workers,
                   Eigen::Ref<Vector<Scalar>> gradient) const override;
  // Means move in units of their state's standard deviation.
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override;

  // What the latents are expected to do, by the forward-backward algorithm;
  // sequence n counts weights[n] times. The same bits at any number of threads.
  struct ExpectedCounts {
    RowMatrix<double> initial;      // M x K: first states
    RowMatrix<double> transitions;  // (M K) x K
    RowMatrix<double> occupancy;    // PaddedRows(frames) x (M K)
  };
  ExpectedCounts Count(const Observations<Scalar>& x,
                       const Posterior& posterior,
                       absl::Span<const double> weights,
                       const Workers& workers) const;

 private:
  HiddenMarkov() = default;
  void ParametersChanged(const Workers& workers) override;
  // log e(frame | state); frames x (M K).
  void LogEmissions(const RowMatrix<Scalar>& frames,
                    RowMatrixRef<double> result) const;

  Index num_symbols_ = 0;
  double least_log_variance_ = 0, greatest_log_variance_ = 0;
  Scalar power_ = 1;

  // Derived; one of the emissions is in use.
  RowMatrix<double> log_initial_;     // M x K
  RowMatrix<double> log_transition_;  // (M K) x K
  DiagonalGaussians<Scalar> gaussians_;
  SymbolEmissions<Scalar> symbols_;
};

}  // namespace poe

#endif  // POE_EXPERTS_HIDDEN_MARKOV_H_
