// Parameters as one flat vector, so that optimizers, averages and checkpoints
// are written once for every kind of expert and base.
#ifndef POE_PARAMETERS_H_
#define POE_PARAMETERS_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "poe/numerics/matrix_product.h"
#include "poe/numerics/workers.h"

namespace poe {

enum class ParameterKind {
  kWeights,
  kHiddenBias,
  kVisibleBias,
  kMean,
  kLogVariance,
  kMixingLogit,
  kInitialLogit,     // hidden Markov models
  kTransitionLogit,  // hidden Markov models
  kEmissionLogit,    // hidden Markov models over symbols
  kTransition,       // linear dynamical systems: A
  kEmission,         // linear dynamical systems: C
  kOffset,           // d of x = C y + d, b of x = w parent + b
  kLogCholesky,      // linear dynamical systems: P_1, Q
};
inline constexpr int kNumParameterKinds = 13;

// "weights", "hidden_bias", ...: the names rate multipliers go by.
absl::string_view ParameterKindName(ParameterKind kind);

// A matrix of parameters of one kind, row-major inside the flat vector.
struct ParameterBlock {
  ParameterKind kind;
  Index offset;
  Index rows;
  Index cols;
  Index size() const { return rows * cols; }
};

// Calls body(block, begin, end) for disjoint ranges of the flat vector that
// cover all blocks, on the threads. Each thread takes the same share of every
// block, so that in all of them it has rows of nearly the same experts.
void ShareParameters(
    const std::vector<ParameterBlock>& blocks, const Workers& workers,
    absl::FunctionRef<void(const ParameterBlock& block, Index begin, Index end)>
        body);

// Something with parameters. Const access is thread-safe; an update must be
// alone.
template <typename Scalar>
class Parameterized {
 public:
  virtual ~Parameterized() = default;

  const Vector<Scalar>& parameters() const { return parameters_; }
  const std::vector<ParameterBlock>& blocks() const { return blocks_; }

  // One block as a matrix.
  Eigen::Map<const RowMatrix<Scalar>> block(std::size_t i) const {
    return BlockOf(parameters_, i);
  }

  // Lets `change` write the parameters, then brings them within their bounds
  // and renews what is derived from them. The same bits at any thread count.
  void UpdateParameters(
      const Workers& workers,
      absl::FunctionRef<void(Eigen::Ref<Vector<Scalar>>)> change);

  // The unit each parameter's steps are measured in. `units` comes with ones; a
  // kind that knows better (a mean moves in units of its expert's width)
  // replaces them, always those of the same parameters.
  virtual void StepUnits(const Workers&, Eigen::Ref<Vector<Scalar>>) const {}

 protected:
  // Adds a block of zeros at the end.
  void AddBlock(ParameterKind kind, Index rows, Index cols);

  Eigen::Map<RowMatrix<Scalar>> mutable_block(std::size_t i) {
    return {parameters_.data() + blocks_[i].offset, blocks_[i].rows,
            blocks_[i].cols};
  }
  Eigen::Map<RowMatrix<Scalar>> BlockOf(Eigen::Ref<Vector<Scalar>> flat,
                                        std::size_t i) const {
    return {flat.data() + blocks_[i].offset, blocks_[i].rows, blocks_[i].cols};
  }
  Eigen::Map<const RowMatrix<Scalar>> BlockOf(const Vector<Scalar>& flat,
                                              std::size_t i) const {
    return {flat.data() + blocks_[i].offset, blocks_[i].rows, blocks_[i].cols};
  }

  // Called after every change: project, then refresh caches.
  virtual void ParametersChanged(const Workers&) {}

 private:
  Vector<Scalar> parameters_;
  std::vector<ParameterBlock> blocks_;
};

}  // namespace poe

#endif  // POE_PARAMETERS_H_
