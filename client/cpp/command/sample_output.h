#ifndef POE_CLIENT_CPP_COMMAND_SAMPLE_OUTPUT_H_
#define POE_CLIENT_CPP_COMMAND_SAMPLE_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/command/json.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// What chains were after some of the steps.
struct Samples {
  v1::ModelVersion model;
  uint64_t seed = 0;
  int64_t chains = 0;
  // Rows of each chain's sequence; empty for single rows.
  std::vector<int64_t> lengths;
  std::vector<int32_t> steps;
  // One for each entry of `steps`: all rows of all chains.
  std::vector<float> values;

  // Of all chains together.
  int64_t rows() const;
};

std::string SampleTable(const Samples& samples, const v1::DataSpec& spec);

Json SampleJson(const Samples& samples, const v1::DataSpec& spec);

// An array or table; see WriteRows. `all_steps` puts a dimension for steps
// before those of the chains.
absl::Status WriteSamples(const std::string& path, const Samples& samples,
                          const v1::DataSpec& spec, bool all_steps);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SAMPLE_OUTPUT_H_
