#ifndef POE_CLIENT_CPP_COMMAND_OUTPUT_ROWS_H_
#define POE_CLIENT_CPP_COMMAND_OUTPUT_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/client.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/table.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// What a model's observations are. Errors are the server's.
absl::StatusOr<v1::DataSpec> FetchDataSpec(const v1::ModelSelector& model,
                                           const CallOptions& options,
                                           Client& client);

// Rows that a picture has at most.
inline constexpr int64_t kMostImages = 400;

// Makes grey levels for ImageGrid of images' values: those that are grey levels
// stay, real numbers are taken from the range of all sets to 0 (black) to 1,
// and NaN becomes grey.
void ToGreyLevels(const v1::DataSpec& spec,
                  std::vector<std::vector<float>>& sets);

// Writes a picture of images, several of one row below each other: sets[k] is
// N x D, and its row n stands in line k of its strip. At most kMostImages rows.
// FAILED_PRECONDITION if the model's data are no images.
absl::Status WriteImageStrips(const std::string& path, const v1::DataSpec& spec,
                              std::vector<std::vector<float>> sets);

// Whether a file is to be a table: its name ends in .csv.
bool IsTable(const std::string& path);

// Whether WriteRows can write sequences of these lengths: of different ones
// only as a table. Otherwise a usage error.
absl::Status CheckOutput(const std::string& path,
                         absl::Span<const int64_t> lengths);

// N x D values to a file. An NPY array: N x D, of images N x height x width, of
// sequences (`lengths` has one for each, else none) N x T x D; `samples` > 0
// puts another dimension before them. A table if the name ends in .csv, with a
// column of the sequences' numbers before the others.
absl::Status WriteRows(const std::string& path, const v1::DataSpec& spec,
                       int64_t samples, absl::Span<const int64_t> lengths,
                       const std::vector<float>& values);

// Some values of the first rows as text, after columns of what else there is to
// say: `leading` has their headings, `cells` a list of their cells for each
// row.
std::string RowTable(const v1::DataSpec& spec,
                     const std::vector<Table::Column>& leading,
                     const std::vector<std::vector<std::string>>& cells,
                     const std::vector<float>& values);

// N x D values as a list of lists; of sequences, a list of such lists.
Json RowsJson(const v1::DataSpec& spec, absl::Span<const int64_t> lengths,
              absl::Span<const float> values);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_OUTPUT_ROWS_H_
