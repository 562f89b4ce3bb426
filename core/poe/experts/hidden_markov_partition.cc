#include "poe/experts/hidden_markov_partition.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/hidden_markov_product.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<double> HiddenMarkovLogPartition(const Product<Scalar>& product,
                                                Index length) {
  if (length < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "sequences have ", length, " frames; there must be at least 1"));
  const auto view =
      HiddenMarkovProduct<Scalar>::View(product, kMostJointStates);
  if (!view.ok()) return view.status();
  const Vector<double> integrals = view->LogFrameIntegrals({}, {});
  return view->LogSumOverPaths(
      length, [&](Index) -> const Vector<double>& { return integrals; });
}

template absl::StatusOr<double> HiddenMarkovLogPartition<float>(
    const Product<float>&, Index);
template absl::StatusOr<double> HiddenMarkovLogPartition<double>(
    const Product<double>&, Index);

}  // namespace poe
