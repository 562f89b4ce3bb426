#include "core/io/data_file.h"

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/csv.h"
#include "core/io/data_format.h"
#include "core/io/file_bytes.h"
#include "core/io/idx.h"
#include "core/io/npy.h"

namespace poe {
namespace {

absl::StatusOr<DataFile> ParseAny(absl::string_view path,
                                  absl::string_view bytes) {
  const absl::StatusOr<DataFormat> format = DetectFormat(path, bytes);
  if (!format.ok()) return format.status();
  switch (*format) {
    case DataFormat::kNpy:
      return ParseNpy(bytes);
    case DataFormat::kIdx:
      return ParseIdx(bytes);
    case DataFormat::kCsv:
      break;
  }
  return ParseCsv(bytes);
}

}  // namespace

int64_t DataFile::rows() const { return shape.empty() ? 0 : shape.front(); }

int64_t DataFile::columns() const {
  if (shape.empty()) return 1;
  return std::accumulate(shape.begin() + 1, shape.end(), int64_t{1},
                         std::multiplies<>());
}

absl::StatusOr<DataFile> ReadDataFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFileBytes(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<DataFile> file = ParseAny(path, *bytes);
  if (!file.ok()) {
    return absl::Status(file.status().code(),
                        absl::StrCat(path, ": ", file.status().message()));
  }
  return file;
}

}  // namespace poe
