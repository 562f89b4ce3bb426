// Contrastive divergence (the paper, "A more efficient training method"): the
// gradient of log f on the data minus that on k-step reconstructions of it.
#ifndef POE_CONTRASTIVE_DIVERGENCE_H_
#define POE_CONTRASTIVE_DIVERGENCE_H_

#include <optional>
#include <vector>

#include "poe/gradient_estimate.h"
#include "poe/optimizer.h"
#include "poe/unlearning.h"

namespace poe {

// The most Gibbs steps of one reconstruction.
inline constexpr int kMostGibbsSteps = 256;

// Training ends with the parameters of the epoch that was best on held-out
// rows (best_epoch.h).
struct EarlyStopping {
  // It also ends once so many epochs have passed without a new best; 0: never.
  int patience = 0;
};

struct ContrastiveDivergenceSettings {
  // Exactly one of the two is positive.
  int epochs = 20;
  std::int64_t updates = 0;
  Index batch_size = 100;  // -1: all rows
  int gibbs_steps = 1;     // 1 .. kMostGibbsSteps
  // What reconstructed data are.
  Reconstruction reconstruction = Reconstruction::kMean;
  OptimizerSettings optimizer;
  int grow_gibbs_steps_every = 0;  // epochs; 0: never
  // The exact gradient (exact_gradient.h) instead; Gibbs steps are not needed.
  bool exact = false;
  // Instead of reconstructions, chains that have never seen the data, each
  // gibbs_steps further at every update (unlearning.h).
  std::optional<LongChainSettings> chains = std::nullopt;
  // Not with optimizer.average_share: the average is that of the last updates.
  std::optional<EarlyStopping> early_stopping = std::nullopt;
};

// InvalidArgument naming the field at fault.
absl::Status Validate(const ContrastiveDivergenceSettings& settings);

// Keeps scratch space between batches.
template <typename Scalar>
class ContrastiveDivergence final : public GradientEstimate<Scalar> {
 public:
  explicit ContrastiveDivergence(const Product<Scalar>& product);

  // `weights`: N, or empty for all 1. `step` and `seed` name the draws.
  void ComputeGradient(const Observations<Scalar>& data,
                       absl::Span<const Scalar> weights, int gibbs_steps,
                       Reconstruction reconstruction, std::uint64_t seed,
                       std::uint32_t step, const Workers& workers);

  // Mean squared difference of data and last reconstruction, per coordinate.
  double reconstruction_error() const { return reconstruction_error_; }

 private:
  typename Product<Scalar>::Posteriors posteriors_;
  Observations<Scalar> reconstruction_;
  Messages<Scalar> messages_;
  double reconstruction_error_ = 0;
};

}  // namespace poe

#endif  // POE_CONTRASTIVE_DIVERGENCE_H_
