#ifndef POE_TESTS_CLIENT_FAKE_SERVER_H_
#define POE_TESTS_CLIENT_FAKE_SERVER_H_

#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "poe/v1/registry.grpc.pb.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "poe/v1/training.grpc.pb.h"

namespace poe::client {

// Services whose calls do what a test says. Set before the call that uses it.
struct FakeExperts : v1::ProductOfExperts::Service {
  using ScoreStreamType =
      grpc::ServerReaderWriter<v1::ScoreResponse, v1::ScoreRequest>;
  using TrainStreamType =
      grpc::ServerReaderWriter<v1::TrainResponse, v1::TrainRequest>;

  std::function<grpc::Status(grpc::ServerContext*, const v1::ScoreRequest&,
                             v1::ScoreResponse*)>
      score;
  std::function<grpc::Status(grpc::ServerContext*, ScoreStreamType*)>
      score_stream;
  std::function<grpc::Status(grpc::ServerContext*, const v1::SampleRequest&,
                             grpc::ServerWriter<v1::SampleResponse>*)>
      sample;
  std::function<grpc::Status(grpc::ServerContext*, TrainStreamType*)> train;

  grpc::Status Score(grpc::ServerContext* context,
                     const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override {
    return score(context, *request, response);
  }
  grpc::Status ScoreStream(grpc::ServerContext* context,
                           ScoreStreamType* stream) override {
    return score_stream(context, stream);
  }
  grpc::Status Sample(grpc::ServerContext* context,
                      const v1::SampleRequest* request,
                      grpc::ServerWriter<v1::SampleResponse>* writer) override {
    return sample(context, *request, writer);
  }
  grpc::Status Train(grpc::ServerContext* context,
                     TrainStreamType* stream) override {
    return train(context, stream);
  }
};

struct FakeRegistry : v1::ModelRegistry::Service {
  std::function<grpc::Status(const v1::ListModelsRequest&,
                             v1::ListModelsResponse*)>
      list_models;
  std::function<grpc::Status()> delete_model;

  grpc::Status ListModels(grpc::ServerContext*,
                          const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    return list_models(*request, response);
  }
  grpc::Status DeleteModel(grpc::ServerContext*, const v1::DeleteModelRequest*,
                           google::protobuf::Empty*) override {
    return delete_model();
  }
};

struct FakeHealth : grpc::health::v1::Health::Service {
  grpc::health::v1::HealthCheckResponse::ServingStatus status =
      grpc::health::v1::HealthCheckResponse::SERVING;

  grpc::Status Check(grpc::ServerContext*,
                     const grpc::health::v1::HealthCheckRequest*,
                     grpc::health::v1::HealthCheckResponse* response) override {
    response->set_status(status);
    return grpc::Status::OK;
  }
};

// A server of these services in this process, on a free port, and a client of
// it.
struct FakeServer {
  FakeServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&experts);
    builder.RegisterService(&registry);
    builder.RegisterService(&health);
    server = builder.BuildAndStart();
    client = *Client::Connect(absl::StrCat("localhost:", port));
  }
  ~FakeServer() { server->Shutdown(); }

  FakeExperts experts;
  FakeRegistry registry;
  FakeHealth health;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<Client> client;
};

}  // namespace poe::client

#endif  // POE_TESTS_CLIENT_FAKE_SERVER_H_
