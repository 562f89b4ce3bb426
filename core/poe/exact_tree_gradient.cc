#include "poe/exact_tree_gradient.h"

#include <utility>

namespace poe {

template <typename Scalar>
absl::Status ExactTreeGradient<Scalar>::ComputeGradient(
    const Observations<Scalar>& data, absl::Span<const Scalar> weights,
    const Workers& workers) {
  const std::vector<double> row_weights(weights.begin(), weights.end());
  auto moments =
      WeightedMoments<Scalar>(data.values.topRows(data.size), row_weights);
  if (!moments.ok()) return moments.status();
  moments_ = *std::move(moments);
  return ComputeGradient(workers);
}

template <typename Scalar>
absl::Status ExactTreeGradient<Scalar>::ComputeGradient(
    const Workers& workers) {
  const auto likelihood =
      ExactTreeLikelihood<Scalar>(this->product(), *moments_, workers);
  if (!likelihood.ok()) return likelihood.status();
  this->Set(likelihood->gradient);
  return absl::OkStatus();
}

template class ExactTreeGradient<float>;
template class ExactTreeGradient<double>;

}  // namespace poe
