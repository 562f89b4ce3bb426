#include "poe/experts/linear_dynamical_partition.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/linear_dynamical_product.h"
#include "poe/experts/linear_filter.h"
#include "poe/numerics/constants.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<std::vector<double>> LinearDynamicalLogPartitions(
    const Product<Scalar>& product, absl::Span<const Index> lengths) {
  if (lengths.front() < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("the length of sequences is ", lengths.front(),
                     "; it must be at least 1"));
  const auto view = LinearDynamicalProduct<Scalar>::View(product);
  if (!view.ok()) return view.status();
  // As if what `integrated` says of each coordinate were observed to be 0, with
  // variance 1.
  const Index coordinates = product.dimension(), sources = view->sources();
  const Index latents = view->latents().latents();
  LinearSystem joint = view->latents();
  joint.emission = RowMatrix<double>::Zero(coordinates * sources, latents);
  joint.offset = Vector<double>::Zero(coordinates * sources);
  joint.log_variance = joint.offset;
  // For each frame.
  double log_constant =
      kLog2Pi / 2 * static_cast<double>(coordinates * sources);
  for (Index i = 0; i < coordinates; ++i) {
    const auto& evidence = view->integrated()[i];
    joint.emission.middleRows(i * sources, sources) = evidence.rows;
    joint.offset.segment(i * sources, sources) = evidence.offset;
    log_constant += evidence.constant;
  }

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
