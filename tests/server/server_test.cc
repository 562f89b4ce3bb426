// The server around its services: health, reflection, addresses, the end.

#include "server/server.h"

#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::google::protobuf::Empty;
using ::google::protobuf::Int32Value;
using ::google::protobuf::StringValue;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kServing = 1;
constexpr int kNotServing = 2;
constexpr int kServiceUnknown = 3;

class ServerTest : public ServingTest {
 protected:
  ServerTest() {
    Publish("density", RandomModel(784, 500, {"data"}, 1));
    StartServer();
  }

  void LoadDensity() {
    v1::LoadModelRequest request;
    request.set_name("density");
    grpc::ClientContext context;
    v1::ModelInfo info;
    EXPECT_TRUE(registry().LoadModel(&context, request, &info).ok());
  }
  void UnloadDensity() {
    v1::UnloadModelRequest request;
    request.set_name("density");
    grpc::ClientContext context;
    v1::ModelInfo info;
    EXPECT_TRUE(registry().UnloadModel(&context, request, &info).ok());
  }

  v1::SampleRequest Sampling(int steps) {
    v1::SampleRequest request;
    request.mutable_model()->set_name("density");
    request.set_chains(100);
    request.set_steps(steps);
    request.set_thinning(1);
    return request;
  }
};

// grpc.health.v1.Health/Check. Its messages have the same bytes as these.
grpc::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel,
                         const std::string& service, int& health) {
  grpc::TemplatedGenericStub<StringValue, Int32Value> stub(channel);
  grpc::ClientContext context;
  StringValue request;
  request.set_value(service);
  Int32Value response;
  grpc::Status result;
  absl::Notification done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request,
                 &response, [&](grpc::Status status) {
                   result = status;
                   done.Notify();
                 });
  done.WaitForNotification();
  health = response.value();
  return result;
}

// grpc.health.v1.Health/Watch.
class HealthWatch {
 public:
  HealthWatch(const std::shared_ptr<grpc::Channel>& channel,
              const std::string& service)
      : stub_(channel),
        stream_(stub_.PrepareCall(&context_, "/grpc.health.v1.Health/Watch",
                                  &queue_)) {
    StringValue request;
    request.set_value(service);
    stream_->StartCall(nullptr);
    EXPECT_TRUE(Wait());
    stream_->WriteLast(request, {}, nullptr);
    EXPECT_TRUE(Wait());
  }

  ~HealthWatch() {
    context_.TryCancel();
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Wait();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Waits for news.
  int Next() {
    Int32Value health;
    stream_->Read(&health, nullptr);
    EXPECT_TRUE(Wait());
    return health.value();
  }

 private:
  bool Wait() {
    void* tag;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  grpc::TemplatedGenericStub<StringValue, Int32Value> stub_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<StringValue, Int32Value>>
      stream_;
};

TEST_F(ServerTest, HealthIsServingForTheServerAndEachService) {
  for (const char* service :
       {"", "poe.v1.ProductOfExperts", "poe.v1.ModelRegistry",
        "poe.v1.TrainingJobs", "inference.GRPCInferenceService"}) {
    int health = 0;
    EXPECT_TRUE(CheckHealth(NewChannel(), service, health).ok()) << service;
    EXPECT_EQ(health, kServing) << service;
  }
  int health = 0;
  EXPECT_EQ(CheckHealth(NewChannel(), "poe.v1.Cats", health).error_code(),
            grpc::NOT_FOUND);
}

TEST_F(ServerTest, HealthOfAModelIsWhetherAVersionAnswers) {
  const auto channel = NewChannel();
  const auto health_of = [&](const std::string& name) {
    int health = 0;
    const grpc::Status status =
        CheckHealth(channel, "poe.v1.model/" + name, health);
    return status.ok() ? health : -static_cast<int>(status.error_code());
  };
  EXPECT_EQ(health_of("density"), kServing);
  EXPECT_EQ(health_of("cats"), -static_cast<int>(grpc::NOT_FOUND));
  UnloadDensity();
  EXPECT_EQ(health_of("density"), kNotServing);
  LoadDensity();
  EXPECT_EQ(health_of("density"), kServing);
  v1::DeleteModelRequest request;
  request.set_name("density");
  grpc::ClientContext context;
  Empty response;
  ASSERT_TRUE(registry().DeleteModel(&context, request, &response).ok());
  EXPECT_EQ(health_of("density"), kNotServing);
}

TEST_F(ServerTest, WatchersHearWhetherAModelAnswers) {
  HealthWatch unknown(NewChannel(), "poe.v1.model/cats");
  EXPECT_EQ(unknown.Next(), kServiceUnknown);
  HealthWatch watch(NewChannel(), "poe.v1.model/density");
  EXPECT_EQ(watch.Next(), kServing);
  UnloadDensity();
  EXPECT_EQ(watch.Next(), kNotServing);
  LoadDensity();
  EXPECT_EQ(watch.Next(), kServing);
}

TEST_F(ServerTest, NotServingComesBeforeCallsAreRefused) {
  server().ReportNotServing();
  // What a model does meanwhile changes nothing.
  UnloadDensity();
  LoadDensity();
  for (const char* service :
       {"", "poe.v1.ProductOfExperts", "poe.v1.model/density"}) {
    int health = 0;
    EXPECT_TRUE(CheckHealth(NewChannel(), service, health).ok()) << service;
    EXPECT_EQ(health, kNotServing) << service;
  }
  grpc::ClientContext context;
  auto reader = stub().Sample(&context, Sampling(1));
  v1::SampleResponse response;
  EXPECT_TRUE(reader->Read(&response));
  while (reader->Read(&response)) {
  }
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(ServerTest, MethodsThatThereAreNotAreUnimplemented) {
  grpc::TemplatedGenericStub<Empty, Empty> stub(NewChannel());
  grpc::ClientContext context;
  Empty request, response;
  absl::Notification done;
  grpc::Status result;
  stub.UnaryCall(&context, "/poe.v1.ModelRegistry/NoSuchMethod", {}, &request,
                 &response, [&](grpc::Status status) {
                   result = status;
                   done.Notify();
                 });
  done.WaitForNotification();
  EXPECT_EQ(result.error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(ServerTest, HeadersOfMoreThanSixteenKiBAreRefused) {
  const auto list_models = [this](std::size_t header_bytes) {
    grpc::ClientContext context;
    context.AddMetadata("padding", std::string(header_bytes, 'x'));
    v1::ListModelsResponse response;
    return registry().ListModels(&context, {}, &response);
  };
  EXPECT_TRUE(list_models(12 << 10).ok());
  EXPECT_EQ(list_models(20 << 10).error_code(), grpc::RESOURCE_EXHAUSTED);
}

// A few bytes could become any number.
TEST_F(ServerTest, CompressedMessagesAreRefused) {
  v1::GetModelRequest request;
  request.mutable_model()->set_name("density");
  request.mutable_model()->set_label(std::string(10'000, 'x'));
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    v1::GetModelResponse response;
    EXPECT_EQ(registry().GetModel(&context, request, &response).error_code(),
              grpc::UNIMPLEMENTED);
  }
}

TEST_F(ServerTest, ReflectionListsTheServices) {
  // list_services is field 7 of the request; the names are in the response's
  // unknown fields.
  Empty request, response;
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(
      7, "*");
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  grpc::TemplatedGenericStub<Empty, Empty> stub(NewChannel());
  auto stream = stub.PrepareCall(
      &context,
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto wait = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(wait());
  stream->Write(request, nullptr);
  ASSERT_TRUE(wait());
  stream->Read(&response, nullptr);
  ASSERT_TRUE(wait());
  const std::string names = response.SerializeAsString();
  for (const char* service :
       {"poe.v1.ProductOfExperts", "poe.v1.ModelRegistry",
        "poe.v1.TrainingJobs", "inference.GRPCInferenceService",
        "grpc.health.v1.Health"}) {
    EXPECT_THAT(names, HasSubstr(service));
  }
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  queue.Shutdown();
  void* tag;
  bool ok;
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(ServerTest, DrainingLetsRunningCallsEndAndTakesNoNewOnes) {
  const auto channel = NewChannel();
  auto stub = v1::ProductOfExperts::NewStub(channel);
  grpc::ClientContext context;
  auto reader = stub->Sample(&context, Sampling(200));
  v1::SampleResponse response;
  ASSERT_TRUE(reader->Read(&response));
  const int port = server().port();
  std::thread drainer([&] { server().Drain(absl::Minutes(5)); });
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(response.step(), 200);
  EXPECT_TRUE(reader->Finish().ok());
  drainer.join();

  auto late = v1::ProductOfExperts::NewStub(grpc::CreateChannel(
      absl::StrCat("localhost:", port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext late_context;
  auto refused = late->Sample(&late_context, Sampling(1));
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(refused->Finish().error_code(), grpc::UNAVAILABLE);
}

TEST_F(ServerTest, DrainingCancelsWhatTakesLongerThanItsGrace) {
  grpc::ClientContext context;
  auto reader = stub().Sample(&context, Sampling(100'000));
  v1::SampleResponse response;
  ASSERT_TRUE(reader->Read(&response));
  const absl::Time start = absl::Now();
  server().Drain(absl::Milliseconds(100));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  while (reader->Read(&response)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(ServerTest, HealthWatchersHearOfTheDrain) {
  HealthWatch watch(NewChannel(), "");
  EXPECT_EQ(watch.Next(), kServing);
  std::thread drainer([&] { server().Drain(absl::Seconds(2)); });
  EXPECT_EQ(watch.Next(), kNotServing);
  drainer.join();
}

TEST_F(ServerTest, AnAddressInUseIsRefused) {
  ServerOptions options;
  options.repository = (folder() / "other").string();
  options.listen = absl::StrCat("localhost:", server().port());
  const auto second = Server::Start(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("Address already in use"));
}

TEST(ServerStartTest, MalformedAddressesAreRefused) {
  for (const char* listen :
       {"", "localhost", ":8500", "localhost:", "localhost:http",
        "localhost:65536", "localhost:-1", "::1:8500", "[::1]", "[]:8500"}) {
    ServerOptions options;
    options.repository = ::testing::TempDir() + "/poe_malformed";
    options.listen = listen;
    const auto server = Server::Start(options);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument)
        << listen;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("HOST:PORT"));
  }
}

TEST(ServerStartTest, PlainTextThatOtherMachinesReachIsRefused) {
  ServerOptions options;
  options.repository = ::testing::TempDir() + "/poe_exposed";
  for (const char* listen : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    options.listen = listen;
    const auto server = Server::Start(options);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument)
        << listen;
    EXPECT_THAT(std::string(server.status().message()),
                AllOf(HasSubstr(listen), HasSubstr("--tls_certificate"),
                      HasSubstr("--allow_insecure_listen")));
  }
  options.listen = "0.0.0.0:0";
  options.allow_insecure_listen = true;
  EXPECT_TRUE(Server::Start(options).ok());
}

TEST(ServerStartTest, LimitsOfConnectionsAndOfTheLogAreChecked) {
  ServerOptions options;
  options.repository = ::testing::TempDir() + "/poe_limits";
  options.listen = "localhost:0";
  options.max_concurrent_streams = 0;
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("max_concurrent_streams is 0"));
  options.max_concurrent_streams = 1;
  options.connections_per_client = 0;
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("connections_per_client is 0"));
  options.connections_per_client = 1;
  options.max_connections = 0;
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("max_connections is 0"));
  options.max_connections = 1;
  for (const int seconds : {-1, 3'000'000}) {
    options.max_connection_age_seconds = seconds;
    EXPECT_THAT(
        std::string(Server::Start(options).status().message()),
        HasSubstr(absl::StrCat("max_connection_age_seconds is ", seconds)));
  }
  options.max_connection_age_seconds = 1;
  options.request_log.sample = -1;
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("log_sample is -1"));
  options.request_log.sample = 0;
  EXPECT_TRUE(Server::Start(options).ok());
}

TEST(ServerStartTest, AFileInPlaceOfTheRepositoryIsRefused) {
  const std::string path = ::testing::TempDir() + "/poe_not_a_folder";
  std::ofstream(path) << "text";
  ServerOptions options;
  options.repository = path;
  options.listen = "localhost:0";
  const auto server = Server::Start(options);
  EXPECT_FALSE(server.ok());
  EXPECT_THAT(std::string(server.status().message()), HasSubstr(path));
}

}  // namespace
}  // namespace poe::server
