#ifndef POE_IO_NPY_HEADER_H_
#define POE_IO_NPY_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace poe {

// What the header of an NPY file says.
struct NpyHeader {
  // The type of the elements in numpy's notation, such as "<f4".
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// Reads the header's text, a Python dictionary such as
//   {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }
// with exactly these keys in any order. INVALID_ARGUMENT, with the position
// in the text, for anything else.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text);

}  // namespace poe

#endif  // POE_IO_NPY_HEADER_H_
