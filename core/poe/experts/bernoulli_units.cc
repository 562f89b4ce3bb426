#include "poe/experts/bernoulli_units.h"

#include <algorithm>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/latent_bits.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// Below this many rows a share of a product is not worth another thread.
template <typename Scalar>
struct Activations : Posterior {
  RowMatrix<Scalar> values;  // PaddedRows(N) x M: c + w.x
  Scalar scale = 1;          // power x inverse temperature
  Index size = 0;            // N
};

template <typename Scalar>
const Activations<Scalar>& ActivationsOf(const Posterior& posterior) {
  return static_cast<const Activations<Scalar>&>(posterior);
}

template <typename Scalar>
absl::Span<Scalar> RowsOf(RowMatrix<Scalar>& matrix, Index begin, Index end) {
  return {matrix.data() + begin * matrix.cols(),
          static_cast<std::size_t>((end - begin) * matrix.cols())};
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<BernoulliUnits<Scalar>>>
BernoulliUnits<Scalar>::Create(const RowMatrix<Scalar>& weights,
                               const Vector<Scalar>& bias, Scalar power) {
  if (weights.size() == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("Bernoulli units have weights of ", weights.rows(), " x ",
                     weights.cols(), "; both must be at least 1"));
  if (bias.size() != weights.cols())
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", bias.size(), " hidden biases for ",
                     weights.cols(), " Bernoulli units"));
  if (!weights.allFinite() || !bias.allFinite())
    return absl::InvalidArgumentError(
        "a weight or hidden bias of Bernoulli units is not finite");
  if (!(power > 0) || !std::isfinite(power))
    return absl::InvalidArgumentError(absl::StrCat(
        "the power of Bernoulli units is ", power, "; it must be positive"));
  auto group = absl::WrapUnique(new BernoulliUnits(power));
  group->AddBlock(ParameterKind::kWeights, weights.rows(), weights.cols());
  group->AddBlock(ParameterKind::kHiddenBias, 1, bias.size());
  group->UpdateParameters(Workers::Inline(), [&](auto) {
    group->mutable_block(0) = weights;
    group->mutable_block(1) = bias.transpose();
  });
  return group;
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> BernoulliUnits<Scalar>::Clone() const {
  return absl::WrapUnique(new BernoulliUnits(*this));
}

template <typename Scalar>
std::unique_ptr<Posterior> BernoulliUnits<Scalar>::NewPosterior() const {
  return std::make_unique<Activations<Scalar>>();
}

template <typename Scalar>
void BernoulliUnits<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                                   const Workers& workers,
                                   Posterior& posterior) const {
  auto& activations = static_cast<Activations<Scalar>&>(posterior);
  activations.size = x.size;
  activations.scale = power_ * beta;
  activations.values.resize(x.values.rows(), num_experts());
  const auto weights = this->block(0);
  const auto bias = this->block(1);
  workers.ParallelFor(x.values.rows(), kLeastRows, [&](Index begin, Index end) {
    auto part = activations.values.middleRows(begin, end - begin);
    // Padding is as a product with rows of zeros leaves it.
    const Index used = std::max<Index>(std::min(end, x.frames()) - begin, 0);
    MultiplyRows<Scalar>(x.values.middleRows(begin, used), weights,
                         part.topRows(used));
    part.bottomRows(part.rows() - used).setZero();
    for (Index n = 0; n < part.rows(); ++n) part.row(n) += bias;
  });
}

template <typename Scalar>
void BernoulliUnits<Scalar>::Temper(const Observations<Scalar>&, Scalar beta,
                                    const Workers&,
                                    Posterior& posterior) const {
  static_cast<Activations<Scalar>&>(posterior).scale = power_ * beta;
}

template <typename Scalar>
void BernoulliUnits<Scalar>::AddLogScores(const Posterior& posterior,
                                          absl::Span<double> log_scores) const {
  const auto& activations = ActivationsOf<Scalar>(posterior);
  for (Index n = 0; n < activations.size; ++n)
    log_scores[n] += SumSoftplus(
        activations.scale,
        absl::MakeConstSpan(activations.values.row(n).data(), num_experts()));
}

template <typename Scalar>
void BernoulliUnits<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  const auto& activations = ActivationsOf<Scalar>(posterior);
  for (Index n = 0; n < activations.size; ++n) {
    Vector<Scalar> row = activations.scale * activations.values.row(n);
    Softplus(absl::Span<Scalar>(row.data(), row.size()));
    log_scores.row(n) = row.transpose().template cast<double>();
  }
}

template <typename Scalar>
void BernoulliUnits<Scalar>::AddSampledMessages(
    const Observations<Scalar>& x, const Posterior& posterior,
    const Draws& draws, const Workers& workers,
    Messages<Scalar>& messages) const {
  const auto& activations = ActivationsOf<Scalar>(posterior);
  RowMatrix<Scalar> states(activations.values.rows(), num_experts());
  const auto weights = this->block(0);
  workers.ParallelFor(states.rows(), kLeastRows, [&](Index begin, Index end) {
    states.middleRows(begin, end - begin) =
        activations.scale * activations.values.middleRows(begin, end - begin);
    Logistic(RowsOf(states, begin, end));
    DrawLatentBits(x, draws, activations.scale, begin, end, states);
    AddMultiplyRowsByTranspose<Scalar>(
        states.middleRows(begin, end - begin), weights,
        messages.linear.middleRows(begin, end - begin));
  });
}

template <typename Scalar>
void BernoulliUnits<Scalar>::AddGradient(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  const auto& activations = ActivationsOf<Scalar>(posterior);
  RowMatrix<Scalar> shares(activations.values.rows(), num_experts());
  workers.ParallelFor(shares.rows(), kLeastRows, [&](Index begin, Index end) {
    shares.middleRows(begin, end - begin) =
        activations.scale * activations.values.middleRows(begin, end - begin);
    Logistic(RowsOf(shares, begin, end));
    for (Index n = begin; n < end; ++n)
      shares.row(n) *= n < x.size ? weights[n] * activations.scale : Scalar{0};
  });
  auto weight_gradient = this->BlockOf(gradient, 0);
  auto bias_gradient = this->BlockOf(gradient, 1);
  workers.ParallelFor(dimension(), 4 * kLeastRows, [&](Index begin, Index end) {
    AddTransposedProduct<Scalar>(
        x.values, shares, begin,
        weight_gradient.middleRows(begin, end - begin));
  });
  for (Index n = 0; n < x.size; ++n) bias_gradient += shares.row(n);
}

template <typename Scalar>
void BernoulliUnits<Scalar>::HiddenProbabilities(
    const Posterior& posterior, RowMatrixRef<Scalar> probabilities) const {
  const auto& activations = ActivationsOf<Scalar>(posterior);
  RowMatrix<Scalar> values = activations.scale * activations.values;
  Logistic(RowsOf(values, 0, values.rows()));
  probabilities = values;
}

template <typename Scalar>
void BernoulliUnits<Scalar>::AddMessages(
    const ConstRowMatrixRef<Scalar>& states, const Workers& workers,
    Messages<Scalar>& messages) const {
  const auto weights = this->block(0);
  workers.ParallelFor(states.rows(), kLeastRows, [&](Index begin, Index end) {
    const RowMatrix<Scalar> scaled =
        power_ * states.middleRows(begin, end - begin);
    AddMultiplyRowsByTranspose<Scalar>(
        scaled, weights, messages.linear.middleRows(begin, end - begin));
  });
}

template class BernoulliUnits<float>;
template class BernoulliUnits<double>;

}  // namespace poe
