#ifndef POE_CLIENT_CPP_COMMAND_TRAIN_OPTIONS_H_
#define POE_CLIENT_CPP_COMMAND_TRAIN_OPTIONS_H_

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "client/cpp/command/train_start.h"

namespace poe::client {

// Adds the arguments and options of `poe train`. Both must live until the
// command line is read.
void AddTrainOptions(CLI::App& command, TrainOptions& options);

// Those that say how it learns, which AddTrainOptions adds too.
void AddLearningOptions(CLI::App& command, TrainOptions& options);

// Adds a flag that can be turned on or off, "--name,!--no-name"; where it is
// absent `value` stays as it is.
CLI::Option* AddSwitch(CLI::App& command, const std::string& names,
                       std::optional<bool>& value, const std::string& text);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_TRAIN_OPTIONS_H_
