// Products as they are before training.
#ifndef POE_INITIALIZATION_H_
#define POE_INITIALIZATION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/interrupt_check.h"
#include "poe/model.h"
#include "poe/training.h"

namespace poe {

// Preprocessed observations, at least one, that a product starts from.
struct Examples {
  Observations<float> x;
  // N positive ones, or empty: all 1.
  std::vector<float> weights = {};

  // One for each frame, that of its observation, in double.
  std::vector<double> FrameWeights() const;
};

// Moments of each coordinate over some rows, preprocessed units.
struct DataMoments {
  Vector<double> mean, variance, least, greatest;  // D each
};

// Mean and variance by the weights.
DataMoments MomentsOf(const Examples& examples);

// Root mean square deviation over coordinates; 1 if it is 0.
double RootMeanSquareDeviation(const DataMoments& moments);

// The base of the spec's family, fitted to the data apart (log-odds of the
// mean; mean and variance), and groups of experts at their starting parameters.
// Centres are drawn from `examples`, each with probability proportional to its
// weight. Fails also with the status of `check`, asked by kinds that are fitted
// at once.
absl::StatusOr<Product<float>> InitializeProduct(
    const ProductSettings& settings, const DataSpec& spec,
    const Examples& examples, std::uint64_t seed, InterruptCheck check);

// The preprocessed box's bounds and log volume; the spec must have a box.
struct PreprocessedBox {
  Vector<double> lower, upper;
  double log_volume;
};
PreprocessedBox BoxOf(const DataSpec& spec);

}  // namespace poe

#endif  // POE_INITIALIZATION_H_
