#include "poe/experts/gaussian_tree_product.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<GaussianTreeProduct<Scalar>> GaussianTreeProduct<Scalar>::View(
    const Product<Scalar>& product) {
  GaussianTreeProduct view;
  view.base_ =
      dynamic_cast<const StructuredGaussianBase<Scalar>*>(&product.base());
  if (view.base_ == nullptr)
    return absl::FailedPreconditionError(
        "the product's base is not a structured Gaussian");
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const auto* group =
        dynamic_cast<const GaussianTree<Scalar>*>(&product.group(i));
    if (group == nullptr)
      return absl::FailedPreconditionError(
          absl::StrCat("expert group ", i, " is not of Gaussian trees"));
    view.groups_.push_back(group);
    const std::vector<Coupling> own = group->couplings();
    view.couplings_.insert(view.couplings_.end(), own.begin(), own.end());
    view.num_states_.insert(view.num_states_.end(), group->num_experts(),
                            group->num_states());
  }
  return view;
}

template <typename Scalar>
typename GaussianTreeProduct<Scalar>::NaturalParameters
GaussianTreeProduct<Scalar>::Given(absl::Span<const Index> states) const {
  NaturalParameters natural;
  const Vector<double> mean =
      base_->block(0).transpose().template cast<double>();
  natural.precision =
      (-base_->block(1).transpose().template cast<double>()).array().exp();
  natural.information = natural.precision.cwiseProduct(mean);
  natural.constant = -natural.information.dot(mean) / 2;
  natural.coupling =
      Vector<double>::Zero(static_cast<Index>(couplings_.size()));
  Index expert = 0, first = 0;
  for (const GaussianTree<Scalar>* group : groups_) {
    const auto columns = static_cast<Index>(group->couplings().size());
    for (Index m = 0; m < group->num_experts(); ++m, ++expert)
      natural.constant += group->AddNaturalParameters(
          m, states[expert], static_cast<double>(group->power()),
          natural.information, natural.precision,
          natural.coupling.segment(first, columns));
    first += columns;
  }
  return natural;
}

template class GaussianTreeProduct<float>;
template class GaussianTreeProduct<double>;

}  // namespace poe
