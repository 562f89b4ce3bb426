#include "poe/bases/linear.h"

#include "poe/numerics/elementwise.h"

namespace poe {

template <typename Scalar>
absl::Status LinearBase<Scalar>::SetBias(const Vector<Scalar>& bias,
                                         Index num_real_inputs) {
  if (bias.size() == 0)
    return absl::InvalidArgumentError("a base has no coordinates");
  if (!bias.allFinite())
    return absl::InvalidArgumentError("a visible bias is not finite");
  this->AddBlock(ParameterKind::kVisibleBias, 1, bias.size());
  this->UpdateParameters(Workers::Inline(),
                         [&](auto parameters) { parameters = bias; });
  num_real_inputs_ = num_real_inputs;
  return absl::OkStatus();
}

template <typename Scalar>
void LinearBase<Scalar>::AddLogScores(const Observations<Scalar>& x,
                                      absl::Span<double> log_scores) const {
  const absl::Span<const Scalar> bias(this->parameters().data(), num_outputs());
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n)
    for (Index t = 0; t < x.length(n); ++t, ++frame)
      log_scores[n] += Dot(
          bias, absl::MakeConstSpan(x.values.row(frame).data(), num_outputs()));
}

template <typename Scalar>
Messages<Scalar> LinearBase<Scalar>::NaturalParameters() const {
  Messages<Scalar> own;
  own.linear = RowMatrix<Scalar>::Zero(1, dimension());
  own.linear.leftCols(num_outputs()) = this->parameters().transpose();
  return own;
}

template <typename Scalar>
void LinearBase<Scalar>::SampleStart(const Draws& draws,
                                     Observations<Scalar>& x) const {
  Messages<Scalar> messages;
  this->StartMessages(x, Workers::Inline(), messages);
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
      gradient +=
          weights[n] * x.values.row(frame).head(num_outputs()).transpose();
}

template class LinearBase<float>;
template class LinearBase<double>;

}  // namespace poe
