#include <cmath>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/csv.h"
#include "core/io/data_file.h"
#include "core/io/idx.h"
#include "core/io/npy.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

void RequireShape(const DataFile& file) {
  Require(!file.shape.empty(), "a file has a dimension");
  const std::size_t size =
      std::visit([](const auto& values) { return values.size(); }, file.values);
  Require(size == static_cast<std::size_t>(file.rows() * file.columns()),
          "there are as many values as the shape says");
}

}  // namespace

void FuzzCsv(absl::string_view input) {
  const absl::StatusOr<DataFile> file = ParseCsv(input);
  if (!file.ok()) return;
  RequireShape(*file);
  Require(file->column_names.empty() ||
              static_cast<std::int64_t>(file->column_names.size()) ==
                  file->columns(),
          "there is a name for each column, or none");
  for (const double value : std::get<std::vector<double>>(file->values))
    Require(!std::isinf(value), "values are finite or missing");
}

void FuzzIdx(absl::string_view input) {
  const absl::StatusOr<DataFile> file = ParseIdx(input);
  if (file.ok()) RequireShape(*file);
}

void FuzzNpy(absl::string_view input) {
  const absl::StatusOr<DataFile> file = ParseNpy(input);
  if (file.ok()) RequireShape(*file);
}

}  // namespace poe::fuzz
