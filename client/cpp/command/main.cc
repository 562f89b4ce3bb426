// poe: products of experts, from the command line.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/help.h"

namespace poe::client {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

ManPage Page() {
  return {
      .summary = "train products of experts and question them",
      .synopsis = {"COMMAND [ARGUMENT]...", "COMMAND --help", "--version"},
      .description =
          "Talks to a poe server, which keeps models and answers questions "
          "about data with them: how plausible is a row, which class does it "
          "belong to, what should it look like, show me more, learn from "
          "this.\n\n"
          "The server is the one of --server, else of the environment "
          "variable POE_SERVER, else localhost:8500. To servers that ask for a "
          "token goes the one of --token-file, else of POE_TOKEN. Results go "
          "to standard output, progress and errors to standard error. The exit "
          "status is 0 on success, 1 on failure, 2 if the command was called "
          "wrongly.",
      .examples = {
          "poe train fashion --data train-images-idx3-ubyte.gz \\",
          "    --labels train-labels-idx1-ubyte.gz",
          "poe score fashion --data t10k-images-idx3-ubyte.gz \\",
          "    --labels t10k-labels-idx1-ubyte.gz",
          "poe sample fashion --class 7 --chains 64 --png sneakers.png",
          "POE_SERVER=models.example.org:8500 poe models"}};
}

int Report(const absl::Status& status, const std::string& where,
           const Context& context) {
  if (status.ok()) return 0;
  std::string text = absl::StrReplaceAll(status.message(), {{"\n", " "}});
  if (text.empty()) text = absl::StatusCodeToString(status.code());
  std::cerr << "poe: ";
  if (status.code() == absl::StatusCode::kUnavailable &&
      !absl::StrContains(text, context.server)) {
    std::cerr << context.server << ": ";
  }
  std::cerr << text << "\n";
  if (!IsUsageError(status)) return kFailure;
  std::cerr << "See " << where << " --help\n";
  return kUsage;
}

// "poe models show"
std::string CommandName(const CLI::App& app) {
  std::string name = app.get_name();
  for (const CLI::App* command : app.get_subcommands()) {
    name += " " + CommandName(*command);
  }
  return name;
}

int Run(int argc, char** argv) {
  Context context;
  if (const char* server = std::getenv("POE_SERVER")) context.server = server;
  if (const char* token = std::getenv("POE_TOKEN")) context.token = token;
  CLI::App app("", "poe");
  SetManPage(app, Page());
  app.set_version_flag("--version", "poe " POE_VERSION, "Print the version.")
      ->group(kCommonOptions);
  AddCommonOptions(app, context);
  AddTrainCommand(app, context);
  AddScoreCommand(app, context);
  AddReconstructCommand(app, context);
  AddSampleCommand(app, context);
  AddSpuriousCommand(app, context);
  AddShowCommand(app, context);
  AddModelsCommand(app, context);
  AddJobsCommand(app, context);
  AddHealthCommand(app, context);
  AddReproduceCommand(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << "\n";
    return 0;
  } catch (const CLI::ParseError& error) {
    return Report(UsageError(error.what()), CommandName(app), context);
  }
  if (!context.run) {
    return Report(UsageError("a command is missing"), CommandName(app),
                  context);
  }
  return Report(context.run(), CommandName(app), context);
}

}  // namespace
}  // namespace poe::client

int main(int argc, char** argv) {
  try {
    return poe::client::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "poe: %s\n", error.what());
    return poe::client::kFailure;
  }
}
