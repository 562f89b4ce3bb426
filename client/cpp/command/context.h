#ifndef POE_CLIENT_CPP_COMMAND_CONTEXT_H_
#define POE_CLIENT_CPP_COMMAND_CONTEXT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "client/cpp/command/help.h"
#include "client/cpp/credentials.h"

namespace poe::client {

// What all subcommands share: the common options, and what the chosen one
// does once the command line is read.
struct Context {
  // HOST:PORT; POE_SERVER in the environment changes the default.
  std::string server = "localhost:8500";
  // TLS if any of them is given, else plain text.
  TlsFiles tls;
  // The first line of the file if there is one, else what POE_TOKEN in the
  // environment has set.
  std::string token_file;
  std::string token;
  // Standard output is to be one JSON document.
  bool json = false;
  // For each call; 0: none.
  double timeout_seconds = 0;
  // Set by the chosen subcommand.
  std::function<absl::Status()> run;

  CallOptions call_options() const;

  // The connection to `server`, made at the first call. Owned by the context. A
  // usage error if the options for it are wrong.
  absl::StatusOr<Client*> Connect();

 private:
  std::unique_ptr<Client> client_;
};

// Adds --server, those for TLS and the token, --timeout and --json.
void AddCommonOptions(CLI::App& command, Context& context);

// Adds a subcommand `name` below `parent`, with its manual page and the common
// options. `run` is what it does; it is not called if a subcommand of it is
// chosen. Both references must live until it has run.
CLI::App* AddCommand(CLI::App& parent, Context& context,
                     const std::string& name, ManPage page,
                     std::function<absl::Status()> run);

// What a number must be: above 0, 0 or above, from 0 to 1.
CLI::Validator Positive();
CLI::Validator NotNegative();
CLI::Validator Share();

// Adds an option whose value is one of these.
CLI::Option* AddChoice(CLI::App& command, const std::string& name,
                       std::string& value,
                       const std::vector<std::string>& choices,
                       const std::string& text);

// An error in how the command was called, which ends it with exit code 2
// instead of 1.
absl::Status UsageError(const std::string& message);
bool IsUsageError(const absl::Status& status);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_CONTEXT_H_
