// Contrastive divergence (the paper, "A more efficient training method"): the
// gradient of log f on the data minus that on k-step reconstructions of it.
#ifndef POE_CONTRASTIVE_DIVERGENCE_H_
#define POE_CONTRASTIVE_DIVERGENCE_H_

#include <vector>

#include "poe/optimizer.h"
#include "poe/product.h"

namespace poe {

// The most Gibbs steps of one reconstruction.
inline constexpr int kMostGibbsSteps = 256;

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
};

// InvalidArgument naming the field at fault.
absl::Status Validate(const ContrastiveDivergenceSettings& settings);

// What one batch tells about the parameters of base and groups, as the mean
// over rows. The parameters themselves are only read. Not thread-safe: it keeps
// scratch space between batches.
template <typename Scalar>
class ContrastiveDivergence {
 public:
  explicit ContrastiveDivergence(const Product<Scalar>& product);

  // `weights`: N, or empty for all 1. `step` and `seed` name the draws.
  void ComputeGradient(const Observations<Scalar>& data,
                       absl::Span<const Scalar> weights, int gibbs_steps,
                       Reconstruction reconstruction, std::uint64_t seed,
                       std::uint32_t step, const Workers& workers);

  const Vector<Scalar>& base_gradient() const { return base_gradient_; }
  const Vector<Scalar>& group_gradient(std::size_t i) const {
    return group_gradients_[i];
  }
  // Mean squared difference of data and last reconstruction, per coordinate.
  double reconstruction_error() const { return reconstruction_error_; }
  // Root mean square over all entries of all gradients.
  double gradient_norm() const;

 private:
  const Product<Scalar>& product_;
  typename Product<Scalar>::Posteriors posteriors_;
  Observations<Scalar> reconstruction_;
  Messages<Scalar> messages_;
  Vector<Scalar> base_gradient_;
  std::vector<Vector<Scalar>> group_gradients_;
  std::vector<Scalar> row_weights_;
  double reconstruction_error_ = 0;
};

}  // namespace poe

#endif  // POE_CONTRASTIVE_DIVERGENCE_H_
