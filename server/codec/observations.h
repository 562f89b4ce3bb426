// Observations of a request to rows that the core takes.
#ifndef POE_SERVER_CODEC_OBSERVATIONS_H_
#define POE_SERVER_CODEC_OBSERVATIONS_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/model.h"
#include "poe/raw_rows.h"
#include "poe/v1/tensor.pb.h"
#include "server/codec/tensor_codec.h"

namespace poe::server {

// N raw observations of D values a frame that have passed poe::ValidateRows: N
// dense rows of one frame each, or N sequences. Own their memory.
struct DecodedRows {
  std::vector<float> values;           // frames x D, row-major
  std::vector<std::uint64_t> row_ids;  // N, or empty: 0, 1, 2, ...
  std::vector<std::uint8_t> observed;  // frames x D of 0/1; empty: all observed
  std::vector<float> weights;          // N, or empty: all 1
  std::vector<Index> starts;           // N + 1, see RawRows; empty: dense
  Index rows = 0;                      // N
  Index columns = 0;                   // D

  Index frames() const { return starts.empty() ? rows : starts.back(); }
  bool has_missing() const { return !observed.empty(); }
  // Valid as long as this object is neither moved nor changed.
  RawRows View() const;
};

// The most that one message may bring.
struct RowLimits {
  std::int64_t rows;  // of sequences, the rows of all together
  std::int64_t sequences = std::numeric_limits<std::int64_t>::max();
};

// Checks everything that a message can get wrong, against the model's spec:
// dense rows for a model of rows, sequences for one of sequences. `field` is
// the path of the observations in the request. Errors name the first bad value
// by its place: "observations.dense[3][17] is NaN; ...".
absl::StatusOr<DecodedRows> DecodeObservations(
    const v1::Observations& observations, const DataSpec& spec,
    RowLimits limits, bool weights_allowed,
    absl::string_view field = "observations");

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OBSERVATIONS_H_
