#include "poe/contrastive_divergence.h"

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
  if (settings.chains.has_value())
    if (absl::Status status = Validate(*settings.chains); !status.ok())
      return status;
  if (settings.early_stopping.has_value()) {
    if (settings.early_stopping->patience < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("contrastive_divergence.early_stopping.patience is ",
                       settings.early_stopping->patience,
                       "; it must be at least 0, 0 to train to the end"));
    if (settings.optimizer.average_share > 0)
      return absl::InvalidArgumentError(absl::StrCat(
          "contrastive_divergence.early_stopping is given with "
          "optimizer.average_share ",
          settings.optimizer.average_share,
          "; the average is of the last updates, which the best epoch need not "
          "be among. Leave out one of the two"));
  }
  return Validate(settings.optimizer);
}

template <typename Scalar>
ContrastiveDivergence<Scalar>::ContrastiveDivergence(
    const Product<Scalar>& product)
    : GradientEstimate<Scalar>(product), posteriors_(product.NewPosteriors()) {}

template <typename Scalar>
void ContrastiveDivergence<Scalar>::ComputeGradient(
    const Observations<Scalar>& data, absl::Span<const Scalar> weights,
    int gibbs_steps, Reconstruction reconstruction, std::uint64_t seed,
    std::uint32_t step, const Workers& workers) {
  const Product<Scalar>& product = this->product();
  std::vector<Scalar> row_weights = this->Normalized(weights, data.size);
  this->SetZero(workers);
  product.Infer(data, 1, workers, posteriors_);
  this->Add(data, posteriors_, row_weights, workers);
  reconstruction_ = data;
  for (int k = 0; k < gibbs_steps; ++k) {
    product.Resample(posteriors_, seed,
                     step * static_cast<std::uint32_t>(kMostGibbsSteps) + k,
                     reconstruction, workers, messages_, reconstruction_);
    product.Infer(reconstruction_, 1, workers, posteriors_);
  }
  for (Scalar& weight : row_weights) weight = -weight;
  this->Add(reconstruction_, posteriors_, row_weights, workers);

  reconstruction_error_ =
      static_cast<double>((reconstruction_.values - data.values)
                              .topRows(data.frames())
                              .squaredNorm()) /
      static_cast<double>(data.frames() * data.dimension());
}

template class ContrastiveDivergence<float>;
template class ContrastiveDivergence<double>;

}  // namespace poe
