#include "poe/gradient_estimate.h"

#include <cmath>
#include <numeric>

namespace poe {

template <typename Scalar>
GradientEstimate<Scalar>::GradientEstimate(const Product<Scalar>& product)
    : product_(product) {
  base_gradient_.resize(product.base().parameters().size());
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    group_gradients_.emplace_back(product.group(i).parameters().size());
}

template <typename Scalar>
double GradientEstimate<Scalar>::gradient_norm() const {
  double sum = base_gradient_.squaredNorm();
  Index count = base_gradient_.size();
  for (const Vector<Scalar>& gradient : group_gradients_) {
    sum += gradient.squaredNorm();
    count += gradient.size();
  }
  return std::sqrt(sum / static_cast<double>(count));
}

template <typename Scalar>
void GradientEstimate<Scalar>::SetZero(const Workers& workers) {
  base_gradient_.setZero();
  for (std::size_t i = 0; i < group_gradients_.size(); ++i)
    ShareParameters(product_.group(i).blocks(), workers,
                    [&](const ParameterBlock&, Index begin, Index end) {
                      group_gradients_[i].segment(begin, end - begin).setZero();
                    });
}

template <typename Scalar>
void GradientEstimate<Scalar>::Add(
    const Observations<Scalar>& x,
    const typename Product<Scalar>::Posteriors& posteriors,
    absl::Span<const Scalar> weights, const Workers& workers) {
  product_.base().AddGradient(x, weights, base_gradient_);
  for (std::size_t i = 0; i < group_gradients_.size(); ++i)
    product_.group(i).AddGradient(x, *posteriors[i], weights, workers,
                                  group_gradients_[i]);
}

template <typename Scalar>
std::vector<Scalar> GradientEstimate<Scalar>::Normalized(
    absl::Span<const Scalar> weights, Index rows) {
  std::vector<Scalar> normalized(rows, 1);
  if (!weights.empty()) normalized.assign(weights.begin(), weights.end());
  const double total =
      std::accumulate(normalized.begin(), normalized.end(), 0.0);
  const Scalar scale = total > 0 ? static_cast<Scalar>(1 / total) : Scalar{0};
  for (Scalar& weight : normalized) weight *= scale;
  return normalized;
}

template class GradientEstimate<float>;
template class GradientEstimate<double>;

}  // namespace poe
