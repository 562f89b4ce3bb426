#ifndef POE_CLIENT_CPP_COMMAND_SAMPLE_START_H_
#define POE_CLIENT_CPP_COMMAND_SAMPLE_START_H_

#include <string>

#include "absl/status/status.h"
#include "client/cpp/command/data_set.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// Lets a chain start at each observation of `data`. The columns in the list
// `keep` and inputs of a conditional model stay as they are; without a list,
// and with values missing, all values that are there stay. A usage error for a
// list that names no such columns.
absl::Status SetStart(const std::string& keep, const v1::DataSpec& spec,
                      DataSet data, v1::SampleRequest& request);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SAMPLE_START_H_
