// poe-server: trains products of experts and answers questions with them.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/json_formatter.h"
#include "server/server.h"
#include "server/settings.h"
#include "server/steady_time.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, config, "",
          "File of settings, in the text format of poe.v1.ServerConfig. Each "
          "flag is also a variable, POE_SERVER_ and its name in capitals. What "
          "the command line says comes before variables, and those before the "
          "file.");
ABSL_FLAG(bool, print_config, false,
          "Print all settings, as such a file, with where each comes from, and "
          "exit. Settings that cannot be are refused as without it.");
ABSL_FLAG(std::string, repository, "",
          "Folder that holds the models. Made if absent. Required.");
ABSL_FLAG(std::string, version_policy,
          poe::server::ServerOptions().version_policy,
          "Which stored versions of each model answer: latest:N, all, or "
          "specific:V,V,... and for models of their own NAME=POLICY, parted by "
          "semicolons. Versions that a label names answer too, and those "
          "loaded by LoadModel.");
ABSL_FLAG(int, keep_versions, poe::server::ServerOptions().keep_versions,
          "Versions of a model that stay stored when a new one is; the oldest "
          "go, but none that answers or has a label. 0: all stay.");
ABSL_FLAG(double, poll_seconds,
          absl::ToDoubleSeconds(poe::server::ServerOptions().poll_interval),
          "How often the folder is looked at for versions that came or went. "
          "0: never.");
ABSL_FLAG(bool, read_only, poe::server::ServerOptions().read_only,
          "Never write into the folder, which may then be shared with other "
          "servers: no training, no deleting, no labels.");
ABSL_FLAG(std::string, listen, poe::server::ServerOptions().listen,
          "Address to answer on, as HOST:PORT. 0.0.0.0 or [::] as HOST answers "
          "on all addresses; 0 as PORT takes a free port. Without TLS, HOST "
          "must be this machine alone.");
ABSL_FLAG(std::string, http, poe::server::ServerOptions().http,
          "Address to answer JSON over HTTP on as well, as HOST:PORT. TLS, "
          "tokens and limits are those of --listen. See docs/http.md.");
ABSL_FLAG(
    int, http_connections_per_client,
    poe::server::ServerOptions().http_connections_per_client,
    "Most HTTP connections of one address at a time, of 64 in all. Behind "
    "a proxy all have the same address.");
ABSL_FLAG(std::string, tls_certificate, "",
          "PEM file of the certificate to show, those between it and the root "
          "after it: answers by TLS. Looked at again when it changes.");
ABSL_FLAG(std::string, tls_key, "",
          "PEM file of the certificate's key, without a password.");
ABSL_FLAG(std::string, tls_client_ca, "",
          "PEM file of certificates that sign those of clients: clients must "
          "show one.");
ABSL_FLAG(std::string, tokens, "",
          "File of tokens and their roles: calls but health need one. Looked "
          "at again when it changes. See docs/security.md.");
ABSL_FLAG(bool, allow_insecure_listen,
          poe::server::ServerOptions().allow_insecure_listen,
          "Answer in plain text on addresses that other machines reach.");
ABSL_FLAG(int, connections_per_client,
          poe::server::ServerOptions().connections_per_client,
          "Most connections of gRPC of one address at a time. Behind a proxy "
          "all have the same address.");
ABSL_FLAG(int, max_connections, poe::server::ServerOptions().max_connections,
          "Most connections of gRPC at a time, in all; never more than three "
          "quarters of the files that may be open.");
ABSL_FLAG(int, max_concurrent_streams,
          poe::server::ServerOptions().max_concurrent_streams,
          "Most calls at a time on one connection.");
ABSL_FLAG(int, max_connection_age_seconds,
          poe::server::ServerOptions().max_connection_age_seconds,
          "Close connections after so long, when the calls on them are "
          "finished. 0: never.");
ABSL_FLAG(int, threads, poe::server::ServerOptions().threads,
          "Threads that answer requests. 0: one for each processor.");
ABSL_FLAG(int, training_threads, poe::server::ServerOptions().training_threads,
          "Threads that train. 0: one for each processor.");
ABSL_FLAG(
    double, checkpoint_seconds,
    absl::ToDoubleSeconds(poe::server::ServerOptions().checkpoint_interval),
    "How often a training keeps what it needs to go on after a crash.");
ABSL_FLAG(std::string, data_directory, "",
          "Folder of files that trainings may name as their data, by names "
          "relative to it. Empty: none may. See docs/operating.md.");
ABSL_FLAG(std::int64_t, max_training_rows,
          poe::server::ServerOptions().spool.rows,
          "Most rows of one training; of sequences, the rows of all together.");
ABSL_FLAG(std::int64_t, max_training_bytes,
          poe::server::ServerOptions().spool.bytes,
          "Most bytes that the rows of one training may take on the disk.");
ABSL_FLAG(std::int64_t, max_experts, poe::server::ServerOptions().max_experts,
          "Most experts that a training may ask for in one class, all layers "
          "together.");
ABSL_FLAG(double, max_training_seconds, 0,
          "How long a training may run before it fails, counted anew after a "
          "restart. 0: as long as it takes.");
ABSL_FLAG(std::int64_t, max_rows, poe::server::RequestLimits().rows,
          "Most rows in one message; of sequences, the rows of all together.");
ABSL_FLAG(std::int64_t, max_steps, poe::server::RequestLimits().steps,
          "Most Gibbs steps in one request.");
ABSL_FLAG(
    std::int64_t, max_work, poe::server::RequestLimits().work,
    "Most multiplications that one request may ask for, about: rows times "
    "chains times Gibbs steps times parameters. A processor core makes "
    "some 10^10 in a second.");
ABSL_FLAG(std::int64_t, max_message_bytes,
          poe::server::ServerOptions().max_message_bytes,
          "Most bytes in one message, or in the body of an HTTP request.");
ABSL_FLAG(std::int64_t, batch_rows, poe::server::ServerOptions().batch_rows,
          "Most rows of calls that are answered together. 1: each call by "
          "itself.");
ABSL_FLAG(double, batch_delay_ms,
          absl::ToDoubleMilliseconds(poe::server::ServerOptions().batch_delay),
          "How long a call may wait for others to be answered with. 0: calls "
          "that come while all threads are busy are answered together.");
ABSL_FLAG(int, queue_calls, poe::server::ServerOptions().queue_calls,
          "Most calls that wait for one version of a model; others are refused "
          "and told when to try again.");
ABSL_FLAG(std::int64_t, max_bytes_in_flight,
          poe::server::ServerOptions().max_bytes_in_flight,
          "Most bytes of all requests that wait or are being answered, and of "
          "all HTTP bodies that come or are being answered; others are refused "
          "and told when to try again.");
ABSL_FLAG(double, lame_duck_seconds, 0,
          "How long calls are still taken after the first SIGTERM or SIGINT, "
          "when health is NOT_SERVING already, so that clients and balancers "
          "turn away before they are refused.");
ABSL_FLAG(double, drain_seconds, 30,
          "How long calls may go on after that. A second signal ends the lame "
          "duck's time at once, and the next cancels calls.");
ABSL_FLAG(
    std::string, log_level, "info",
    "What is logged to standard error: debug (every request), info, "
    "warning, error or off. SIGUSR1 makes it debug, SIGUSR2 what it was.");
ABSL_FLAG(std::string, log_format, "text",
          "text, or json: an object in each line.");
ABSL_FLAG(int, log_sample, poe::server::RequestLogOptions().sample,
          "Log one in so many requests that succeed, and all that fail, at "
          "level info. 0: only those that fail by the server's fault.");

namespace {

constexpr absl::string_view kSynopsis =
    R"(poe-server: trains products of experts and answers questions with them.

Usage: poe-server --repository DIR [--listen HOST:PORT] [--http HOST:PORT]
                  [option]...

Answers gRPC: scores, labels, reconstructions and samples (poe.v1), training
and its jobs, the models in DIR, health (grpc.health.v1) and reflection. Prints
"listening on HOST:PORT" to standard output once it does, and then, with
--http, "http on HOST:PORT" for the same as JSON. SIGTERM or SIGINT ends it
well: health says NOT_SERVING, no new calls, running ones are finished, exit
status 0.

Options:
)";

constexpr int kUsageError = 2;

// The flags of this file, for people.
void PrintHelp() {
  std::map<absl::string_view, const absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), "server/main.cc")) {
      flags.emplace(name, flag);
    }
  }
  std::cout << kSynopsis;
  for (const auto& [name, flag] : flags) {
    std::cout << "  --" << name;
    if (!flag->DefaultValue().empty()) {
      std::cout << " (default " << flag->DefaultValue() << ")";
    }
    std::string line = "\n     ";
    for (absl::string_view word : absl::StrSplit(flag->Help(), ' ')) {
      if (line.size() + 1 + word.size() > 79) {
        std::cout << line;
        line = "\n     ";
      }
      absl::StrAppend(&line, " ", word);
    }
    std::cout << line << "\n";
  }
}

int Fail(absl::string_view message, int exit_code) {
  std::cerr << "poe-server: " << message << "\n";
  return exit_code;
}

std::optional<spdlog::level::level_enum> ConfiguredLevel() {
  const std::string name = absl::GetFlag(FLAGS_log_level);
  const auto level = spdlog::level::from_str(name);
  if (level == spdlog::level::off && name != "off") return std::nullopt;
  return level;
}

// What wakes the main thread, one byte each: the number of a signal, or
// kDrained. A pipe with handlers, because libraries start threads before main
// that signals cannot be blocked in.
constexpr char kDrained = 0;
int wakeups[2];
// Whether a signal that ends the server has come.
std::atomic<bool> is_ended = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void Wake(int signal) {
  if (signal == SIGTERM || signal == SIGINT) is_ended = true;
  const char byte = static_cast<char>(signal);
  [[maybe_unused]] const ssize_t written = write(wakeups[1], &byte, 1);
}

// The next wakeup, if one comes before the deadline. Those that change the
// level of the log do that and no more.
std::optional<int> AwaitWakeup(poe::server::SteadyTime deadline) {
  while (true) {
    const absl::Duration left =
        std::max(absl::ZeroDuration(), poe::server::TimeUntil(deadline));
    const auto timeout = std::min<std::int64_t>(
        absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))),
        std::numeric_limits<int>::max());
    pollfd pipe = {.fd = wakeups[0], .events = POLLIN, .revents = 0};
    const int ready = poll(&pipe, 1, static_cast<int>(timeout));
    if (ready == 0 && poe::server::SteadyNow() >= deadline) return std::nullopt;
    char byte = 0;
    if (ready <= 0 || read(wakeups[0], &byte, 1) != 1) continue;
    if (byte == SIGUSR1) {
      spdlog::set_level(spdlog::level::debug);
      spdlog::info("SIGUSR1: log level debug");
    } else if (byte == SIGUSR2) {
      spdlog::info("SIGUSR2: log level {}", absl::GetFlag(FLAGS_log_level));
      spdlog::set_level(*ConfiguredLevel());
    } else {
      return byte;
    }
  }
}

bool CatchSignals() {
  if (pipe2(wakeups, O_CLOEXEC) != 0) return false;
  struct sigaction action = {};
  action.sa_handler = Wake;
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) {
    sigaction(signal, &action, nullptr);
  }
  signal(SIGPIPE, SIG_IGN);
  return true;
}

// Waits for a signal, drains, and returns when that is done. A second signal
// ends the lame duck's time, or the program at once.
void ServeUntilSignal(poe::server::Server& server) {
  const auto signal = AwaitWakeup(poe::server::SteadyTime::max());
  const char* const name = signal == SIGTERM ? "SIGTERM" : "SIGINT";
  server.ReportNotServing();
  const double lame_duck = absl::GetFlag(FLAGS_lame_duck_seconds);
  if (lame_duck > 0) {
    spdlog::info("{}: not serving, and taking calls for {} s", name, lame_duck);
    AwaitWakeup(poe::server::SteadyTimeAfter(absl::Seconds(lame_duck)));
  }
  const double grace = absl::GetFlag(FLAGS_drain_seconds);
  spdlog::info("{}: finishing calls for at most {} s", name, grace);
  std::thread drainer([&server, grace] {
    server.Drain(absl::Seconds(grace));
    Wake(kDrained);
  });
  if (AwaitWakeup(poe::server::SteadyTime::max()) != kDrained) {
    // What is published is whole at any moment, so there is nothing to save.
    spdlog::info("another signal: leaving calls unfinished");
    spdlog::shutdown();
    std::_Exit(EXIT_SUCCESS);
  }
  drainer.join();
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--help" || argument == "-help" || argument == "-h") {
      PrintHelp();
      return 0;
    }
  }
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    return Fail(absl::StrCat("unexpected argument \"", rest[1],
                             "\"; see poe-server --help"),
                kUsageError);
  }
  const std::vector<absl::string_view> arguments(argv + 1, argv + argc);
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  const auto settings = poe::server::ApplySettings(arguments, environment);
  if (!settings.ok()) return Fail(settings.status().message(), kUsageError);
  const absl::Status together = poe::server::CheckTogether(*settings);
  if (!together.ok()) return Fail(together.message(), kUsageError);
  const auto level = ConfiguredLevel();
  if (!level.has_value()) {
    return Fail(absl::StrCat("--log_level ", absl::GetFlag(FLAGS_log_level),
                             ": must be debug, info, warning, error or off"),
                kUsageError);
  }
  const std::string log_format = absl::GetFlag(FLAGS_log_format);
  if (log_format != "text" && log_format != "json") {
    return Fail(
        absl::StrCat("--log_format ", log_format, ": must be text or json"),
        kUsageError);
  }
  for (const auto& [name, seconds] :
       {std::pair("poll_seconds", absl::GetFlag(FLAGS_poll_seconds)),
        std::pair("max_training_seconds",
                  absl::GetFlag(FLAGS_max_training_seconds)),
        std::pair("lame_duck_seconds", absl::GetFlag(FLAGS_lame_duck_seconds)),
        std::pair("drain_seconds", absl::GetFlag(FLAGS_drain_seconds))}) {
    if (seconds >= 0) continue;
    return Fail(absl::StrCat("--", name, " must not be negative"), kUsageError);
  }
  if (!(absl::GetFlag(FLAGS_checkpoint_seconds) > 0)) {
    return Fail("--checkpoint_seconds must be positive", kUsageError);
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("poe-server"));
  if (log_format == "json") {
    spdlog::default_logger()->set_formatter(
        std::make_unique<poe::server::JsonFormatter>());
  }
  spdlog::set_level(*level);

  // Debian's Abseil checks the order of locks at each of them.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (!CatchSignals()) return Fail("cannot make a pipe", EXIT_FAILURE);
  poe::server::ServerOptions options;
  options.repository = absl::GetFlag(FLAGS_repository);
  options.version_policy = absl::GetFlag(FLAGS_version_policy);
  options.keep_versions = absl::GetFlag(FLAGS_keep_versions);
  options.poll_interval = absl::Seconds(absl::GetFlag(FLAGS_poll_seconds));
  options.read_only = absl::GetFlag(FLAGS_read_only);
  options.listen = absl::GetFlag(FLAGS_listen);
  options.http = absl::GetFlag(FLAGS_http);
  options.http_connections_per_client =
      absl::GetFlag(FLAGS_http_connections_per_client);
  options.threads = absl::GetFlag(FLAGS_threads);
  options.training_threads = absl::GetFlag(FLAGS_training_threads);
  options.checkpoint_interval =
      absl::Seconds(absl::GetFlag(FLAGS_checkpoint_seconds));
  options.max_training_time =
      absl::Seconds(absl::GetFlag(FLAGS_max_training_seconds));
  options.spool = {.rows = absl::GetFlag(FLAGS_max_training_rows),
                   .bytes = absl::GetFlag(FLAGS_max_training_bytes)};
  options.max_experts = absl::GetFlag(FLAGS_max_experts);
  options.data_directory = absl::GetFlag(FLAGS_data_directory);
  options.limits.rows = absl::GetFlag(FLAGS_max_rows);
  options.limits.steps = absl::GetFlag(FLAGS_max_steps);
  options.limits.work = absl::GetFlag(FLAGS_max_work);
  options.max_message_bytes = absl::GetFlag(FLAGS_max_message_bytes);
  options.batch_rows = absl::GetFlag(FLAGS_batch_rows);
  options.batch_delay = absl::Milliseconds(absl::GetFlag(FLAGS_batch_delay_ms));
  options.queue_calls = absl::GetFlag(FLAGS_queue_calls);
  options.max_bytes_in_flight = absl::GetFlag(FLAGS_max_bytes_in_flight);
  options.tls = {.certificate = absl::GetFlag(FLAGS_tls_certificate),
                 .key = absl::GetFlag(FLAGS_tls_key),
                 .client_ca = absl::GetFlag(FLAGS_tls_client_ca)};
  options.tokens = absl::GetFlag(FLAGS_tokens);
  options.allow_insecure_listen = absl::GetFlag(FLAGS_allow_insecure_listen);
  options.connections_per_client = absl::GetFlag(FLAGS_connections_per_client);
  options.max_connections = absl::GetFlag(FLAGS_max_connections);
  options.max_concurrent_streams = absl::GetFlag(FLAGS_max_concurrent_streams);
  options.max_connection_age_seconds =
      absl::GetFlag(FLAGS_max_connection_age_seconds);
  options.request_log = {.json = log_format == "json",
                         .sample = absl::GetFlag(FLAGS_log_sample)};
  options.is_stopped = [] { return is_ended.load(); };
  const absl::Status possible = poe::server::CheckOptions(options);
  if (!possible.ok()) return Fail(possible.message(), kUsageError);
  if (absl::GetFlag(FLAGS_print_config)) {
    std::cout << poe::server::FormatSettings(*settings);
    return EXIT_SUCCESS;
  }
  if (options.repository.empty()) {
    return Fail("--repository DIR is required; see poe-server --help",
                kUsageError);
  }
  auto server = poe::server::Server::Start(options);
  if (absl::IsCancelled(server.status())) {
    spdlog::info("told to end before all models were loaded");
    return EXIT_SUCCESS;
  }
  if (!server.ok()) {
    return Fail(
        server.status().message(),
        absl::IsInvalidArgument(server.status()) ? kUsageError : EXIT_FAILURE);
  }

  const auto host = [](const std::string& address) {
    return address.substr(0, address.rfind(':'));
  };
  std::cout << "listening on " << host(options.listen) << ":"
            << (*server)->port() << std::endl;
  if (!options.http.empty()) {
    std::cout << "http on " << host(options.http) << ":"
              << (*server)->http_port() << std::endl;
  }
  ServeUntilSignal(**server);
  spdlog::info("all calls have ended");
  return EXIT_SUCCESS;
}
