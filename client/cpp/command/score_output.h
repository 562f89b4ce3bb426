#ifndef POE_CLIENT_CPP_COMMAND_SCORE_OUTPUT_H_
#define POE_CLIENT_CPP_COMMAND_SCORE_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/scores.h"

namespace poe::client {

// One line for each of the first `limit` rows, which are numbered from
// `first_row` on under the heading `noun`. `truth` is empty or has the true
// class of each row.
std::string ScoreTable(const Scores& scores, absl::Span<const int32_t> truth,
                       int64_t first_row, int64_t limit,
                       const std::string& noun = "row");

// The error rate, and a table of the errors by class.
std::string ErrorTable(const ErrorCounts& errors,
                       const std::vector<std::string>& class_names);

// The same as one document, where the numbers of rows have the name `noun`.
Json ScoreJson(const Scores& scores, absl::Span<const int32_t> truth,
               int64_t first_row, int64_t limit,
               const std::string& noun = "row");
Json ErrorJson(const ErrorCounts& errors,
               const std::vector<std::string>& class_names);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SCORE_OUTPUT_H_
