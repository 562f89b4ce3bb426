#include "poe/experts/linear_dynamical_product.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/numerics/constants.h"

namespace poe {
namespace {

// An expert among the others.
struct JointExpert {
  const LinearSystem* system;
  double exponent;
  Index first_latent;          // of the joint state
  std::vector<Index> columns;  // that it sees, ascending

  // The place of coordinate i among the columns; -1: it does not look.
  Index Place(Index i) const {
    const auto found = std::lower_bound(columns.begin(), columns.end(), i);
    if (found == columns.end() || *found != i) return -1;
    return found - columns.begin();
  }
};

// The experts' latents side by side, before anything is said of x.
LinearSystem JointLatents(const std::vector<JointExpert>& experts,
                          Index latents) {
  LinearSystem joint;
  joint.initial_mean = Vector<double>::Zero(latents);
  joint.initial_factor = RowMatrix<double>::Zero(latents, latents);
  joint.transition = joint.initial_factor;
  joint.transition_factor = joint.initial_factor;
  for (const JointExpert& expert : experts) {
    const Index at = expert.first_latent, own = expert.system->latents();
    joint.initial_mean.segment(at, own) = expert.system->initial_mean;
    joint.initial_factor.block(at, at, own, own) =
        expert.system->initial_factor;
    joint.transition.block(at, at, own, own) = expert.system->transition;
    joint.transition_factor.block(at, at, own, own) =
        expert.system->transition_factor;
  }
  return joint;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<LinearDynamicalProduct<Scalar>>
LinearDynamicalProduct<Scalar>::View(const Product<Scalar>& product) {
  if (product.base().family() != Family::kStructuredGaussian)
    return absl::FailedPreconditionError(
        "an exact log Z of linear dynamical systems needs a structured "
        "Gaussian base: on a box the integral has no closed form");
  std::vector<JointExpert> experts;
  Index latents = 0;
  for (std::size_t g = 0; g < product.num_groups(); ++g) {
    const SightedGroup<Scalar> sighted = Unwrap(product.group(g));
    const auto* group =
        dynamic_cast<const LinearDynamical<Scalar>*>(sighted.group);
    if (group == nullptr)
      return absl::FailedPreconditionError(absl::StrCat(
          "expert group ", g,
          " is not of linear dynamical systems; with other kinds among them "
          "log Z has to be estimated"));
    for (Index m = 0; m < group->num_experts(); ++m) {
      experts.push_back({&group->system(m), static_cast<double>(group->power()),
                         latents, sighted.columns});
      latents += group->num_latents();
    }
  }
  LinearDynamicalProduct view;
  view.latents_ = JointLatents(experts, latents);
  view.sources_ = static_cast<Index>(experts.size()) + 1;
  for (Index i = 0; i < product.dimension(); ++i) {
    Emission& emission = view.emissions_.emplace_back();
    emission.rows = RowMatrix<double>::Zero(view.sources_, latents);
    emission.offset = Vector<double>::Zero(view.sources_);
    emission.precision = emission.offset;
    emission.offset(0) = product.base().block(0)(0, i);
    emission.precision(0) =
        std::exp(-static_cast<double>(product.base().block(1)(0, i)));
    for (Index k = 1; k < view.sources_; ++k) {
      const JointExpert& expert = experts[k - 1];
      const LinearSystem* system = expert.system;
      const double exponent = expert.exponent;
      const Index own = expert.Place(i);
      if (own < 0) continue;
      emission.rows.row(k).segment(expert.first_latent, system->latents()) =
          system->emission.row(own);
      emission.offset(k) = system->offset(own);
      emission.precision(k) = exponent * std::exp(-system->log_variance(own));
      emission.constant -= exponent / 2 * (kLog2Pi + system->log_variance(own));
    }
    view.integrated_.push_back(Integrate(emission));
  }
  return view;
}

// Base and experts expect some t_k, linear in the joint latents, with some
// precision w_k. With t the mean of the t_k,
//   integral of exp(-sum_k w_k (x - t_k)^2 / 2)
//     = sqrt(2 pi / sum_k w_k) exp(-sum_k w_k (t_k - t)^2 / 2).
template <typename Scalar>
typename LinearDynamicalProduct<Scalar>::Evidence
LinearDynamicalProduct<Scalar>::Integrate(const Emission& emission) {
  const Vector<double> roots = emission.precision.cwiseSqrt();
  const double total = emission.precision.sum();
  const Eigen::RowVectorXd mean_row =
      emission.precision.transpose() / total * emission.rows;
  const double mean_offset = emission.precision.dot(emission.offset) / total;
  const RowMatrix<double> rows = emission.rows.rowwise() - mean_row;
  const Vector<double> offset = emission.offset.array() - mean_offset;
  return {roots.asDiagonal() * rows, roots.cwiseProduct(offset),
          emission.constant + (kLog2Pi - std::log(total)) / 2};
}

template <typename Scalar>
double LinearDynamicalProduct<Scalar>::LogMarginal(
    const Observations<Scalar>& x, Index start, Index length) const {
  const Index latents = latents_.latents();
  const auto coordinates = static_cast<Index>(emissions_.size());
  Vector<double> mean = latents_.initial_mean;
  RowMatrix<double> factor = latents_.initial_factor;
  RowMatrix<double> rows(coordinates * sources_, latents), seen, stacked;
  Vector<double> offset(coordinates * sources_);
  double log_marginal = 0;
  for (Index t = 0; t < length; ++t) {
    for (Index i = 0; i < coordinates; ++i) {
      auto own_rows = rows.middleRows(i * sources_, sources_);
      auto own_offset = offset.segment(i * sources_, sources_);
      if (!x.IsClamped(start + t, i)) {
        own_rows = integrated_[i].rows;
        own_offset = integrated_[i].offset;
        log_marginal += integrated_[i].constant;
        continue;
      }
      const Emission& emission = emissions_[i];
      const auto value = static_cast<double>(x.values(start + t, i));
      const Vector<double> roots = emission.precision.cwiseSqrt();
      own_rows = roots.asDiagonal() * emission.rows;
      own_offset = roots.array() * (emission.offset.array() - value);
      log_marginal += emission.constant;
    }
    // y = mean + S u with u standard normal; with I + (rows S)' (rows S) = R' R
    // the integral over u is exp(-least / 2) / det R, where `least` is the
    // least of |rows y + offset|^2 + |u|^2, and u has the covariance R^-1
    // R^-1'.
    seen = rows * factor;
    offset += rows * mean;
    stacked.resize(seen.rows() + latents, latents);
    stacked.topRows(seen.rows()) = seen;
    stacked.bottomRows(latents).setIdentity();
    ReduceToTriangle(stacked);
    const auto triangle = stacked.triangularView<Eigen::Upper>();
    const Vector<double> pull = seen.transpose() * offset;
    const Vector<double> whitened =
        stacked.transpose().template triangularView<Eigen::Lower>().solve(pull);
    const Vector<double> u = -triangle.solve(whitened);
    log_marginal -= ((offset + seen * u).squaredNorm() + u.squaredNorm()) / 2;
    log_marginal -= stacked.diagonal().array().log().sum();
    mean = latents_.transition * (mean + factor * u);
    const RowMatrix<double> filtered =
        triangle.template solve<Eigen::OnTheRight>(factor);
    stacked.resize(2 * latents, latents);
    stacked.topRows(latents) = (latents_.transition * filtered).transpose();
    stacked.bottomRows(latents) = latents_.transition_factor.transpose();
    ReduceToTriangle(stacked);
    factor = stacked.transpose();
  }
  return log_marginal;
}

template class LinearDynamicalProduct<float>;
template class LinearDynamicalProduct<double>;

}  // namespace poe
