#ifndef POE_CLIENT_CPP_MERGE_H_
#define POE_CLIENT_CPP_MERGE_H_

#include "absl/status/status.h"
#include "poe/v1/scoring.pb.h"

namespace poe::client {

// Number of rows that a response is about.
int64_t RowCount(const v1::ScoreResponse& response);

// Appends the rows of `part` to `all`, where `all` is empty or about rows
// scored by the same model version. A field that only some parts have is
// filled up with what its absence means. INTERNAL if the two do not fit.
absl::Status AppendScores(const v1::ScoreResponse& part,
                          v1::ScoreResponse& all);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_MERGE_H_
