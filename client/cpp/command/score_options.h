#ifndef POE_CLIENT_CPP_COMMAND_SCORE_OPTIONS_H_
#define POE_CLIENT_CPP_COMMAND_SCORE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/help.h"

namespace poe::client {

// The options of `poe score`.
struct ScoreOptions {
  std::string model;
  DataOptions data;
  std::optional<int64_t> limit;
  bool per_expert = false;
  std::optional<int> explain;
  std::string class_name;
  std::string png;
  std::string mask;
  // Of the estimates where values are missing; 0: the server's defaults.
  int missing_chains = 0;
  int missing_temperatures = 0;
  std::optional<uint64_t> seed;
  std::string out;
};

// The manual page.
ManPage ScorePage();

// Adds its arguments and options. Both must live until the command line is
// read.
void AddScoreOptions(CLI::App& command, ScoreOptions& options);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SCORE_OPTIONS_H_
