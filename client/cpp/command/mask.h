#ifndef POE_CLIENT_CPP_COMMAND_MASK_H_
#define POE_CLIENT_CPP_COMMAND_MASK_H_

#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "client/cpp/command/data_set.h"

namespace poe::client {

// --mask, as AddMask reads it. `mask` must live until the command line is read.
void AddMaskOption(CLI::App& command, std::string& mask);

// Marks values of `data` as missing, beside those that are: "lower" or "upper",
// half of each image of height x width; else a file with a number for each
// value of all rows, or of one row and then the same for all, 0 where the
// value is missing. A usage error for half of what is no image (a height of
// 0); INVALID_ARGUMENT if the file has another size.
absl::Status AddMask(const std::string& mask, int height, int width,
                     DataSet& data);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_MASK_H_
