#include "poe/parameters.h"

#include <algorithm>

namespace poe {
namespace {

// Fewer parameters than this are not worth another thread.
constexpr Index kLeastParameters = 16384;

}  // namespace

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

void ShareParameters(
    const std::vector<ParameterBlock>& blocks, const Workers& workers,
    absl::FunctionRef<void(const ParameterBlock&, Index, Index)> body) {
  Index size = 0, longest = 0;
  for (const ParameterBlock& block : blocks) {
    size += block.size();
    longest = std::max(longest, block.size());
  }
  if (size == 0) return;
  workers.ParallelFor(
      longest, kLeastParameters * longest / size, [&](Index begin, Index end) {
        for (const ParameterBlock& block : blocks) {
          const Index first = block.size() * begin / longest;
          const Index last = block.size() * end / longest;
          if (first < last)
            body(block, block.offset + first, block.offset + last);
        }
      });
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
