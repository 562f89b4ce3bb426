// Tokens at the port: what credentials.h says of them.
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/support/status.h"
#include "server/credentials.h"
#include "server/errors.h"
#include "server/request_identity.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

using Metadata = grpc::AuthMetadataProcessor::InputMetadata;

absl::string_view View(const grpc::string_ref& text) {
  return {text.data(), text.size()};
}

class TokenGate final : public grpc::AuthMetadataProcessor {
 public:
  TokenGate(std::shared_ptr<Access> access, std::shared_ptr<Refusals> refusals)
      : access_(std::move(access)), refusals_(std::move(refusals)) {}

  // A hash and some comparisons: no work for another thread.
  bool IsBlocking() const override { return false; }

  grpc::Status Process(const Metadata& metadata, grpc::AuthContext*,
                       OutputMetadata*, OutputMetadata*) override {
    const auto path = metadata.find(":path");
    const absl::string_view method =
        path == metadata.end() ? absl::string_view() : View(path->second);
    const absl::Status status = CatchExceptions(
        [&] { return access_->Check(method, AuthorizationIn(metadata)); });
    if (status.ok()) return grpc::Status::OK;
    spdlog::debug("{} refused: {}", Quoted(method), ReasonOf(status));
    refusals_->Add(Refusals::Port::kGrpc, ReasonOf(status));
    return grpc::Status(
        static_cast<grpc::StatusCode>(status.code()),
        absl::StrCat(status.message(), " [", ReasonOf(status), "]"));
  }

 private:
  const std::shared_ptr<Access> access_;
  const std::shared_ptr<Refusals> refusals_;
};

// Like gRPC's own but for the processor, which its core knows how to call on
// plain text and its C++ does not pass on.
class PlainText final : public grpc::ServerCredentials {
 public:
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& processor) override {
    processor_ = processor;
  }

 private:
  // What the core holds. It keeps itself until the core gives it back.
  struct State {
    std::shared_ptr<grpc::AuthMetadataProcessor> processor;
    std::shared_ptr<State> self;
  };

  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    grpc_server_credentials* credentials =
        grpc_insecure_server_credentials_create();
    if (processor_ != nullptr) {
      const auto state = std::make_shared<State>();
      state->processor = processor_;
      state->self = state;
      grpc_server_credentials_set_auth_metadata_processor(
          credentials, {Process, Destroy, state.get()});
    }
    const int port =
        grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  // The two functions of a grpc_auth_metadata_processor.
  static void Process(void* state, grpc_auth_context*,
                      const grpc_metadata* entries, std::size_t count,
                      grpc_process_auth_metadata_done_cb done, void* call) {
    const auto text = [](const grpc_slice& slice) {
      return grpc::string_ref(
          reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
          GRPC_SLICE_LENGTH(slice));
    };
    Metadata metadata;
    for (std::size_t n = 0; n < count; ++n) {
      metadata.emplace(text(entries[n].key), text(entries[n].value));
    }
    grpc::AuthMetadataProcessor::OutputMetadata consumed, response;
    const grpc::Status status = static_cast<State*>(state)->processor->Process(
        metadata, nullptr, &consumed, &response);
    done(call, nullptr, 0, nullptr, 0,
         static_cast<grpc_status_code>(status.error_code()),
         status.error_message().c_str());
  }
  static void Destroy(void* state) {
    const std::shared_ptr<State> last =
        std::move(static_cast<State*>(state)->self);
  }

  std::shared_ptr<grpc::AuthMetadataProcessor> processor_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> PlainTextCredentials() {
  return std::make_shared<PlainText>();
}

void RequireTokens(std::shared_ptr<Access> access,
                   std::shared_ptr<Refusals> refusals,
                   grpc::ServerCredentials& credentials) {
  credentials.SetAuthMetadataProcessor(
      std::make_shared<TokenGate>(std::move(access), std::move(refusals)));
}

}  // namespace poe::server
