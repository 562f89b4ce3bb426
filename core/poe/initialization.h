// Products as they are before training.
#ifndef POE_INITIALIZATION_H_
#define POE_INITIALIZATION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "poe/interrupt_check.h"
#include "poe/model.h"
#include "poe/training.h"

namespace poe {

// Moments of each coordinate over some rows, preprocessed units.
struct DataMoments {
  Vector<double> mean, variance, least, greatest;  // D each
};

// `x` has at least one row.
DataMoments MomentsOf(const Observations<float>& x);

// Root mean square deviation over coordinates; 1 if it is 0.
double RootMeanSquareDeviation(const DataMoments& moments);

// The base of the spec's family, fitted to the data apart (log-odds of the
// mean; mean and variance), and groups of experts at their starting parameters.
// `examples` are preprocessed rows that centres are drawn from: at least one.
// Fails also with the status of `check`, asked by kinds that are fitted at
// once.
absl::StatusOr<Product<float>> InitializeProduct(
    const ProductSettings& settings, const DataSpec& spec,
    const Observations<float>& examples, std::uint64_t seed,
    InterruptCheck check);

// The preprocessed box's bounds and log volume; the spec must have a box.
struct PreprocessedBox {
  Vector<double> lower, upper;
  double log_volume;
};
PreprocessedBox BoxOf(const DataSpec& spec);

}  // namespace poe

#endif  // POE_INITIALIZATION_H_
