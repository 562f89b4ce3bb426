#ifndef POE_CLIENT_CPP_COMMAND_COMMANDS_H_
#define POE_CLIENT_CPP_COMMAND_COMMANDS_H_

#include "CLI/CLI.hpp"
#include "client/cpp/command/context.h"

namespace poe::client {

// Each adds one subcommand, with its options, to `app`. Both arguments must
// live until the subcommand has run.
void AddTrainCommand(CLI::App& app, Context& context);
void AddScoreCommand(CLI::App& app, Context& context);
void AddReconstructCommand(CLI::App& app, Context& context);
void AddSampleCommand(CLI::App& app, Context& context);
void AddSpuriousCommand(CLI::App& app, Context& context);
void AddShowCommand(CLI::App& app, Context& context);
void AddModelsCommand(CLI::App& app, Context& context);
void AddJobsCommand(CLI::App& app, Context& context);
void AddHealthCommand(CLI::App& app, Context& context);
void AddReproduceCommand(CLI::App& app, Context& context);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_COMMANDS_H_
