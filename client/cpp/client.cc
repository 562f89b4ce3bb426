#include "client/cpp/client.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "client/cpp/calls.h"
#include "client/cpp/credentials.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/channel_arguments.h"

namespace poe::client {
namespace {

// Calls whose repetition changes nothing. gRPC repeats them as long as no
// response has come.
constexpr char kServiceConfig[] = R"({
  "methodConfig": [{
    "name": [
      {"service": "poe.v1.ProductOfExperts", "method": "Score"},
      {"service": "poe.v1.ProductOfExperts", "method": "Reconstruct"},
      {"service": "poe.v1.ProductOfExperts", "method": "Sample"},
      {"service": "poe.v1.TrainingJobs", "method": "GetJob"},
      {"service": "poe.v1.TrainingJobs", "method": "ListJobs"},
      {"service": "poe.v1.TrainingJobs", "method": "WatchJob"},
      {"service": "poe.v1.TrainingJobs", "method": "CancelJob"},
      {"service": "poe.v1.ModelRegistry", "method": "ListModels"},
      {"service": "poe.v1.ModelRegistry", "method": "GetModel"},
      {"service": "poe.v1.ModelRegistry", "method": "LoadModel"},
      {"service": "poe.v1.ModelRegistry", "method": "UnloadModel"},
      {"service": "poe.v1.ModelRegistry", "method": "SetLabel"},
      {"service": "poe.v1.ModelRegistry", "method": "ClearLabel"}
    ],
    "retryPolicy": {
      "maxAttempts": $0,
      "initialBackoff": "0.1s",
      "maxBackoff": "2s",
      "backoffMultiplier": 3,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
})";

// The largest request that is kept for a repetition.
constexpr int kRetryBufferBytes = 16 << 20;

absl::Status CheckToken(const std::string& target,
                        const ClientOptions& options) {
  if (options.token.empty()) return absl::OkStatus();
  if (!std::all_of(options.token.begin(), options.token.end(),
                   absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(
        "the token has characters that no header may have; it must be of "
        "visible ASCII characters alone, without spaces");
  }
  if (options.credentials == nullptr && !IsThisMachine(target)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a token does not go to ", target,
                     " in plain text, where others could read it; use TLS"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(
    const std::string& target, const ClientOptions& options) {
  if (target.empty()) {
    return absl::InvalidArgumentError(
        "the server's address is empty; it has the form HOST:PORT");
  }
  if (options.max_attempts < 1 || options.max_attempts > 5) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_attempts is ", options.max_attempts, ", expected 1 to 5"));
  }
  if (absl::Status status = CheckToken(target, options); !status.ok()) {
    return status;
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRetryBufferBytes);
  if (options.max_attempts > 1) {
    arguments.SetServiceConfigJSON(
        absl::Substitute(kServiceConfig, options.max_attempts));
  }
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  if (!options.token.empty()) {
    interceptors.push_back(SendToken(options.token));
    // A proxy would be another machine that reads plain text.
    if (options.credentials == nullptr) {
      arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    }
  }
  return std::make_unique<Client>(
      grpc::experimental::CreateCustomChannelWithInterceptors(
          target,
          options.credentials == nullptr ? grpc::InsecureChannelCredentials()
                                         : options.credentials,
          arguments, std::move(interceptors)));
}

Client::Client(const std::shared_ptr<grpc::Channel>& channel)
    : stubs_(std::make_unique<Stubs>(channel)) {}

Client::~Client() = default;

absl::StatusOr<v1::ScoreResponse> Client::Score(const v1::ScoreRequest& request,
                                                const CallOptions& options) {
  return Call(stubs_->experts, &v1::ProductOfExperts::Stub::Score, request,
              options);
}

absl::StatusOr<v1::ReconstructResponse> Client::Reconstruct(
    const v1::ReconstructRequest& request, const CallOptions& options) {
  return Call(stubs_->experts, &v1::ProductOfExperts::Stub::Reconstruct,
              request, options);
}

absl::Status Client::Sample(
    const v1::SampleRequest& request,
    absl::FunctionRef<absl::Status(const v1::SampleResponse& response)> receive,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  const auto stream = stubs_->experts.Sample(&context, request);
  return ReadAll<v1::SampleResponse>(context, *stream, receive);
}

absl::StatusOr<std::vector<v1::ModelInfo>> Client::ListModels(
    const CallOptions& options) {
  std::vector<v1::ModelInfo> models;
  v1::ListModelsRequest request;
  do {
    absl::StatusOr<v1::ListModelsResponse> page =
        Call(stubs_->registry, &v1::ModelRegistry::Stub::ListModels, request,
             options);
    if (!page.ok()) return page.status();
    for (v1::ModelInfo& model : *page->mutable_models()) {
      models.push_back(std::move(model));
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return models;
}

absl::StatusOr<v1::GetModelResponse> Client::GetModel(
    const v1::GetModelRequest& request, const CallOptions& options) {
  return Call(stubs_->registry, &v1::ModelRegistry::Stub::GetModel, request,
              options);
}

absl::StatusOr<v1::ModelInfo> Client::LoadModel(
    const v1::LoadModelRequest& request, const CallOptions& options) {
  return Call(stubs_->registry, &v1::ModelRegistry::Stub::LoadModel, request,
              options);
}

absl::StatusOr<v1::ModelInfo> Client::UnloadModel(
    const v1::UnloadModelRequest& request, const CallOptions& options) {
  return Call(stubs_->registry, &v1::ModelRegistry::Stub::UnloadModel, request,
              options);
}

absl::Status Client::DeleteModel(const v1::DeleteModelRequest& request,
                                 const CallOptions& options) {
  return Call(stubs_->registry, &v1::ModelRegistry::Stub::DeleteModel, request,
              options)
      .status();
}

absl::StatusOr<v1::ModelInfo> Client::SetLabel(
    const v1::SetLabelRequest& request, const CallOptions& options) {
  return Call(stubs_->registry, &v1::ModelRegistry::Stub::SetLabel, request,
              options);
}

absl::StatusOr<v1::ModelInfo> Client::ClearLabel(
    const v1::ClearLabelRequest& request, const CallOptions& options) {
  return Call(stubs_->registry, &v1::ModelRegistry::Stub::ClearLabel, request,
              options);
}

absl::Status Client::ExportModel(
    const v1::ExportModelRequest& request,
    absl::FunctionRef<absl::Status(const v1::ModelFileChunk& chunk)> receive,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  const auto stream = stubs_->registry.ExportModel(&context, request);
  return ReadAll<v1::ModelFileChunk>(context, *stream, receive);
}

absl::StatusOr<v1::ModelInfo> Client::ImportModel(
    const v1::ModelVersion& model,
    absl::FunctionRef<absl::StatusOr<bool>(v1::ModelFileChunk& chunk)> next,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  v1::ModelInfo info;
  const auto stream = stubs_->registry.ImportModel(&context, &info);
  v1::ImportModelRequest request;
  *request.mutable_model() = model;
  // A write that fails says that the server has ended the call.
  bool open = stream->Write(request);
  while (open) {
    request.Clear();
    const absl::StatusOr<bool> more = next(*request.mutable_chunk());
    if (!more.ok()) {
      context.TryCancel();
      stream->Finish();
      return more.status();
    }
    if (!*more) break;
    open = stream->Write(request);
  }
  stream->WritesDone();
  const absl::Status status = FromGrpcStatus(stream->Finish());
  if (!status.ok()) return status;
  return info;
}

absl::Status Client::CheckHealth(const std::string& service,
                                 const CallOptions& options) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  const absl::StatusOr<grpc::health::v1::HealthCheckResponse> response = Call(
      stubs_->health, &grpc::health::v1::Health::Stub::Check, request, options);
  if (!response.ok()) return response.status();
  if (response->status() == grpc::health::v1::HealthCheckResponse::SERVING) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("the server says ",
                   grpc::health::v1::HealthCheckResponse::ServingStatus_Name(
                       response->status())));
}

}  // namespace poe::client
