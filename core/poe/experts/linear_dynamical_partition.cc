#include "poe/experts/linear_dynamical_partition.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/linear_filter.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/numerics/constants.h"

namespace poe {
namespace {

struct Expert {
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
LinearSystem JointLatents(const std::vector<Expert>& experts, Index latents) {
  LinearSystem joint;
  joint.initial_mean = Vector<double>::Zero(latents);
  joint.initial_factor = RowMatrix<double>::Zero(latents, latents);
  joint.transition = joint.initial_factor;
  joint.transition_factor = joint.initial_factor;
  for (const Expert& expert : experts) {
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
absl::StatusOr<std::vector<double>> LinearDynamicalLogPartitions(
    const Product<Scalar>& product, absl::Span<const Index> lengths) {
  if (lengths.front() < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("the length of sequences is ", lengths.front(),
                     "; it must be at least 1"));
  if (product.base().family() != Family::kStructuredGaussian)
    return absl::FailedPreconditionError(
        "an exact log Z of linear dynamical systems needs a structured "
        "Gaussian base: on a box the integral has no closed form");
  std::vector<Expert> experts;
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

  // Coordinate by coordinate, the base and every expert expect some t_k, linear
  // in the joint state, with some precision w_k. With t the mean of the t_k,
  //   integral of exp(-sum_k w_k (x - t_k)^2 / 2)
  //     = sqrt(2 pi / sum_k w_k) exp(-sum_k w_k (t_k - t)^2 / 2),
  // as if sqrt(w_k) (t_k - t) were observed to be 0, with variance 1.
  const Index coordinates = product.dimension();
  const auto sources = static_cast<Index>(experts.size()) + 1;
  LinearSystem joint = JointLatents(experts, latents);
  joint.emission = RowMatrix<double>::Zero(coordinates * sources, latents);
  joint.offset = Vector<double>::Zero(coordinates * sources);
  joint.log_variance = joint.offset;
  double log_constant = 0;  // for each frame
  for (Index i = 0; i < coordinates; ++i) {
    auto expected = joint.emission.middleRows(i * sources, sources);
    auto offset = joint.offset.segment(i * sources, sources);
    Vector<double> precision = Vector<double>::Zero(sources);
    offset(0) = product.base().block(0)(0, i);
    precision(0) =
        std::exp(-static_cast<double>(product.base().block(1)(0, i)));
    for (Index k = 1; k < sources; ++k) {
      const Expert& expert = experts[k - 1];
      const LinearSystem* system = expert.system;
      const double exponent = expert.exponent;
      const Index own = expert.Place(i);
      if (own < 0) continue;
      expected.row(k).segment(expert.first_latent, system->latents()) =
          system->emission.row(own);
      offset(k) = system->offset(own);
      precision(k) = exponent * std::exp(-system->log_variance(own));
      log_constant -= exponent / 2 * (kLog2Pi + system->log_variance(own));
    }
    const double total = precision.sum();
    log_constant += (kLog2Pi - std::log(total)) / 2;
    const Eigen::RowVectorXd mean_row =
        precision.transpose() / total * expected;
    const double mean_offset = precision.dot(offset) / total;
    expected.rowwise() -= mean_row;
    offset.array() -= mean_offset;
    expected = precision.cwiseSqrt().asDiagonal() * expected;
    offset = precision.cwiseSqrt().cwiseProduct(offset);
  }
  log_constant += kLog2Pi / 2 * static_cast<double>(coordinates * sources);

  const FilterGains gains(joint, 1, lengths.back());
  std::vector<double> values;
  for (Index length : lengths) {
    const FrameOrder order(absl::MakeConstSpan(&length, 1));
    const RowMatrix<double> nothing =
        RowMatrix<double>::Zero(length, coordinates * sources);
    FilteredMeans means(order, latents);
    double log_score = 0;
    FilterMeans(joint, gains, order, nothing, 0, 1, means,
                absl::MakeSpan(&log_score, 1));
    values.push_back(log_score + static_cast<double>(length) * log_constant);
  }
  return values;
}

template <typename Scalar>
absl::StatusOr<double> LinearDynamicalLogPartition(
    const Product<Scalar>& product, Index length) {
  const auto values =
      LinearDynamicalLogPartitions(product, absl::MakeConstSpan(&length, 1));
  if (!values.ok()) return values.status();
  return values->front();
}

template absl::StatusOr<std::vector<double>>
LinearDynamicalLogPartitions<float>(const Product<float>&,
                                    absl::Span<const Index>);
template absl::StatusOr<std::vector<double>>
LinearDynamicalLogPartitions<double>(const Product<double>&,
                                     absl::Span<const Index>);
template absl::StatusOr<double> LinearDynamicalLogPartition<float>(
    const Product<float>&, Index);
template absl::StatusOr<double> LinearDynamicalLogPartition<double>(
    const Product<double>&, Index);

}  // namespace poe
