#ifndef POE_CLIENT_CPP_COMMAND_TRAIN_OPTIONS_H_
#define POE_CLIENT_CPP_COMMAND_TRAIN_OPTIONS_H_

#include "CLI/CLI.hpp"
#include "client/cpp/command/train_start.h"

namespace poe::client {

// Adds the arguments and options of `poe train`. Both must live until the
// command line is read.
void AddTrainOptions(CLI::App& command, TrainOptions& options);

// Those that say how it learns, which AddTrainOptions adds too.
void AddLearningOptions(CLI::App& command, TrainOptions& options);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_TRAIN_OPTIONS_H_
