#include "client/cpp/command/coordinates.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/cpp/command/context.h"

namespace poe::client {

absl::StatusOr<std::vector<int32_t>> ParseCoordinates(const std::string& option,
                                                      const std::string& text,
                                                      int64_t dimension) {
  std::vector<int32_t> coordinates;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, '-');
    int32_t first = 0;
    int32_t last = 0;
    if (ends.size() > 2 || !absl::SimpleAtoi(ends.front(), &first) ||
        !absl::SimpleAtoi(ends.back(), &last) || first > last) {
      return UsageError(absl::StrCat(option, " ", text,
                                     " is not a list of columns counted from "
                                     "0, such as 0-3,7"));
    }
    if (last >= dimension) {
      return UsageError(absl::StrCat(option, " ", text, " names column ", last,
                                     "; the data have the columns 0 to ",
                                     dimension - 1));
    }
    for (int32_t i = first; i <= last; ++i) coordinates.push_back(i);
  }
  return coordinates;
}

std::vector<int64_t> FirstWeights(const v1::DataSpec& spec) {
  std::vector<int64_t> sizes(spec.dimension(), std::max(spec.num_symbols(), 1));
  if (spec.real_inputs()) {
    for (const int32_t input : spec.input_coordinates()) sizes[input] = 1;
  }
  std::vector<int64_t> firsts = {0};
  for (const int64_t size : sizes) firsts.push_back(firsts.back() + size);
  return firsts;
}

}  // namespace poe::client
