// The one interface that every kind of expert implements.
//
// A group holds M experts f_m of one kind and shape, with latent state z_m.
// Every question begins with one pass of inference over a batch, at an inverse
// temperature: log f_beta(x) = log sum_z g(x, z)^(power * beta). Everything
// else is read off what that pass leaves behind:
//   Bernoulli units     activations                       N x M
//   unigauss            energies                          N x M
//   mixtures            log joint of component and x      N x M x K
//   hidden Markov       forward messages                  frames x M x K
//   linear dynamical    filtered moments                  frames x M x L
//   Gaussian trees      log joint of tree and x           N x M x K
#ifndef POE_EXPERT_GROUP_H_
#define POE_EXPERT_GROUP_H_

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "poe/numerics/random.h"
#include "poe/numerics/workers.h"
#include "poe/observations.h"
#include "poe/parameters.h"

namespace poe {

// Log variances of experts stay within +-this: beyond it variances and
// precisions leave the range of float.
inline constexpr double kGreatestLogVariance = 80;

// What a pass of inference leaves behind. Each kind has its own; it may be used
// again for another batch, which saves the allocation.
class Posterior {
 public:
  virtual ~Posterior() = default;
};

// Created and validated by each kind's Create; afterwards const methods are
// total and thread-safe. `x` is always the batch that `posterior` was inferred
// from.
template <typename Scalar>
class ExpertGroup : public Parameterized<Scalar> {
 public:
  virtual Index num_experts() const = 0;  // M
  virtual Index dimension() const = 0;    // D
  // Whether these experts' messages are understood by a base of the family.
  virtual bool Supports(Family family) const = 0;
  // Whether an observation is a sequence of frames to these experts. Others see
  // dense rows only.
  virtual bool sequential() const { return false; }
  // Pairs of coordinates that messages couple (structured Gaussian only), fixed
  // for the life of the group.
  virtual std::vector<Coupling> couplings() const { return {}; }
  // The latent power (softening); inference works at power * beta.
  virtual Scalar power() const = 0;
  virtual std::unique_ptr<ExpertGroup> Clone() const = 0;

  virtual std::unique_ptr<Posterior> NewPosterior() const = 0;

  virtual void Infer(const Observations<Scalar>& x, Scalar beta,
                     const Workers& workers, Posterior& posterior) const = 0;

  // Makes the posterior of x that at another inverse temperature, to the bit
  // that which Infer would give. Kinds override it whose pass over the data
  // does not depend on the temperature.
  virtual void Temper(const Observations<Scalar>& x, Scalar beta,
                      const Workers& workers, Posterior& posterior) const {
    Infer(x, beta, workers, posterior);
  }

  // log_scores[n] += sum_m log f_m(x_n).
  virtual void AddLogScores(const Posterior& posterior,
                            absl::Span<double> log_scores) const = 0;

  // log_scores(n, m) = log f_m(x_n); N x M.
  virtual void ExpertLogScores(const Posterior& posterior,
                               RowMatrixRef<double> log_scores) const = 0;

  // Draws every z_m given x_n and adds the messages they send.
  virtual void AddSampledMessages(const Observations<Scalar>& x,
                                  const Posterior& posterior,
                                  const Draws& draws, const Workers& workers,
                                  Messages<Scalar>& messages) const = 0;

  // gradient += sum_n weights[n] d log f_beta(x_n) / d parameters, the sum over
  // experts understood.
  virtual void AddGradient(const Observations<Scalar>& x,
                           const Posterior& posterior,
                           absl::Span<const Scalar> weights,
                           const Workers& workers,
                           Eigen::Ref<Vector<Scalar>> gradient) const = 0;

  // Length of the hidden probabilities that a next layer would see; 0 for
  // kinds that have none.
  virtual Index num_hidden() const { return 0; }
  // P(latent state | x), PaddedRows(N) x num_hidden().
  virtual void HiddenProbabilities(const Posterior&,
                                   RowMatrixRef<Scalar>) const {}
  // Adds the messages that latents send which a layer above says are in these
  // states, PaddedRows(N) x num_hidden() in [0, 1], at inverse temperature 1.
  // Messages are linear in the states: those of probabilities are the
  // expectation of those of draws.
  virtual void AddMessages(const ConstRowMatrixRef<Scalar>&, const Workers&,
                           Messages<Scalar>&) const {}
};

}  // namespace poe

#endif  // POE_EXPERT_GROUP_H_
