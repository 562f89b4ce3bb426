#ifndef POE_CLIENT_CPP_CHUNKS_H_
#define POE_CLIENT_CPP_CHUNKS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/tensor.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// How much one message of a stream holds: at most so many rows and bytes of
// values, but at least one observation. Of sequences, the rows of all count.
struct ChunkLimits {
  int64_t rows = 16384;
  int64_t bytes = 1 << 20;
};

// Cuts observations of any size into pieces of whole observations, each with
// its share of values, mask, row ids and weights. Refers to the observations,
// which must stay unchanged meanwhile. Immutable.
class ObservationChunks {
 public:
  // INVALID_ARGUMENT if values, mask, row ids, weights and lengths differ in
  // their number of rows.
  static absl::StatusOr<ObservationChunks> Create(
      const v1::Observations& observations);

  // Number of observations.
  int64_t rows() const { return rows_; }

  // End of the largest piece that begins with observation `begin` < rows().
  int64_t End(int64_t begin, const ChunkLimits& limits) const;

  // Observations `begin` to `end` - 1.
  v1::Observations Slice(int64_t begin, int64_t end) const;

 private:
  explicit ObservationChunks(const v1::Observations& observations);

  const v1::Tensor& values() const { return ValuesOf(*observations_); }

  // First row of `values()` that belongs to observation `row`.
  int64_t ValueRow(int64_t row) const;

  const v1::Observations* observations_;
  int64_t rows_;
  // Sequences only: where each begins, and where the last ends.
  std::vector<int64_t> starts_;
  // Of one row of `values()`: its size on the wire, and its elements.
  int64_t row_bytes_ = 0;
  int64_t row_elements_ = 1;
};

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_CHUNKS_H_
