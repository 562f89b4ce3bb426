// A product whose experts are all Gaussian trees: given the latents, one
// Gaussian whose parameters are known.
#ifndef POE_EXPERTS_GAUSSIAN_TREE_PRODUCT_H_
#define POE_EXPERTS_GAUSSIAN_TREE_PRODUCT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/product.h"

namespace poe {

// A view of a product, which must outlive it and not change.
template <typename Scalar>
class GaussianTreeProduct {
 public:
  // FailedPrecondition where the base is not a structured Gaussian or a group
  // is not of Gaussian trees, which may see some coordinates only.
  static absl::StatusOr<GaussianTreeProduct> View(
      const Product<Scalar>& product);

  Index dimension() const { return base_->dimension(); }
  // Of all groups, in the order of Messages::coupling.
  const std::vector<Coupling>& couplings() const { return couplings_; }
  // The number of latent states of each expert, groups in order.
  const std::vector<Index>& num_states() const { return num_states_; }

  // How many combinations of one state for each expert there are.
  // FailedPrecondition for more than `most`.
  absl::StatusOr<Index> CountCombinations(Index most) const;
  // The states of combination c, the first expert's changing fastest.
  std::vector<Index> States(Index c) const;

  // log b(x) + sum_m log g_m(x, z_m) = constant + h.x - x'Jx / 2.
  struct NaturalParameters {
    double constant = 0;
    Vector<double> information;  // h: D
    Vector<double> precision;    // diagonal of J: D
    Vector<double> coupling;     // J at couplings(); one named twice adds up
  };
  // One state for each expert.
  NaturalParameters Given(absl::Span<const Index> states) const;

 private:
  struct Group {
    const GaussianTree<Scalar>* trees;
    std::vector<Index> columns;  // that they see
  };

  GaussianTreeProduct() = default;

  const StructuredGaussianBase<Scalar>* base_ = nullptr;
  std::vector<Group> groups_;
  std::vector<Coupling> couplings_;
  std::vector<Index> num_states_;
};

}  // namespace poe

#endif  // POE_EXPERTS_GAUSSIAN_TREE_PRODUCT_H_
