#include "poe/bases/linear.h"

#include "poe/numerics/elementwise.h"

namespace poe {

template <typename Scalar>
absl::Status LinearBase<Scalar>::SetBias(const Vector<Scalar>& bias) {
  if (bias.size() == 0)
    return absl::InvalidArgumentError("a base has no coordinates");
  if (!bias.allFinite())
    return absl::InvalidArgumentError("a visible bias is not finite");
  this->AddBlock(ParameterKind::kVisibleBias, 1, bias.size());
  this->UpdateParameters([&](auto parameters) { parameters = bias; });
  return absl::OkStatus();
}

template <typename Scalar>
void LinearBase<Scalar>::AddLogScores(const Observations<Scalar>& x,
                                      absl::Span<double> log_scores) const {
  const absl::Span<const Scalar> bias(this->parameters().data(), dimension());
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n)
    for (Index t = 0; t < x.length(n); ++t, ++frame)
      log_scores[n] += Dot(
          bias, absl::MakeConstSpan(x.values.row(frame).data(), dimension()));
}

template <typename Scalar>
void LinearBase<Scalar>::StartMessages(const Observations<Scalar>& x,
                                       Messages<Scalar>& messages) const {
  messages.linear =
      this->parameters().transpose().replicate(x.values.rows(), 1);
}

template <typename Scalar>
void LinearBase<Scalar>::SampleStart(const Draws& draws,
                                     Observations<Scalar>& x) const {
  Messages<Scalar> messages;
  StartMessages(x, messages);
  this->Reconstruct(messages, Reconstruction::kSample, draws, Workers::Inline(),
                    x);
}

template <typename Scalar>
void LinearBase<Scalar>::AddGradient(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n)
    for (Index t = 0; t < x.length(n); ++t, ++frame)
      gradient += weights[n] * x.values.row(frame).transpose();
}

template class LinearBase<float>;
template class LinearBase<double>;

}  // namespace poe
