// What should it look like: Gibbs steps from the data, and missing values
// filled in given the observed ones.
#ifndef POE_RECONSTRUCTION_H_
#define POE_RECONSTRUCTION_H_

#include "poe/gibbs.h"
#include "poe/model.h"
#include "poe/raw_rows.h"

namespace poe {

struct ReconstructOptions {
  // Index of the class whose product reconstructs; -1: each row's label by the
  // separator (of its own reconstruction where values are missing), or the only
  // class.
  Index class_index = -1;
  // Whose product does the Gibbs steps; 0 where values are missing. What it
  // makes of a row is shown as the data that it stands for (Descend,
  // hierarchy.h).
  Index layer = 0;
  int steps = 1;
  Reconstruction output = Reconstruction::kMean;
  // Chains whose outputs are averaged; >= 1, and 1 for kSample.
  int chains = 1;
  std::uint64_t seed = 0;

  friend bool operator==(const ReconstructOptions&,
                         const ReconstructOptions&) = default;
};

struct Reconstructions {
  RowMatrix<float> values;            // N x D, raw units
  std::vector<std::int32_t> classes;  // N; -1: left as it came, because it
                                      // is out of support or has no label
};

// Rows must have passed ValidateRows. FailedPrecondition if class_index is -1
// and the model has several classes but no separator; otherwise fails only with
// the status of `check`, asked at every Gibbs step of a few hundred rows.
absl::StatusOr<Reconstructions> Reconstruct(const Model& model,
                                            const RawRows& rows,
                                            const ReconstructOptions& options,
                                            const Workers& workers,
                                            InterruptCheck check);

}  // namespace poe

#endif  // POE_RECONSTRUCTION_H_
