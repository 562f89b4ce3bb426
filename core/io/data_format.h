#ifndef POE_IO_DATA_FORMAT_H_
#define POE_IO_DATA_FORMAT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace poe {

enum class DataFormat { kIdx, kNpy, kCsv };

// Of a file whose unpacked contents begin with `bytes`: as many as there are,
// or at least 4096. IDX and NPY are known by them or, where they are broken, by
// the file's name; any other text is CSV. INVALID_ARGUMENT if there are none,
// or if they are something else.
absl::StatusOr<DataFormat> DetectFormat(absl::string_view path,
                                        absl::string_view bytes);

}  // namespace poe

#endif  // POE_IO_DATA_FORMAT_H_
