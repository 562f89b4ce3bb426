// What follows training where log Z is not known exactly: estimates that are
// stored with the model.
#ifndef POE_NORMALIZERS_H_
#define POE_NORMALIZERS_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "poe/interrupt_check.h"
#include "poe/model.h"
#include "poe/numerics/workers.h"
#include "poe/training.h"

namespace poe {

// Whether log Z of this product can be estimated: it does not depend on inputs,
// and that of the base is known. FailedPrecondition otherwise, saying why.
absl::Status CheckEstimable(const DataSpec& spec,
                            const Product<float>& product);

// Where a class has no log partition of one of `lengths` (ascending, {0} for
// dense rows), nor an exact one of any, gives it one of annealed importance
// sampling forward and one in reverse. Reverse chains start from the ends of as
// many Gibbs chains, which rise from the base along the ladder and then take as
// many steps again at inverse temperature 1; from these also come the
// differences between each class that is estimated and the first without exact
// ones (Bennett's acceptance ratio), unless all samples of one are impossible
// under the other. Where that first class has its estimates already, samples
// alone are drawn from it; its differences to others that have theirs are not
// estimated.
//
// All products must have passed CheckEstimable. Same bits for any number of
// workers. FailedPrecondition, naming the class, where there are more than
// kMostEstimatedLengths lengths or an estimate is not finite or its chains have
// collapsed (annealed_chains.h); whatever `check` says, asked before each Gibbs
// step. `progress` is told the class and the share of all work that is done.
inline constexpr std::size_t kMostEstimatedLengths = 16;
absl::Status EstimateNormalizers(
    const NormalizerSettings& settings, const std::vector<Index>& lengths,
    std::uint64_t seed, const Workers& workers, InterruptCheck check,
    absl::FunctionRef<void(Index class_index, double share)> progress,
    Model& model);

}  // namespace poe

#endif  // POE_NORMALIZERS_H_
