#ifndef POE_IO_CSV_WRITER_H_
#define POE_IO_CSV_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace poe {

// Writes a table that ParseCsv reads: a header, then the rows of `values`, with
// as many digits as give the same float again and nothing for NaN. `numbers` is
// empty or has for each row a number that stands in a column before the others.
// INVALID_ARGUMENT if `names` are not those of all columns, or if there are
// other than whole rows; the errors of WriteFileBytes.
absl::Status WriteCsv(const std::string& path,
                      absl::Span<const std::string> names,
                      absl::Span<const int64_t> numbers,
                      absl::Span<const float> values);

}  // namespace poe

#endif  // POE_IO_CSV_WRITER_H_
