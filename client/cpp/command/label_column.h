#ifndef POE_CLIENT_CPP_COMMAND_LABEL_COLUMN_H_
#define POE_CLIENT_CPP_COMMAND_LABEL_COLUMN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cpp/command/data_set.h"
#include "core/io/data_file.h"

namespace poe::client {

// The labels of the rows that stand in a column of `data`, which is taken out;
// none if there is no such column or labels have a file of their own.
absl::StatusOr<std::vector<int64_t>> TakeLabelColumn(const DataOptions& options,
                                                     DataFile& data);

// The labels of so many observations from a file of their own; `noun` is what
// these are called.
absl::StatusOr<std::vector<int64_t>> ReadLabelFile(const DataOptions& options,
                                                   int64_t count,
                                                   absl::string_view noun);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_LABEL_COLUMN_H_
