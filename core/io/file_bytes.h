#ifndef POE_IO_FILE_BYTES_H_
#define POE_IO_FILE_BYTES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace poe {

// The contents of a file, unpacked if it is gzipped. Errors name the path:
// those of the operating system, DATA_LOSS for a truncated or damaged
// compressed stream, and RESOURCE_EXHAUSTED for one that becomes more than 256
// MiB and 200 times its size, as data hardly do and bombs must.
absl::StatusOr<std::string> ReadFileBytes(const std::string& path);

// Makes `path` a file of these bytes. A regular file appears, or replaces the
// one before it, only when it is complete: on any error (they name the path)
// what stood there still stands. Links, devices and pipes are written through.
absl::Status WriteFileBytes(const std::string& path, absl::string_view bytes);

}  // namespace poe

#endif  // POE_IO_FILE_BYTES_H_
