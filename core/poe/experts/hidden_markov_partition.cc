#include "poe/experts/hidden_markov_partition.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/hidden_markov_product.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<std::vector<double>> HiddenMarkovLogPartitions(
    const Product<Scalar>& product, absl::Span<const Index> lengths) {
  if (lengths.front() < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("sequences have ", lengths.front(),
                     " frames; there must be at least 1"));
  const auto view =
      HiddenMarkovProduct<Scalar>::View(product, kMostJointStates);
  if (!view.ok()) return view.status();
  const Vector<double> integrals = view->LogFrameIntegrals({}, {});
  return view->LogSumsOverPaths(
      lengths, [&](Index) -> const Vector<double>& { return integrals; });
}

template <typename Scalar>
absl::StatusOr<double> HiddenMarkovLogPartition(const Product<Scalar>& product,
                                                Index length) {
  const auto values =
      HiddenMarkovLogPartitions(product, absl::MakeConstSpan(&length, 1));
  if (!values.ok()) return values.status();
  return values->front();
}

template absl::StatusOr<std::vector<double>> HiddenMarkovLogPartitions<float>(
    const Product<float>&, absl::Span<const Index>);
template absl::StatusOr<std::vector<double>> HiddenMarkovLogPartitions<double>(
    const Product<double>&, absl::Span<const Index>);
template absl::StatusOr<double> HiddenMarkovLogPartition<float>(
    const Product<float>&, Index);
template absl::StatusOr<double> HiddenMarkovLogPartition<double>(
    const Product<double>&, Index);

}  // namespace poe
