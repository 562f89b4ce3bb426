#include "client/cpp/command/context.h"

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/command/help.h"
#include "client/cpp/credentials.h"

namespace poe::client {
namespace {

constexpr char kUsagePayload[] = "poe.usage";

// Accepts numbers that `good` accepts.
CLI::Validator NumberCheck(const std::string& expected, bool (*good)(double)) {
  return CLI::Validator(
      [expected, good](const std::string& text) -> std::string {
        double number = 0;
        if (absl::SimpleAtod(text, &number) && good(number)) return "";
        return absl::StrCat(text, " is not ", expected);
      },
      "");
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const absl::string_view token = absl::StripAsciiWhitespace(line);
  if (token.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--token-file ", path, " cannot be read, or its first line is empty"));
  }
  return std::string(token);
}

absl::StatusOr<ClientOptions> OptionsOf(const Context& context) {
  ClientOptions options;
  const TlsFiles& tls = context.tls;
  if (!tls.ca.empty() || !tls.certificate.empty() || !tls.key.empty()) {
    auto credentials = TlsCredentials(tls);
    if (!credentials.ok()) return credentials.status();
    options.credentials = *std::move(credentials);
  }
  options.token = context.token;
  if (!context.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(context.token_file);
    if (!token.ok()) return token.status();
    options.token = *std::move(token);
  }
  return options;
}

}  // namespace

CLI::Validator Positive() {
  return NumberCheck("a number above 0", [](double x) { return x > 0; });
}

CLI::Validator NotNegative() {
  return NumberCheck("a number from 0 on", [](double x) { return x >= 0; });
}

CLI::Validator Share() {
  return NumberCheck("a number from 0 to 1",
                     [](double x) { return x >= 0 && x <= 1; });
}

CallOptions Context::call_options() const {
  CallOptions options;
  if (timeout_seconds > 0) options.timeout = absl::Seconds(timeout_seconds);
  return options;
}

absl::StatusOr<Client*> Context::Connect() {
  if (client_ == nullptr) {
    const absl::StatusOr<ClientOptions> options = OptionsOf(*this);
    if (!options.ok())
      return UsageError(std::string(options.status().message()));
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Connect(server, *options);
    if (!client.ok()) return UsageError(std::string(client.status().message()));
    client_ = *std::move(client);
  }
  return client_.get();
}

void AddCommonOptions(CLI::App& command, Context& context) {
  command
      .add_option("--server", context.server,
                  "The server; the environment variable POE_SERVER changes "
                  "the default, localhost:8500.")
      ->type_name("HOST:PORT")
      ->group(kCommonOptions);
  command
      .add_option("--tls-ca", context.tls.ca,
                  "Speak TLS; a certificate in this PEM file must have signed "
                  "the server's.")
      ->type_name("FILE")
      ->group(kCommonOptions);
  command
      .add_option("--tls-certificate", context.tls.certificate,
                  "Speak TLS, and show the certificate in this PEM file to a "
                  "server that asks for one.")
      ->type_name("FILE")
      ->group(kCommonOptions);
  command
      .add_option("--tls-key", context.tls.key,
                  "PEM file of the key of --tls-certificate.")
      ->type_name("FILE")
      ->group(kCommonOptions);
  command
      .add_option("--token-file", context.token_file,
                  "Send the token in the first line of this file. Default: "
                  "that in the environment variable POE_TOKEN, if it is set. "
                  "Without TLS, a token goes to this machine only.")
      ->type_name("FILE")
      ->group(kCommonOptions);
  command
      .add_option("--timeout", context.timeout_seconds,
                  "Give up a call to the server after so long. Default: "
                  "never.")
      ->type_name("SECONDS")
      ->check(Positive())
      ->group(kCommonOptions);
  command
      .add_flag("--json", context.json,
                "Print one JSON document on standard output instead of text.")
      ->group(kCommonOptions);
}

CLI::App* AddCommand(CLI::App& parent, Context& context,
                     const std::string& name, ManPage page,
                     std::function<absl::Status()> run) {
  CLI::App* command = parent.add_subcommand(name, page.summary);
  SetManPage(*command, std::move(page));
  AddCommonOptions(*command, context);
  command->callback([command, &context, run = std::move(run)] {
    if (command->get_subcommands().empty()) context.run = run;
  });
  return command;
}

CLI::Option* AddChoice(CLI::App& command, const std::string& name,
                       std::string& value,
                       const std::vector<std::string>& choices,
                       const std::string& text) {
  return command.add_option(name, value, text)
      ->type_name(absl::StrJoin(choices, "|"))
      ->check(CLI::IsMember(choices).description(""));
}

absl::Status UsageError(const std::string& message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

}  // namespace poe::client
