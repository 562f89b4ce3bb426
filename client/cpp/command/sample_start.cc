#include "client/cpp/command/sample_start.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/command/coordinates.h"

namespace poe::client {
namespace {

// 1 for each column that stays.
absl::StatusOr<std::string> KeptColumns(const std::string& keep,
                                        const v1::DataSpec& spec) {
  const absl::StatusOr<std::vector<int32_t>> kept =
      ParseCoordinates("--keep", keep, spec.dimension());
  if (!kept.ok()) return kept.status();
  std::string columns(spec.dimension(), 0);
  for (const int32_t column : *kept) columns[column] = 1;
  for (const int32_t column : spec.input_coordinates()) columns[column] = 1;
  return columns;
}

}  // namespace

absl::Status SetStart(const std::string& keep, const v1::DataSpec& spec,
                      DataSet data, v1::SampleRequest& request) {
  v1::Observations& start = *request.mutable_start_from();
  start = std::move(data.observations);
  std::string& mask = *start.mutable_mask();
  const bool given = !keep.empty() || !mask.empty();
  request.set_start(given ? v1::SampleRequest::START_GIVEN
                          : v1::SampleRequest::START_DATA);
  if (keep.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> columns = KeptColumns(keep, spec);
  if (!columns.ok()) return columns.status();
  if (mask.empty()) mask.assign(data.frames * data.dimension, 1);
  for (size_t i = 0; i < mask.size(); ++i) {
    if ((*columns)[i % columns->size()] == 0) mask[i] = 0;
  }
  return absl::OkStatus();
}

}  // namespace poe::client
