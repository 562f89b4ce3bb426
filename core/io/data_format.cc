#include "core/io/data_format.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/io/idx.h"
#include "core/io/npy.h"

namespace poe {
namespace {

// Text holds no zero byte; the headers of most binary formats do.
constexpr std::size_t kInspectedBytes = 4096;

}  // namespace

absl::StatusOr<DataFormat> DetectFormat(absl::string_view path,
                                        absl::string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError("is empty");
  const absl::string_view name = absl::StripSuffix(path, ".gz");
  if (absl::StartsWith(bytes, kNpyMagic) ||
      absl::EndsWithIgnoreCase(name, ".npy")) {
    return DataFormat::kNpy;
  }
  if (absl::StartsWith(bytes, kIdxMagic) ||
      absl::EndsWithIgnoreCase(name, ".idx") ||
      absl::EndsWithIgnoreCase(name, "-ubyte")) {
    return DataFormat::kIdx;
  }
  if (absl::StrContains(bytes.substr(0, kInspectedBytes), '\0')) {
    return absl::InvalidArgumentError(
        "is not IDX, NPY or CSV, plain or gzipped");
  }
  return DataFormat::kCsv;
}

}  // namespace poe
