// poe health
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/json.h"

namespace poe::client {
namespace {

ManPage HealthPage() {
  return {.summary = "ask whether the server is serving",
          .synopsis = {"[--service NAME] [OPTION]..."},
          .description =
              "Exits with 0 if the server answers and says that it is "
              "serving, else with 1: for scripts and for the health checks of "
              "containers.",
          .examples = {"poe health --timeout 2",
                       "until poe health 2>/dev/null; do sleep 1; done"}};
}

absl::Status Health(const std::string& service, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::Status status =
      (*client)->CheckHealth(service, context.call_options());
  if (!status.ok()) return status;
  if (context.json) {
    PrintJson(Json{{"server", context.server}, {"status", "SERVING"}});
  } else {
    std::cout << context.server << " is serving\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddHealthCommand(CLI::App& app, Context& context) {
  const auto service = std::make_shared<std::string>();
  CLI::App* command =
      AddCommand(app, context, "health", HealthPage(),
                 [service, &context] { return Health(*service, context); });
  command
      ->add_option("--service", *service,
                   "Ask about one service by its full name, "
                   "poe.v1.ProductOfExperts for example. Default: the server "
                   "as a whole.")
      ->type_name("NAME")
      ->group("What is asked");
}

}  // namespace poe::client
