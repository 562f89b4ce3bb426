#ifndef POE_CLIENT_CPP_COMMAND_SEQUENCES_H_
#define POE_CLIENT_CPP_COMMAND_SEQUENCES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/io/data_file.h"

namespace poe::client {

// The column of a table that says which sequence a row belongs to.
inline constexpr char kSequenceColumn[] = "sequence";

// Takes a column out of a table.
void RemoveColumn(int64_t column, DataFile& file);

// The lengths of the sequences in a file, which is made a table of all their
// rows: N x T x D of an array, or rows that follow each other with the same
// value in kSequenceColumn, which is taken out. INVALID_ARGUMENT, naming
// `path`, for any other file.
absl::StatusOr<std::vector<int64_t>> TakeSequences(const std::string& path,
                                                   DataFile& file);

// The label of each sequence from those of its rows. INVALID_ARGUMENT, naming
// `path`, if they differ.
absl::StatusOr<std::vector<int64_t>> LabelsOfSequences(
    const std::string& path, absl::Span<const int64_t> row_labels,
    absl::Span<const int64_t> lengths);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SEQUENCES_H_
