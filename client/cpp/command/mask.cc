#include "client/cpp/command/mask.h"

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "core/io/data_file.h"

namespace poe::client {
namespace {

// One byte for each value of an image: 0 in the missing half.
absl::StatusOr<std::string> HalfMask(const std::string& half, int height,
                                     int width, int64_t dimension) {
  if (height <= 0 || int64_t{height} * width != dimension) {
    return UsageError(absl::StrCat("--mask ", half,
                                   " needs images, but the model has no image "
                                   "size of ",
                                   dimension, " values"));
  }
  const size_t upper = static_cast<size_t>(height / 2) * width;
  const size_t lower = static_cast<size_t>(height - height / 2) * width;
  return half == "upper" ? std::string(upper, 0) + std::string(lower, 1)
                         : std::string(upper, 1) + std::string(lower, 0);
}

absl::StatusOr<std::string> FileMask(const std::string& path,
                                     const DataSet& data) {
  const absl::StatusOr<DataFile> file = ReadDataFile(path);
  if (!file.ok()) return file.status();
  std::string mask;
  std::visit(
      [&mask](const auto& values) {
        for (const auto value : values) mask.push_back(value != 0);
      },
      file->values);
  const auto size = static_cast<int64_t>(mask.size());
  if (size != data.dimension && size != data.frames * data.dimension) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has ", size, " values, expected ", data.dimension,
        " for each row or ", data.frames * data.dimension, " for all rows"));
  }
  return mask;
}

}  // namespace

void AddMaskOption(CLI::App& command, std::string& mask) {
  command
      .add_option("--mask", mask,
                  "What is missing: the lower or the upper half of each "
                  "image; or as a file says, with 0 for missing and another "
                  "number for observed, for one row or for all.")
      ->type_name("lower|upper|FILE")
      ->group("Data");
}

absl::Status AddMask(const std::string& mask, int height, int width,
                     DataSet& data) {
  const bool half = mask == "lower" || mask == "upper";
  const absl::StatusOr<std::string> added =
      half ? HalfMask(mask, height, width, data.dimension)
           : FileMask(mask, data);
  if (!added.ok()) return added.status();
  std::string& all = *data.observations.mutable_mask();
  if (all.empty()) all.assign(data.frames * data.dimension, 1);
  for (size_t i = 0; i < all.size(); ++i) {
    if ((*added)[i % added->size()] == 0) all[i] = 0;
  }
  return absl::OkStatus();
}

}  // namespace poe::client
