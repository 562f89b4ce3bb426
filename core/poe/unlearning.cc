#include "poe/unlearning.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/gibbs.h"

namespace poe {

absl::Status Validate(const LongChainSettings& settings) {
  if (settings.chains < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "unlearn.chains is ", settings.chains, "; it must be at least 1"));
  if (settings.steps < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "unlearn.steps is ", settings.steps, "; it must be at least 1"));
  return absl::OkStatus();
}

template <typename Scalar>
Unlearning<Scalar>::Unlearning(const Product<Scalar>& product,
                               const LongChainSettings& settings,
                               std::uint64_t seed)
    : GradientEstimate<Scalar>(product),
      settings_(settings),
      seed_(seed),
      posteriors_(product.NewPosteriors()) {}

template <typename Scalar>
absl::Status Unlearning<Scalar>::StartChains(const Workers& workers,
                                             InterruptCheck check) {
  const Product<Scalar>& product = this->product();
  ++generation_;
  age_ = 0;
  chains_ = MakeDense<Scalar>(settings_.chains, product.dimension());
  GibbsOptions gibbs;
  gibbs.seed = DeriveSeed(seed_, generation_);
  gibbs.inverse_temperatures =
      AnnealingSchedule(settings_.steps, settings_.steps / 2);
  product.base().SampleStart({gibbs.seed, Purpose::kStart, 0, 0}, chains_);
  return RunGibbs(product, gibbs, workers, check, chains_);
}

template <typename Scalar>
absl::Status Unlearning<Scalar>::ComputeGradient(
    const Observations<Scalar>& data, absl::Span<const Scalar> weights,
    int gibbs_steps, const Workers& workers, InterruptCheck check) {
  if (generation_ == 0 || age_ + gibbs_steps > settings_.steps)
    if (absl::Status status = StartChains(workers, check); !status.ok())
      return status;
  const Product<Scalar>& product = this->product();
  this->SetZero(workers);
  product.Infer(data, 1, workers, posteriors_);
  this->Add(data, posteriors_, this->Normalized(weights, data.size), workers);
  product.Infer(chains_, 1, workers, posteriors_);
  for (int k = 0; k < gibbs_steps; ++k) {
    product.Resample(posteriors_, DeriveSeed(seed_, generation_),
                     static_cast<std::uint32_t>(settings_.steps + age_++),
                     Reconstruction::kSample, workers, messages_, chains_);
    product.Infer(chains_, 1, workers, posteriors_);
  }
  const std::vector<Scalar> each(chains_.size,
                                 -1 / static_cast<Scalar>(chains_.size));
  this->Add(chains_, posteriors_, each, workers);
  return absl::OkStatus();
}

template <typename Scalar>
void Unlearning<Scalar>::Save(ArchiveWriter& writer) const {
  writer.Put(generation_);
  writer.Put<std::int32_t>(age_);
  writer.PutMatrix(chains_.values);
}

template <typename Scalar>
void Unlearning<Scalar>::Load(ArchiveReader& reader) {
  generation_ = reader.Get<std::uint64_t>();
  age_ = reader.Get<std::int32_t>();
  chains_ = MakeDense<Scalar>(settings_.chains, this->product().dimension());
  reader.GetMatrix(chains_.values);
}

template class Unlearning<float>;
template class Unlearning<double>;

}  // namespace poe
