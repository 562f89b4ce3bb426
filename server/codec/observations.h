// Observations of a request to rows that the core takes.
#ifndef POE_SERVER_CODEC_OBSERVATIONS_H_
#define POE_SERVER_CODEC_OBSERVATIONS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/model.h"
#include "poe/v1/tensor.pb.h"
#include "server/codec/tensor_codec.h"

namespace poe::server {

// N raw rows of D values that have passed poe::ValidateRows. Own their memory.
struct DecodedRows {
  std::vector<float> values;           // N x D, row-major
  std::vector<std::uint64_t> row_ids;  // N, or empty: 0, 1, 2, ...
  std::vector<std::uint8_t> observed;  // N x D of 0/1; empty: nothing missing
  std::vector<float> weights;          // N, or empty: all 1
  Index rows = 0;                      // N
  Index columns = 0;                   // D

  bool has_missing() const { return !observed.empty(); }
  // Valid as long as this object is neither moved nor changed.
  RawRows View() const;
};

struct RowLimits {
  std::int64_t rows;  // most rows of one message
};

// Checks everything that a message can get wrong, against the model's spec.
// `field` is the path of the observations in the request. Errors name the first
// bad value by its place: "observations.dense[3][17] is NaN; ...".
// Unimplemented for sequences.
absl::StatusOr<DecodedRows> DecodeObservations(
    const v1::Observations& observations, const DataSpec& spec,
    RowLimits limits, bool weights_allowed,
    absl::string_view field = "observations");

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OBSERVATIONS_H_
