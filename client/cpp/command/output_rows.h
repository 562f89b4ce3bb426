#ifndef POE_CLIENT_CPP_COMMAND_OUTPUT_ROWS_H_
#define POE_CLIENT_CPP_COMMAND_OUTPUT_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// Writes a picture of images, several of one row below each other: sets[k] is
// N x D, and its row n stands in line k of its strip. Grey levels show as they
// are, real numbers with the range of all sets from black to white, and NaN is
// grey. At most
// kMostImages rows. FAILED_PRECONDITION if the model's data are no images.
absl::Status WriteImageStrips(const std::string& path, const v1::DataSpec& spec,
                              const std::vector<std::vector<float>>& sets);

// N x D values, as N x height x width of images, to an NPY file. `samples` > 0
// puts another dimension before them.
absl::Status WriteRows(const std::string& path, const v1::DataSpec& spec,
                       int64_t samples, const std::vector<float>& values);

// Some values of the first rows as text, after columns of what else there is to
// say: `leading` has their headings, `cells` a list of their cells for each
// row.
std::string RowTable(const v1::DataSpec& spec,
                     const std::vector<Table::Column>& leading,
                     const std::vector<std::vector<std::string>>& cells,
                     const std::vector<float>& values);

// N x D values as a list of lists.
Json RowsJson(const v1::DataSpec& spec, const std::vector<float>& values);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_OUTPUT_ROWS_H_
