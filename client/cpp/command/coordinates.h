#ifndef POE_CLIENT_CPP_COMMAND_COORDINATES_H_
#define POE_CLIENT_CPP_COMMAND_COORDINATES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// Reads a list of columns counted from 0, such as "0-3,7". A usage error,
// naming `option`, for anything else and for columns from `dimension` on.
absl::StatusOr<std::vector<int32_t>> ParseCoordinates(const std::string& option,
                                                      const std::string& text,
                                                      int64_t dimension);

// Where the weights of each coordinate begin among those of an expert, and last
// their number: one of a number, one for each symbol of a symbol.
std::vector<int64_t> FirstWeights(const v1::DataSpec& spec);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_COORDINATES_H_
