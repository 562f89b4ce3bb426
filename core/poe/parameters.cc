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
    case ParameterKind::kInitialLogit:
      return "initial_logit";
    case ParameterKind::kTransitionLogit:
      return "transition_logit";
    case ParameterKind::kEmissionLogit:
      return "emission_logit";
    case ParameterKind::kTransition:
      return "transition";
    case ParameterKind::kEmission:
      return "emission";
    case ParameterKind::kOffset:
      return "offset";
    case ParameterKind::kLogCholesky:
      return "log_cholesky";
  }
  return "unknown";
}

template <typename Scalar>
void Parameterized<Scalar>::UpdateParameters(
    const Workers& workers,
    absl::FunctionRef<void(Eigen::Ref<Vector<Scalar>>)> change) {
  change(parameters_);
  ParametersChanged(workers);
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
