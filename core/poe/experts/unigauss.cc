#include "poe/experts/unigauss.h"

#include <cmath>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/latent_bits.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

struct Energies : Posterior {
  RowMatrix<double> values;  // PaddedRows(N) x M: E(x)
  double scale = 1;          // power x inverse temperature
  Index size = 0;            // N
};

const Energies& EnergiesOf(const Posterior& posterior) {
  return static_cast<const Energies&>(posterior);
}

// P(the Gaussian speaks | x) of the energies from (row, first) on, rounded to
// Scalar before the logistic function is taken.
template <typename Scalar>
void SetShares(const Energies& energies, Index row, Index first,
               RowMatrixRef<Scalar> shares) {
  shares = (energies.scale *
            energies.values.block(row, first, shares.rows(), shares.cols()))
               .template cast<Scalar>();
  for (Index n = 0; n < shares.rows(); ++n)
    Logistic(absl::Span<Scalar>(shares.row(n).data(), shares.cols()));
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<Unigauss<Scalar>>> Unigauss<Scalar>::Create(
    Settings settings) {
  const Index experts = settings.mean.rows();
  const Index dimension = settings.mean.cols();
  if (experts == 0 || dimension == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("unigauss means are ", experts, " x ", dimension,
                     "; both must be at least 1"));
  if (settings.log_variance.rows() != experts ||
      (settings.log_variance.cols() != dimension &&
       settings.log_variance.cols() != 1))
    return absl::InvalidArgumentError(absl::StrCat(
        "unigauss log variances are ", settings.log_variance.rows(), " x ",
        settings.log_variance.cols(), "; they must be ", experts, " x ",
        dimension, ", or ", experts, " x 1 for circular experts"));
  if (settings.mixing_logit.size() != experts)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", settings.mixing_logit.size(),
                     " mixing logits for ", experts, " unigauss experts"));
  if (!settings.mean.allFinite() || !settings.log_variance.allFinite() ||
      !settings.mixing_logit.allFinite() || !std::isfinite(settings.log_volume))
    return absl::InvalidArgumentError(
        "a parameter of unigauss experts is not finite");
  if (!(settings.least_log_variance < settings.greatest_log_variance))
    return absl::InvalidArgumentError(
        "the bounds on unigauss log variances are out of order");
  if (!(settings.power > 0) || !std::isfinite(settings.power))
    return absl::InvalidArgumentError(
        absl::StrCat("the power of unigauss experts is ", settings.power,
                     "; it must be positive"));
  auto group = absl::WrapUnique(new Unigauss());
  group->log_volume_ = settings.log_volume;
  group->least_log_variance_ = settings.least_log_variance;
  group->greatest_log_variance_ = settings.greatest_log_variance;
  group->power_ = settings.power;
  group->AddBlock(ParameterKind::kMean, experts, dimension);
  group->AddBlock(ParameterKind::kLogVariance, experts,
                  settings.log_variance.cols());
  group->AddBlock(ParameterKind::kMixingLogit, experts, 1);
  group->UpdateParameters(Workers::Inline(), [&](auto) {
    group->mutable_block(0) = settings.mean;
    group->mutable_block(1) = settings.log_variance;
    group->mutable_block(2) = settings.mixing_logit;
  });
  return group;
}

template <typename Scalar>
void Unigauss<Scalar>::ParametersChanged(const Workers& workers) {
  BoundLogVariances<Scalar>(least_log_variance_, greatest_log_variance_,
                            workers, this->mutable_block(1));
  const Vector<double> logit = this->block(2).template cast<double>();
  gaussians_.Update(this->block(0), this->block(1), logit.array() + log_volume_,
                    workers);
  log_uniform_ = logit;
  Softplus(absl::Span<double>(log_uniform_.data(), log_uniform_.size()));
  log_uniform_ = -log_uniform_.array() - log_volume_;
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> Unigauss<Scalar>::Clone() const {
  return absl::WrapUnique(new Unigauss(*this));
}

template <typename Scalar>
std::unique_ptr<Posterior> Unigauss<Scalar>::NewPosterior() const {
  return std::make_unique<Energies>();
}

template <typename Scalar>
void Unigauss<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                             const Workers& workers,
                             Posterior& posterior) const {
  auto& energies = static_cast<Energies&>(posterior);
  const Index rows = x.values.rows();
  energies.size = x.size;
  energies.scale = static_cast<double>(power_) * beta;
  energies.values.resize(rows, num_experts());
  ShareGaussians(rows, num_experts(), 1, workers,
                 [&](Index row, Index count, Index expert, Index experts) {
                   gaussians_.LogDensities(
                       x.values.middleRows(row, count), expert,
                       energies.values.block(row, expert, count, experts));
                 });
}

template <typename Scalar>
void Unigauss<Scalar>::Temper(const Observations<Scalar>&, Scalar beta,
                              const Workers&, Posterior& posterior) const {
  static_cast<Energies&>(posterior).scale = static_cast<double>(power_) * beta;
}

template <typename Scalar>
void Unigauss<Scalar>::AddLogScores(const Posterior& posterior,
                                    absl::Span<double> log_scores) const {
  const Energies& energies = EnergiesOf(posterior);
  const double uniform = energies.scale * log_uniform_.sum();
  for (Index n = 0; n < energies.size; ++n)
    log_scores[n] +=
        uniform + SumSoftplus(energies.scale,
                              absl::MakeConstSpan(energies.values.row(n).data(),
                                                  num_experts()));
}

template <typename Scalar>
void Unigauss<Scalar>::ExpertLogScores(const Posterior& posterior,
                                       RowMatrixRef<double> log_scores) const {
  const Energies& energies = EnergiesOf(posterior);
  for (Index n = 0; n < energies.size; ++n) {
    Vector<double> row = energies.scale * energies.values.row(n);
    Softplus(absl::Span<double>(row.data(), row.size()));
    log_scores.row(n) = (row + energies.scale * log_uniform_).transpose();
  }
}

template <typename Scalar>
void Unigauss<Scalar>::AddSampledMessages(const Observations<Scalar>& x,
                                          const Posterior& posterior,
                                          const Draws& draws,
                                          const Workers& workers,
                                          Messages<Scalar>& messages) const {
  const Energies& energies = EnergiesOf(posterior);
  RowMatrix<Scalar> states(energies.values.rows(), num_experts());
  workers.ParallelFor(states.rows(), kLeastRows, [&](Index begin, Index end) {
    SetShares<Scalar>(energies, begin, 0,
                      states.middleRows(begin, end - begin));
    DrawLatentBits(x, draws, static_cast<Scalar>(energies.scale), begin, end,
                   states);
    gaussians_.AddMessages(states.middleRows(begin, end - begin),
                           messages.linear.middleRows(begin, end - begin),
                           messages.precision.middleRows(begin, end - begin));
  });
}

template <typename Scalar>
void Unigauss<Scalar>::AddGradient(const Observations<Scalar>& x,
                                   const Posterior& posterior,
                                   absl::Span<const Scalar> weights,
                                   const Workers& workers,
                                   Eigen::Ref<Vector<Scalar>> gradient) const {
  const Energies& energies = EnergiesOf(posterior);
  const auto weight_of = [&](Index n) {
    return n < x.size ? weights[n] * energies.scale : 0;
  };
  const auto set_weighted = [&](Index row, Index first,
                                RowMatrixRef<Scalar> shares) {
    SetShares<Scalar>(energies, row, first, shares);
    for (Index n = 0; n < shares.rows(); ++n)
      shares.row(n) *= static_cast<Scalar>(weight_of(row + n));
  };
  double total_weight = 0;
  for (Index n = 0; n < x.size; ++n) total_weight += weight_of(n);
  const Vector<double> total = gaussians_.AddGradient(
      x.values, set_weighted, workers, this->BlockOf(gradient, 0),
      this->BlockOf(gradient, 1));
  Vector<double> prior = this->block(2).template cast<double>();
  Logistic(absl::Span<double>(prior.data(), prior.size()));
  this->BlockOf(gradient, 2) +=
      (total - total_weight * prior).template cast<Scalar>();
}

template <typename Scalar>
void Unigauss<Scalar>::StepUnits(const Workers& workers,
                                 Eigen::Ref<Vector<Scalar>> units) const {
  MeanUnits<Scalar>(this->block(1), workers, this->BlockOf(units, 0));
}

template <typename Scalar>
void Unigauss<Scalar>::HiddenProbabilities(
    const Posterior& posterior, RowMatrixRef<Scalar> probabilities) const {
  const Energies& energies = EnergiesOf(posterior);
  SetShares<Scalar>(energies, 0, 0, probabilities);
}

template <typename Scalar>
void Unigauss<Scalar>::AddMessages(const ConstRowMatrixRef<Scalar>& states,
                                   const Workers& workers,
                                   Messages<Scalar>& messages) const {
  workers.ParallelFor(states.rows(), kLeastRows, [&](Index begin, Index end) {
    const Index count = end - begin;
    const RowMatrix<Scalar> scaled = power_ * states.middleRows(begin, count);
    gaussians_.AddMessages(scaled, messages.linear.middleRows(begin, count),
                           messages.precision.middleRows(begin, count));
  });
}

template class Unigauss<float>;
template class Unigauss<double>;

}  // namespace poe
