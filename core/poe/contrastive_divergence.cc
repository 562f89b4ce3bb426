#include "poe/contrastive_divergence.h"

#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {

absl::Status Validate(const ContrastiveDivergenceSettings& settings) {
  if (settings.epochs < 0 || settings.updates < 0 ||
      (settings.epochs > 0) == (settings.updates > 0))
    return absl::InvalidArgumentError(
        absl::StrCat("contrastive_divergence: epochs is ", settings.epochs,
                     " and updates is ", settings.updates,
                     "; exactly one of them must be positive"));
  if (settings.batch_size < 1 && settings.batch_size != -1)
    return absl::InvalidArgumentError(absl::StrCat(
        "contrastive_divergence.batch_size is ", settings.batch_size,
        "; it must be positive, or -1 for "
        "all rows"));
  if (settings.gibbs_steps < 1 || settings.gibbs_steps > kMostGibbsSteps)
    return absl::InvalidArgumentError(absl::StrCat(
        "contrastive_divergence.gibbs_steps is ", settings.gibbs_steps,
        "; it must be 1 to ", kMostGibbsSteps));
  if (settings.grow_gibbs_steps_every < 0)
    return absl::InvalidArgumentError(
        "contrastive_divergence.grow_gibbs_steps_every is negative");
  return Validate(settings.optimizer);
}

template <typename Scalar>
ContrastiveDivergence<Scalar>::ContrastiveDivergence(
    const Product<Scalar>& product)
    : product_(product), posteriors_(product.NewPosteriors()) {
  base_gradient_.resize(product.base().parameters().size());
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    group_gradients_.emplace_back(product.group(i).parameters().size());
}

template <typename Scalar>
void ContrastiveDivergence<Scalar>::ComputeGradient(
    const Observations<Scalar>& data, absl::Span<const Scalar> weights,
    int gibbs_steps, Reconstruction reconstruction, std::uint64_t seed,
    std::uint32_t step, const Workers& workers) {
  row_weights_.assign(data.size, 1);
  if (!weights.empty()) row_weights_.assign(weights.begin(), weights.end());
  const double total =
      std::accumulate(row_weights_.begin(), row_weights_.end(), 0.0);
  const Scalar scale = total > 0 ? static_cast<Scalar>(1 / total) : Scalar{0};
  for (Scalar& weight : row_weights_) weight *= scale;

  base_gradient_.setZero();
  for (Vector<Scalar>& gradient : group_gradients_) gradient.setZero();
  auto add_gradient = [&](const Observations<Scalar>& x) {
    product_.base().AddGradient(x, row_weights_, base_gradient_);
    for (std::size_t i = 0; i < group_gradients_.size(); ++i)
      product_.group(i).AddGradient(x, *posteriors_[i], row_weights_, workers,
                                    group_gradients_[i]);
  };

  product_.Infer(data, 1, workers, posteriors_);
  add_gradient(data);
  reconstruction_ = data;
  for (int k = 0; k < gibbs_steps; ++k) {
    product_.Resample(posteriors_, seed,
                      step * static_cast<std::uint32_t>(kMostGibbsSteps) + k,
                      reconstruction, workers, messages_, reconstruction_);
    product_.Infer(reconstruction_, 1, workers, posteriors_);
  }
  for (Scalar& weight : row_weights_) weight = -weight;
  add_gradient(reconstruction_);

  reconstruction_error_ =
      static_cast<double>((reconstruction_.values - data.values)
                              .topRows(data.frames())
                              .squaredNorm()) /
      static_cast<double>(data.frames() * data.dimension());
}

template <typename Scalar>
double ContrastiveDivergence<Scalar>::gradient_norm() const {
  double sum = base_gradient_.squaredNorm();
  Index count = base_gradient_.size();
  for (const Vector<Scalar>& gradient : group_gradients_) {
    sum += gradient.squaredNorm();
    count += gradient.size();
  }
  return std::sqrt(sum / static_cast<double>(count));
}

template class ContrastiveDivergence<float>;
template class ContrastiveDivergence<double>;

}  // namespace poe
