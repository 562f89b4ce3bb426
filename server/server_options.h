// What a server is told when it starts.
#ifndef POE_SERVER_SERVER_OPTIONS_H_
#define POE_SERVER_SERVER_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/codec/request_codec.h"
#include "server/codec/training_codec.h"
#include "server/credentials.h"
#include "server/request_log.h"
#include "server/spool.h"

namespace poe::server {

struct ServerOptions {
  // Folder of the models; made if absent.
  std::string repository;
  // Which versions of the models answer: see ParseVersionPolicies.
  std::string version_policy = "latest:1";
  // Versions of a model that stay stored when a new one is; 0: all.
  int keep_versions = 0;
  // Between looks at what has changed in the folder. Zero: none.
  absl::Duration poll_interval = absl::Seconds(5);
  // The folder is only read, and may be shared with other servers.
  bool read_only = false;
  // HOST:PORT; port 0 takes a free one.
  std::string listen = "localhost:8500";
  // The same for JSON over HTTP. Empty: none. Plain text, TLS and tokens are
  // those of `listen`.
  std::string http = "";
  // HTTP connections of one client at a time, >= 1, of 64 in all. See
  // HttpListener.
  int http_connections_per_client = 32;
  // Threads that answer and threads that train. 0: as many as the processor
  // runs at once.
  int threads = 0;
  int training_threads = 0;
  // How often a training keeps what it needs to go on after a crash.
  absl::Duration checkpoint_interval = absl::Minutes(1);
  // The longest that a training may run, counted anew after a restart. Zero:
  // for ever.
  absl::Duration max_training_time = absl::ZeroDuration();
  // Of one training job, each at least 1.
  SpoolLimits spool;
  std::int64_t max_experts = TrainingLimits().experts;
  // Folder of the files that trainings may name as their data. Empty: none may.
  std::string data_directory;
  RequestLimits limits;
  // Calls for one model version that are answered together have at most so many
  // rows, >= 1; they wait at most so long for each other, >= 0; and at most so
  // many wait, >= 1: see Batcher::Options.
  std::int64_t batch_rows = 1024;
  absl::Duration batch_delay = absl::ZeroDuration();
  int queue_calls = 256;
  // Of questions that wait or are being answered, all together, and as many of
  // HTTP bodies that are being read or answered; at least max_message_bytes.
  std::int64_t max_bytes_in_flight = 256 << 20;
  // Of one message, or of the body of an HTTP request; at least 64 KiB.
  std::int64_t max_message_bytes = 64 << 20;
  // Files of TLS; plain text if none is given.
  TlsFiles tls;
  // File of tokens, as access.h describes it. Empty: calls need none.
  std::string tokens;
  // Plain text on addresses that other machines reach. Without it they are
  // refused.
  bool allow_insecure_listen = false;
  // Connections of gRPC at a time, of one client and in all, >= 1. See
  // GrpcListener.
  int connections_per_client = 2000;
  int max_connections = 10'000;
  // Calls at a time on one connection, >= 1.
  int max_concurrent_streams = 1000;
  // How long clients may keep a connection, give or take a tenth; calls on it
  // are finished. 0: for ever.
  int max_connection_age_seconds = 0;
  // sample >= 0.
  RequestLogOptions request_log;
  // Asked again and again while Start loads models, if there is one: once true,
  // Start ends with Cancelled.
  std::function<bool()> is_stopped;
};

// InvalidArgument naming the option that cannot be, whatever files and
// addresses there are.
absl::Status CheckOptions(const ServerOptions& options);

}  // namespace poe::server

#endif  // POE_SERVER_SERVER_OPTIONS_H_
