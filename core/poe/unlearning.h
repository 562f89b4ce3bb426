// Prolonged Gibbs sampling against spurious modes: where one brief step from
// the data never comes, contrastive divergence cannot tell that the product
// believes in something that no data explain. Long chains that have never seen
// the data go there, and the gradient of log f on them is subtracted.
#ifndef POE_UNLEARNING_H_
#define POE_UNLEARNING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "poe/archive.h"
#include "poe/gradient_estimate.h"
#include "poe/interrupt_check.h"

namespace poe {

struct LongChainSettings {
  Index chains = 100;  // >= 1
  // Gibbs steps from random starts before a chain is used, the first half of
  // them annealed, and the most that it makes afterwards: then it starts anew,
  // to find what has come up meanwhile. >= 1.
  int steps = 1000;
};

// InvalidArgument naming the field at fault.
absl::Status Validate(const LongChainSettings& settings);

// The gradient of log f on the data minus that on long chains, which go on as
// the parameters change: an estimate of the gradient of the log likelihood
// (the paper, eq. 2).
template <typename Scalar>
class Unlearning final : public GradientEstimate<Scalar> {
 public:
  // The product, of dense rows, must outlive it.
  Unlearning(const Product<Scalar>& product, const LongChainSettings& settings,
             std::uint64_t seed);

  // After `gibbs_steps` steps of every chain. `weights`: N, or empty for all 1.
  // Fails only with the status of `check`, asked before each step of chains
  // that start.
  absl::Status ComputeGradient(const Observations<Scalar>& data,
                               absl::Span<const Scalar> weights,
                               int gibbs_steps, const Workers& workers,
                               InterruptCheck check);

  // The chains as they are.
  void Save(ArchiveWriter& writer) const;
  void Load(ArchiveReader& reader);

  const Observations<Scalar>& chains() const { return chains_; }

 private:
  absl::Status StartChains(const Workers& workers, InterruptCheck check);

  LongChainSettings settings_;
  std::uint64_t seed_;
  typename Product<Scalar>::Posteriors posteriors_;
  Observations<Scalar> chains_;
  Messages<Scalar> messages_;
  std::uint64_t generation_ = 0;  // starts so far
  int age_ = 0;                   // steps since the last start was done
};

}  // namespace poe

#endif  // POE_UNLEARNING_H_
