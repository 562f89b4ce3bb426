// A product of experts: log p*(x) = log b(x) + sum_m log f_m(x) (the paper,
// eq. 1, without the normalizer).
#ifndef POE_PRODUCT_H_
#define POE_PRODUCT_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/base.h"
#include "poe/expert_group.h"

namespace poe {

// 200 MB in each thread that draws, and the factor of a dense precision over
// 5,792 coordinates.
inline constexpr std::int64_t kMostFactorEntries = std::int64_t{1} << 24;

// Base and expert groups of one data family. Const methods are thread-safe and
// total over finite values.
template <typename Scalar>
class Product {
 public:
  using Posteriors = std::vector<std::unique_ptr<Posterior>>;

  // InvalidArgument where a group's dimension differs from the base's, its
  // messages mean nothing to the base's family, groups for sequences meet
  // groups for dense rows, or the couplings of all groups together fill the
  // factor of the data's precision beyond kMostFactorEntries. At least one
  // group.
  static absl::StatusOr<Product> Create(
      std::unique_ptr<Base<Scalar>> base,
      std::vector<std::unique_ptr<ExpertGroup<Scalar>>> groups);

  Product(const Product& other);
  Product& operator=(const Product& other);
  Product(Product&&) = default;
  Product& operator=(Product&&) = default;

  const Base<Scalar>& base() const { return *base_; }
  Base<Scalar>& mutable_base() { return *base_; }
  std::size_t num_groups() const { return groups_.size(); }
  const ExpertGroup<Scalar>& group(std::size_t i) const { return *groups_[i]; }
  ExpertGroup<Scalar>& mutable_group(std::size_t i) { return *groups_[i]; }

  // Puts another group in the place of group i; it must be of the same kind and
  // shape, so that all that Create has checked still holds.
  void ReplaceGroup(std::size_t i, std::unique_ptr<ExpertGroup<Scalar>> group) {
    groups_[i] = std::move(group);
  }

  Index dimension() const { return base_->dimension(); }
  // Whether observations are sequences.
  bool sequential() const { return groups_[0]->sequential(); }
  Index num_experts() const;
  Index num_parameters() const;

  // The flat parameters of the base, then of each group.
  std::vector<Vector<Scalar>> Parameters() const;
  // Puts parameters in place that Parameters() of a product of the same shape
  // gave.
  void SetParameters(const std::vector<Vector<Scalar>>& parameters,
                     const Workers& workers);

  // N: whether the density of each observation can be positive.
  std::vector<bool> InSupport(const Observations<Scalar>& x) const;

  // N log scores, unnormalized.
  std::vector<double> LogScores(const Observations<Scalar>& x,
                                const Workers& workers) const;

  // N x num_experts(): each expert's own log score, groups in order.
  RowMatrix<double> ExpertLogScores(const Observations<Scalar>& x,
                                    const Workers& workers) const;

  // One posterior for each group.
  Posteriors NewPosteriors() const;
  void Infer(const Observations<Scalar>& x, Scalar beta, const Workers& workers,
             Posteriors& posteriors) const;
  // Makes posteriors of x those at another inverse temperature.
  void Temper(const Observations<Scalar>& x, Scalar beta,
              const Workers& workers, Posteriors& posteriors) const;

  // The rest of a Gibbs step once x has been inferred: draws every latent, adds
  // the messages to the base's, replaces x. `step` numbers the step among all
  // draws with this seed. `messages` is scratch space.
  void Resample(const Posteriors& posteriors, std::uint64_t seed,
                std::uint32_t step, Reconstruction reconstruction,
                const Workers& workers, Messages<Scalar>& messages,
                Observations<Scalar>& x) const;

  // --- For layers above (hierarchy.h) ---

  // Length of an observation's hidden probabilities, groups in order; 0 where a
  // group has none.
  Index num_hidden() const;
  // PaddedRows(N) x num_hidden().
  void HiddenProbabilities(const Posteriors& posteriors,
                           RowMatrixRef<Scalar> probabilities) const;
  // Replaces x by the mean of, or a draw from, the data's distribution given
  // latent states, PaddedRows(N) x num_hidden() in [0, 1].
  void ReconstructFrom(const ConstRowMatrixRef<Scalar>& states,
                       Reconstruction reconstruction, const Draws& draws,
                       const Workers& workers, Observations<Scalar>& x) const;

 private:
  Product() = default;

  std::unique_ptr<Base<Scalar>> base_;
  std::vector<std::unique_ptr<ExpertGroup<Scalar>>> groups_;
  // Column of Messages::coupling where each group's couplings begin.
  std::vector<Index> first_coupling_;
};

}  // namespace poe

#endif  // POE_PRODUCT_H_
