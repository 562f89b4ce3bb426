#ifndef POE_CLIENT_CPP_COMMAND_SAMPLE_OPTIONS_H_
#define POE_CLIENT_CPP_COMMAND_SAMPLE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"

namespace poe::client {

// The options of `poe sample`.
struct SampleOptions {
  std::string model;
  std::string class_name;
  int chains = 64;
  std::string start;
  std::string rows;
  std::string keep;
  int64_t length = 0;
  int steps = 500;
  int annealing_steps = 0;
  int thinning = 0;
  bool mean = false;
  std::optional<int> layer;
  std::optional<uint64_t> seed;
  std::string png;
  std::string out;
};

// Adds its arguments and options. Both must live until the command line is
// read.
void AddSampleOptions(CLI::App& command, SampleOptions& options);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SAMPLE_OPTIONS_H_
