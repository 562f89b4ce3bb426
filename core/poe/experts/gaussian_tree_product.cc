#include "poe/experts/gaussian_tree_product.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "poe/experts/selected_coordinates.h"

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
    SightedGroup<Scalar> sighted = Unwrap(product.group(i));
    const auto* trees =
        dynamic_cast<const GaussianTree<Scalar>*>(sighted.group);
    if (trees == nullptr)
      return absl::FailedPreconditionError(
          absl::StrCat("expert group ", i, " is not of Gaussian trees"));
    view.groups_.push_back({trees, std::move(sighted.columns)});
    const std::vector<Coupling> own = product.group(i).couplings();
    view.couplings_.insert(view.couplings_.end(), own.begin(), own.end());
    view.num_states_.insert(view.num_states_.end(), trees->num_experts(),
                            trees->num_states());
  }
  return view;
}

template <typename Scalar>
absl::StatusOr<Index> GaussianTreeProduct<Scalar>::CountCombinations(
    Index most) const {
  Index combinations = 1;
  for (Index states : num_states_) {
    if (states > most / combinations)
      return absl::FailedPreconditionError(
          absl::StrCat("the experts have more than ", most,
                       " combinations of latent states, too many to sum over"));
    combinations *= states;
  }
  return combinations;
}

template <typename Scalar>
std::vector<Index> GaussianTreeProduct<Scalar>::States(Index c) const {
  std::vector<Index> states;
  for (Index count : num_states_) {
    states.push_back(c % count);
    c /= count;
  }
  return states;
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
  for (const auto& [trees, columns] : groups_) {
    const auto couplings = static_cast<Index>(trees->couplings().size());
    Vector<double> information =
        Vector<double>::Zero(static_cast<Index>(columns.size()));
    Vector<double> precision = information;
    for (Index m = 0; m < trees->num_experts(); ++m, ++expert)
      natural.constant += trees->AddNaturalParameters(
          m, states[expert], static_cast<double>(trees->power()), information,
          precision, natural.coupling.segment(first, couplings));
    for (std::size_t i = 0; i < columns.size(); ++i) {
      natural.information(columns[i]) += information(static_cast<Index>(i));
      natural.precision(columns[i]) += precision(static_cast<Index>(i));
    }
    first += couplings;
  }
  return natural;
}

template class GaussianTreeProduct<float>;
template class GaussianTreeProduct<double>;

}  // namespace poe
