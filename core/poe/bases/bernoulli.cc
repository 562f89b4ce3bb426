#include "poe/bases/bernoulli.h"

#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "poe/numerics/elementwise.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<std::unique_ptr<BernoulliBase<Scalar>>>
BernoulliBase<Scalar>::Create(const Vector<Scalar>& bias) {
  if (bias.size() == 0)
    return absl::InvalidArgumentError("a Bernoulli base has no coordinates");
  if (!bias.allFinite())
    return absl::InvalidArgumentError("a visible bias is not finite");
  auto base = absl::WrapUnique(new BernoulliBase());
  base->AddBlock(ParameterKind::kVisibleBias, 1, bias.size());
  base->UpdateParameters([&](auto parameters) { parameters = bias; });
  return base;
}

template <typename Scalar>
std::unique_ptr<Base<Scalar>> BernoulliBase<Scalar>::Clone() const {
  return absl::WrapUnique(new BernoulliBase(*this));
}

template <typename Scalar>
bool BernoulliBase<Scalar>::InSupport(absl::Span<const Scalar> row) const {
  for (Scalar value : row)
    if (!(value >= 0 && value <= 1)) return false;
  return true;
}

template <typename Scalar>
void BernoulliBase<Scalar>::AddLogScores(const Observations<Scalar>& x,
                                         absl::Span<double> log_scores) const {
  const absl::Span<const Scalar> bias(this->parameters().data(), dimension());
  for (Index n = 0; n < x.size; ++n)
    log_scores[n] +=
        Dot(bias, absl::MakeConstSpan(x.values.row(n).data(), dimension()));
}

template <typename Scalar>
void BernoulliBase<Scalar>::StartMessages(const Observations<Scalar>& x,
                                          Messages<Scalar>& messages) const {
  messages.linear =
      this->parameters().transpose().replicate(x.values.rows(), 1);
}

template <typename Scalar>
void BernoulliBase<Scalar>::Reconstruct(const Messages<Scalar>& messages,
                                        Reconstruction reconstruction,
                                        const Draws& draws,
                                        const Workers& workers,
                                        Observations<Scalar>& x) const {
  workers.ParallelFor(x.size, 8, [&](Index begin, Index end) {
    std::vector<std::uint32_t> bits(dimension());
    for (Index n = begin; n < end; ++n) {
      auto row = x.values.row(n);
      row = messages.linear.row(n);
      Logistic(absl::Span<Scalar>(row.data(), dimension()));
      if (reconstruction == Reconstruction::kMean) continue;
      FillBits(draws, x.row_ids[n], absl::MakeSpan(bits));
      for (Index i = 0; i < dimension(); ++i)
        row(i) = BernoulliDraw(row(i), bits[i]) ? 1 : 0;
    }
  });
}

template <typename Scalar>
void BernoulliBase<Scalar>::SampleStart(const Draws& draws,
                                        Observations<Scalar>& x) const {
  Messages<Scalar> messages;
  StartMessages(x, messages);
  Reconstruct(messages, Reconstruction::kSample, draws, Workers::Inline(), x);
}

template <typename Scalar>
void BernoulliBase<Scalar>::AddGradient(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  for (Index n = 0; n < x.size; ++n)
    gradient += weights[n] * x.values.row(n).transpose();
}

template class BernoulliBase<float>;
template class BernoulliBase<double>;

}  // namespace poe
