#include "poe/parameters.h"

namespace poe {

absl::string_view ParameterKindName(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::kWeights:
      return "weights";
    case ParameterKind::kHiddenBias:
      return "hidden_bias";
    case ParameterKind::kVisibleBias:
      return "visible_bias";
    case ParameterKind::kMean:
      return "mean";
    case ParameterKind::kLogVariance:
      return "log_variance";
    case ParameterKind::kMixingLogit:
      return "mixing_logit";
  }
  return "unknown";
}

template <typename Scalar>
void Parameterized<Scalar>::UpdateParameters(
    absl::FunctionRef<void(Eigen::Ref<Vector<Scalar>>)> change) {
  change(parameters_);
  ParametersChanged();
}

template <typename Scalar>
void Parameterized<Scalar>::AddBlock(ParameterKind kind, Index rows,
                                     Index cols) {
  const Index offset = parameters_.size();
  blocks_.push_back({kind, offset, rows, cols});
  parameters_.conservativeResizeLike(
      Vector<Scalar>::Zero(offset + rows * cols));
}

template class Parameterized<float>;
template class Parameterized<double>;

}  // namespace poe
