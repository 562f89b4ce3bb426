#include "server/server.h"

#include <grpc/support/cpu.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "poe/numerics/workers.h"
#include "server/access.h"
#include "server/batcher.h"
#include "server/byte_budget.h"
#include "server/credentials.h"
#include "server/errors.h"
#include "server/executor.h"
#include "server/grpc_listener.h"
#include "server/http_gateway.h"
#include "server/inference_statistics.h"
#include "server/listen_address.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/refusals.h"
#include "server/repository_poller.h"
#include "server/request_log.h"
#include "server/request_observer.h"
#include "server/row_answers.h"
#include "server/services/model_registry_service.h"
#include "server/services/open_inference_service.h"
#include "server/services/product_of_experts_service.h"
#include "server/services/training_jobs_service.h"
#include "server/steady_time.h"
#include "server/thread_priority.h"
#include "server/training_jobs.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

// Requests that may wait for a thread.
constexpr std::size_t kQueueCapacity = 256;
constexpr int kFileThreads = 1;
// Several: one waits for the disk as long as all rows of a job take to stay.
constexpr int kUploadThreads = 4;
// Before the name of a model, the service that health is asked of.
constexpr absl::string_view kModelHealth = "poe.v1.model/";
// Of the headers of one call.
constexpr int kMostHeaderBytes = 16 << 10;
// Clients may ping as often as this, to keep connections open through proxies.
constexpr absl::Duration kLeastPingInterval = absl::Seconds(10);
// How often the server asks whether a silent client is still there.
constexpr absl::Duration kKeepalive = absl::Minutes(1);
// Connections without a call are closed after so long, and those on which TLS
// or HTTP/2 does not begin.
constexpr absl::Duration kMostIdleConnection = absl::Minutes(10);
constexpr absl::Duration kMostHandshake = absl::Seconds(10);

int ThreadsOrAll(int threads) {
  if (threads > 0) return threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Threads that gRPC calls services back in, and reads what comes. It does not
// say how many it makes.
int CallbackThreads() {
  return std::clamp(static_cast<int>(gpr_cpu_num_cores()) / 2, 2, 16);
}

// Plain text is for this machine, unless somebody has said otherwise. `option`
// is the one that gave the address.
absl::Status CheckPlainText(absl::string_view option,
                            const ListenAddress& address,
                            const ServerOptions& options) {
  const absl::StatusOr<bool> loopback = IsLoopback(address);
  if (!loopback.ok()) return loopback.status();
  if (*loopback) return absl::OkStatus();
  if (options.allow_insecure_listen) {
    spdlog::warn("{}: plain text that other machines reach{}",
                 ToString(address),
                 options.tokens.empty() ? ", and calls need no token" : "");
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "refused to listen on ", ToString(address),
      " in plain text: other machines reach it, and calls, with data and "
      "tokens, can be read and changed on the way. Use TLS (--tls_certificate "
      "FILE --tls_key FILE), or listen on this machine alone (--",
      option, " localhost:", address.port,
      "), or, if nobody can listen in there, give --allow_insecure_listen"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const ListenAddress& address, const ServerOptions& options,
    const std::shared_ptr<Access>& access,
    const std::shared_ptr<Refusals>& refusals) {
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials;
  if (UsesTls(options.tls)) {
    credentials = TlsCredentials(options.tls);
    if (!credentials.ok()) return credentials.status();
  } else {
    absl::Status status = CheckPlainText("listen", address, options);
    if (!status.ok()) return status;
    credentials = PlainTextCredentials();
  }
  if (access != nullptr) RequireTokens(access, refusals, **credentials);
  return credentials;
}

absl::Status CheckDataDirectory(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || std::filesystem::is_directory(path, ignored)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("data_directory is ", path, ", which is no folder"));
}

TrainingJobsOptions JobsOptions(const ServerOptions& options) {
  TrainingJobsOptions jobs;
  jobs.threads = ThreadsOrAll(options.training_threads);
  jobs.snapshot_interval = options.checkpoint_interval;
  if (options.max_training_time > absl::ZeroDuration()) {
    jobs.running_time = options.max_training_time;
  }
  jobs.data_directory = options.data_directory;
  jobs.niceness = kTrainingNiceness;
  jobs.spool = options.spool;
  jobs.training.experts = options.max_experts;
  return jobs;
}

// Null if calls need no token.
absl::StatusOr<std::shared_ptr<Access>> OpenAccess(
    const ServerOptions& options) {
  if (options.tokens.empty()) return nullptr;
  absl::StatusOr<std::unique_ptr<Access>> access = Access::Open(options.tokens);
  if (!access.ok()) return WithPrefix("tokens", access.status());
  return *std::move(access);
}

// None if HTTP is not asked for.
absl::StatusOr<std::optional<ListenAddress>> CheckHttpAddress(
    const ServerOptions& options) {
  if (options.http.empty()) return std::nullopt;
  absl::StatusOr<ListenAddress> address = ParseListenAddress(options.http);
  if (!address.ok()) return WithPrefix("http", address.status());
  if (!UsesTls(options.tls)) {
    absl::Status status = CheckPlainText("http", *address, options);
    if (!status.ok()) return status;
  }
  absl::Status status = CheckAvailable(*address);
  if (!status.ok()) return WithPrefix("http", status);
  return *std::move(address);
}

// Whoever asks for health hears that the server and its services answer.
void ReportServing(grpc::Server& server) {
  for (const char* service :
       {v1::ProductOfExperts::service_full_name(),
        v1::ModelRegistry::service_full_name(),
        v1::TrainingJobs::service_full_name(),
        inference::GRPCInferenceService::service_full_name()}) {
    server.GetHealthCheckService()->SetServingStatus(service, true);
  }
}

}  // namespace

// Declared in the order in which they depend on each other.
class Server::Parts final : public ModelRepository::Listener {
 public:
  Parts(const ServerOptions& options,
        std::unique_ptr<ModelRepository> repository,
        std::unique_ptr<TrainingJobs> jobs, std::shared_ptr<Access> access,
        std::shared_ptr<Refusals> refusals)
      : repository_(std::move(repository)),
        poller_(*repository_, options.poll_interval),
        jobs_(std::move(jobs)),
        access_(std::move(access)),
        refusals_(std::move(refusals)),
        workers_(ThreadsOrAll(options.threads)),
        budget_(options.max_bytes_in_flight),
        batcher_(
            {.threads = ThreadsOrAll(options.threads),
             .rows = options.batch_rows,
             .delay = options.batch_delay,
             .waiting_calls = static_cast<std::size_t>(options.queue_calls)},
            [this](const Model& model, const RawRows& rows,
                   const RowQuestion& question, InterruptCheck check) {
              return Ask(model, rows, question, workers_, check);
            }),
        file_executor_(kFileThreads, kQueueCapacity, kFilesNiceness),
        uploads_(kUploadThreads, kQueueCapacity, kFilesNiceness),
        compute_(ThreadsOrAll(options.threads), kQueueCapacity),
        sampling_(ThreadsOrAll(options.threads), kQueueCapacity),
        product_of_experts_({.repository = *repository_,
                             .jobs = *jobs_,
                             .batching = {.budget = budget_,
                                          .compute = compute_,
                                          .batcher = batcher_},
                             .workers = workers_,
                             .sampling = sampling_,
                             .uploads = uploads_,
                             .limits = options.limits,
                             .quick_calls = CallbackThreads() - 1}),
        registry_(*repository_, file_executor_, uploads_, access_),
        open_inference_({.repository = *repository_,
                         .batching = {.budget = budget_,
                                      .compute = compute_,
                                      .batcher = batcher_},
                         .workers = workers_,
                         .sampling = sampling_,
                         .files = file_executor_,
                         .statistics = statistics_,
                         .limits = options.limits}),
        training_jobs_(jobs_.get(), &uploads_, &file_executor_),
        grpc_listener_({.per_client = options.connections_per_client,
                        .all = options.max_connections},
                       refusals_),
        metrics_(
            {.repository = *repository_,
             .jobs = *jobs_,
             .refusals = *refusals_,
             .connections = [this] { return grpc_listener_.open(); },
             .queues = {{"batches",
                         [this] { return batcher_.waiting_calls(); }},
                        {"compute", [this] { return compute_.QueueDepth(); }},
                        {"sampling", [this] { return sampling_.QueueDepth(); }},
                        {"files",
                         [this] { return file_executor_.QueueDepth(); }},
                        {"uploads", [this] { return uploads_.QueueDepth(); }}},
             .http_connections =
                 [this] { return http_ == nullptr ? 0 : http_->connections(); },
             .http_body_bytes =
                 [this] {
                   return http_ == nullptr ? 0 : http_->body_bytes();
                 }}),
        request_log_(options.request_log, access_) {}

  ~Parts() override {
    repository_->SetListener(nullptr);
    grpc_listener_.Stop();
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  absl::Status Listen(const ListenAddress& address,
                      const ServerOptions& options,
                      std::shared_ptr<grpc::ServerCredentials> credentials);
  absl::Status ListenHttp(const ListenAddress& address,
                          const ServerOptions& options);
  void RegisterServices(grpc::ServerBuilder& builder);

  void OnLoaded(const std::string& name,
                const std::vector<LoadedVersion>& versions) override;

  std::unique_ptr<ModelRepository> repository_;
  RepositoryPoller poller_;
  std::unique_ptr<TrainingJobs> jobs_;
  const std::shared_ptr<Access> access_;  // null if calls need no token
  const std::shared_ptr<Refusals> refusals_;
  Workers workers_;
  ByteBudget budget_;
  Batcher batcher_;
  Executor file_executor_;
  // Apart from those, so that loading a large model holds no rows up.
  Executor uploads_;
  Executor compute_;
  Executor sampling_;
  InferenceStatistics statistics_;
  ProductOfExpertsService product_of_experts_;
  ModelRegistryService registry_;
  OpenInferenceService open_inference_;
  TrainingJobsService training_jobs_;
  GrpcListener grpc_listener_;
  Metrics metrics_;
  RequestLog request_log_;
  std::unique_ptr<grpc::Server> grpc_;
  int port_ = 0;
  // Of HTTP, null without it. The services answer it on a server that has no
  // port: one that is told to end ends all calls of its own process at once,
  // and this one is told last.
  std::unique_ptr<grpc::Server> http_services_;
  std::unique_ptr<HttpGateway> http_;
  int http_port_ = 0;
};

void Server::Parts::RegisterServices(grpc::ServerBuilder& builder) {
  for (grpc::Service* service :
       {static_cast<grpc::Service*>(&product_of_experts_),
        static_cast<grpc::Service*>(&registry_),
        static_cast<grpc::Service*>(&open_inference_),
        static_cast<grpc::Service*>(&training_jobs_)}) {
    builder.RegisterService(service);
  }
}

absl::Status Server::Parts::Listen(
    const ListenAddress& address, const ServerOptions& options,
    std::shared_ptr<grpc::ServerCredentials> credentials) {
  const absl::StatusOr<int> port = grpc_listener_.Listen(address);
  if (!port.ok()) return port.status();
  port_ = *port;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      std::move(credentials));
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  // gRPC bounds what comes, and not what it unpacks to.
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMostHeaderBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             options.max_concurrent_streams);
  if (options.max_connection_age_seconds > 0) {
    builder.AddChannelArgument(
        GRPC_ARG_MAX_CONNECTION_AGE_MS,
        static_cast<int>(absl::ToInt64Milliseconds(
            absl::Seconds(options.max_connection_age_seconds))));
  }
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      static_cast<int>(absl::ToInt64Milliseconds(kLeastPingInterval)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_KEEPALIVE_TIME_MS,
      static_cast<int>(absl::ToInt64Milliseconds(kKeepalive)));
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONNECTION_IDLE_MS,
      static_cast<int>(absl::ToInt64Milliseconds(kMostIdleConnection)));
  builder.AddChannelArgument(
      GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
      static_cast<int>(absl::ToInt64Milliseconds(kMostHandshake)));
  builder.SetContextAllocator(
      ObservedContexts({&metrics_, &request_log_, &statistics_}));
  RegisterServices(builder);
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr) return absl::InternalError("cannot start gRPC");
  ReportServing(*grpc_);
  repository_->SetListener(this);
  grpc_listener_.Start(std::move(acceptor));
  return absl::OkStatus();
}

absl::Status Server::Parts::ListenHttp(const ListenAddress& address,
                                       const ServerOptions& options) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  builder.SetContextAllocator(
      ObservedContexts({&metrics_, &request_log_, &statistics_}));
  RegisterServices(builder);
  http_services_ = builder.BuildAndStart();
  if (http_services_ == nullptr) {
    return absl::InternalError("cannot start the services of HTTP");
  }
  ReportServing(*http_services_);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  http_ = std::make_unique<HttpGateway>(HttpGatewayOptions{
      .channel = http_services_->InProcessChannel(arguments),
      .access = access_,
      .refusals = refusals_,
      .tls = options.tls,
      .connections_per_client = options.http_connections_per_client,
      .max_body_bytes = options.max_message_bytes,
      .max_bytes_in_flight = options.max_bytes_in_flight});
  http_->AddText("/metrics", "text/plain; version=0.0.4",
                 [this] { return metrics_.Text(); });
  const absl::StatusOr<int> port = http_->Listen(address);
  if (!port.ok()) return WithPrefix("http", port.status());
  http_port_ = *port;
  return absl::OkStatus();
}

void Server::Parts::OnLoaded(const std::string& name,
                             const std::vector<LoadedVersion>& versions) {
  metrics_.SetLoaded(name, versions);
  grpc_->GetHealthCheckService()->SetServingStatus(
      absl::StrCat(kModelHealth, name), !versions.empty());
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  if (absl::Status status = CheckDataDirectory(options.data_directory);
      !status.ok()) {
    return status;
  }
  const absl::StatusOr<ListenAddress> address =
      ParseListenAddress(options.listen);
  if (!address.ok()) return address.status();
  const absl::StatusOr<std::shared_ptr<Access>> access = OpenAccess(options);
  if (!access.ok()) return access.status();
  const auto refusals = std::make_shared<Refusals>();
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
      MakeCredentials(*address, options, *access, refusals);
  if (!credentials.ok()) return credentials.status();
  if (absl::Status status = CheckAvailable(*address); !status.ok()) {
    return status;
  }
  const absl::StatusOr<std::optional<ListenAddress>> http =
      CheckHttpAddress(options);
  if (!http.ok()) return http.status();
  absl::StatusOr<VersionPolicies> policies =
      ParseVersionPolicies(options.version_policy);
  if (!policies.ok()) {
    return WithPrefix("version_policy", policies.status());
  }
  absl::StatusOr<std::unique_ptr<ModelRepository>> repository =
      ModelRepository::Open(options.repository,
                            {.policies = *std::move(policies),
                             .keep_versions = options.keep_versions,
                             .read_only = options.read_only},
                            options.is_stopped);
  if (!repository.ok()) return repository.status();
  absl::StatusOr<std::unique_ptr<TrainingJobs>> jobs =
      TrainingJobs::Open(repository->get(), JobsOptions(options));
  if (!jobs.ok()) return jobs.status();
  auto parts = std::make_unique<Parts>(options, *std::move(repository),
                                       *std::move(jobs), *access, refusals);
  if (absl::Status status =
          parts->Listen(*address, options, *std::move(credentials));
      !status.ok()) {
    return status;
  }
  if (http->has_value()) {
    absl::Status status = parts->ListenHttp(**http, options);
    if (!status.ok()) return status;
  }
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { Drain(absl::ZeroDuration()); }

int Server::port() const { return parts_->port_; }

std::string Server::MetricsText() const { return parts_->metrics_.Text(); }

int Server::http_port() const { return parts_->http_port_; }

void Server::ReportNotServing() {
  parts_->open_inference_.ReportNotServing();
  parts_->grpc_->GetHealthCheckService()->Shutdown();
  if (parts_->http_ != nullptr) {
    parts_->http_services_->GetHealthCheckService()->Shutdown();
  }
}

void Server::Drain(absl::Duration grace) {
  const SteadyTime deadline = SteadyTimeAfter(grace);
  ReportNotServing();
  parts_->jobs_->Suspend();
  if (parts_->http_ != nullptr) parts_->http_->StopAccepting();
  parts_->grpc_listener_.Stop();
  parts_->grpc_->Shutdown(std::chrono::system_clock::now() +
                          absl::ToChronoNanoseconds(TimeUntil(deadline)));
  parts_->grpc_->Wait();
  if (parts_->http_ != nullptr) {
    parts_->http_->Close(deadline);
    parts_->http_services_->Shutdown();
    parts_->http_services_->Wait();
  }
  // Last: what a training does between two checks must not keep the ports open.
  parts_->jobs_->Shutdown();
}

}  // namespace poe::server
