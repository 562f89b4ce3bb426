#include "client/cpp/client.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/credentials.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace poe::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ClientTest, RefusesAnEmptyTarget) {
  EXPECT_EQ(Client::Connect("").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ClientTest, RefusesAttemptsThatGrpcWouldNotMake) {
  EXPECT_FALSE(Client::Connect("localhost:1", {.max_attempts = 0}).ok());
  EXPECT_FALSE(Client::Connect("localhost:1", {.max_attempts = 6}).ok());
}

TEST(ClientTest, DoesNotWaitForAServerThatIsNotThere) {
  const auto client = Client::Connect("localhost:1", {.max_attempts = 1});
  ASSERT_TRUE(client.ok());
  EXPECT_EQ((*client)->Score({}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(ClientTest, ATokenDoesNotLeaveThisMachineInPlainText) {
  const auto client =
      Client::Connect("models.example.org:8500", {.token = "secret"});
  EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(client.status().message()),
              AllOf(HasSubstr("models.example.org:8500"), HasSubstr("TLS"),
                    Not(HasSubstr("secret"))));
  EXPECT_TRUE(Client::Connect(
                  "models.example.org:8500",
                  {.credentials = grpc::SslCredentials({}), .token = "secret"})
                  .ok());
  EXPECT_TRUE(Client::Connect("localhost:1", {.token = "secret"}).ok());
}

TEST(ClientTest, ATokenThatNoHeaderCanCarryIsRefused) {
  for (const char* token : {"a b", "a\n", "\xc3\xa4"}) {
    EXPECT_EQ(Client::Connect("localhost:1", {.token = token}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(ClientTest, ThisMachineIsKnownByItsNames) {
  for (const char* target :
       {"localhost:8500", "localhost", "dns:///localhost:8500",
        "127.0.0.1:8500", "127.8.9.1:8500", "[::1]:8500", "unix:/run/poe"}) {
    EXPECT_TRUE(IsThisMachine(target)) << target;
  }
  for (const char* target :
       {"", "example.org:8500", "127.example.org:8500", "128.0.0.1:8500",
        "localhost.example.org:8500", "[::2]:8500", "0.0.0.0:8500",
        "ipv4:127.0.0.1:8500,192.0.2.1:8500"}) {
    EXPECT_FALSE(IsThisMachine(target)) << target;
  }
}

TEST(ClientTest, TheTokenGoesWithEveryCall) {
  FakeServer fake;
  std::string header;
  fake.experts.score = [&header](grpc::ServerContext* context,
                                 const v1::ScoreRequest&, v1::ScoreResponse*) {
    const auto& metadata = context->client_metadata();
    const auto found = metadata.find("authorization");
    header = found == metadata.end()
                 ? ""
                 : std::string(found->second.data(), found->second.size());
    return grpc::Status::OK;
  };
  const auto client = Client::Connect(absl::StrCat("localhost:", fake.port),
                                      {.token = "letmein"});
  ASSERT_TRUE(client.ok()) << client.status();
  for (int call = 0; call < 2; ++call) {
    header.clear();
    ASSERT_TRUE((*client)->Score({}).ok());
    EXPECT_EQ(header, "Bearer letmein");
  }
  ASSERT_TRUE(fake.client->Score({}).ok());
  EXPECT_EQ(header, "");
}

TEST(TlsCredentialsTest, FilesThatCannotBeUsedAreNamed) {
  const auto missing = TlsCredentials({.ca = "/nowhere/ca.pem"});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("/nowhere/ca.pem"));
  const auto not_pem = TlsCredentials({.ca = "/dev/null"});
  EXPECT_EQ(not_pem.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(not_pem.status().message()), HasSubstr("/dev/null"));
  EXPECT_EQ(TlsCredentials({.key = "/dev/null"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(TlsCredentials({}).ok());
}

TEST(ClientTest, ScoreReturnsTheResponse) {
  FakeServer fake;
  fake.experts.score = [](grpc::ServerContext*, const v1::ScoreRequest& request,
                          v1::ScoreResponse* response) {
    response->mutable_model()->set_name(request.model().name());
    return grpc::Status::OK;
  };
  v1::ScoreRequest request;
  request.mutable_model()->set_name("digits");
  const auto response = fake.client->Score(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model().name(), "digits");
}

TEST(ClientTest, RetriesAnIdempotentCallWhileUnavailable) {
  FakeServer fake;
  std::atomic<int> calls = 0;
  fake.experts.score = [&](grpc::ServerContext*, const v1::ScoreRequest&,
                           v1::ScoreResponse*) {
    return ++calls < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "later")
                       : grpc::Status::OK;
  };
  EXPECT_TRUE(fake.client->Score({}).ok());
  EXPECT_EQ(calls, 3);
}

TEST(ClientTest, GivesUpAfterItsAttempts) {
  FakeServer fake;
  std::atomic<int> calls = 0;
  fake.experts.score = [&](grpc::ServerContext*, const v1::ScoreRequest&,
                           v1::ScoreResponse*) {
    ++calls;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  const absl::Status status = fake.client->Score({}).status();
  EXPECT_EQ(status, absl::UnavailableError("draining"));
  EXPECT_EQ(calls, 3);
}

TEST(ClientTest, DoesNotRepeatADeletion) {
  FakeServer fake;
  std::atomic<int> calls = 0;
  fake.registry.delete_model = [&] {
    ++calls;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  EXPECT_FALSE(fake.client->DeleteModel({}).ok());
  EXPECT_EQ(calls, 1);
}

TEST(ClientTest, KeepsTheDeadline) {
  FakeServer fake;
  fake.experts.score = [](grpc::ServerContext* context, const v1::ScoreRequest&,
                          v1::ScoreResponse*) {
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  };
  const absl::Status status =
      fake.client->Score({}, {.timeout = absl::Milliseconds(50)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ClientTest, SampleHandsOverEachResponse) {
  FakeServer fake;
  fake.experts.sample = [](grpc::ServerContext*, const v1::SampleRequest&,
                           grpc::ServerWriter<v1::SampleResponse>* writer) {
    for (int step = 1; step <= 3; ++step) {
      v1::SampleResponse response;
      response.set_step(step);
      writer->Write(response);
    }
    return grpc::Status::OK;
  };
  std::vector<int> steps;
  const absl::Status status =
      fake.client->Sample({}, [&](const v1::SampleResponse& response) {
        steps.push_back(response.step());
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(steps, ElementsAre(1, 2, 3));
}

TEST(ClientTest, ErrorOfACallbackCancelsItsCall) {
  FakeServer fake;
  std::atomic<bool> cancelled = false;
  fake.experts.sample = [&](grpc::ServerContext* context,
                            const v1::SampleRequest&,
                            grpc::ServerWriter<v1::SampleResponse>* writer) {
    while (!context->IsCancelled()) writer->Write(v1::SampleResponse());
    cancelled = true;
    return grpc::Status::CANCELLED;
  };
  const absl::Status status = fake.client->Sample(
      {},
      [](const v1::SampleResponse&) { return absl::DataLossError("enough"); });
  EXPECT_EQ(status, absl::DataLossError("enough"));
  fake.server->Shutdown();
  EXPECT_TRUE(cancelled);
}

TEST(ClientTest, ListModelsFollowsAllPages) {
  FakeServer fake;
  fake.registry.list_models = [](const v1::ListModelsRequest& request,
                                 v1::ListModelsResponse* response) {
    const std::string page = request.page_token();
    response->add_models()->set_name(absl::StrCat("model", page));
    if (page != "2") response->set_next_page_token(page.empty() ? "1" : "2");
    return grpc::Status::OK;
  };
  const auto models = fake.client->ListModels();
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 3);
  EXPECT_EQ((*models)[0].name(), "model");
  EXPECT_EQ((*models)[2].name(), "model2");
}

TEST(ClientTest, HealthIsOkOnlyWhileServing) {
  FakeServer fake;
  EXPECT_TRUE(fake.client->CheckHealth().ok());
  fake.health.status = grpc::health::v1::HealthCheckResponse::NOT_SERVING;
  const absl::Status status = fake.client->CheckHealth();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("NOT_SERVING"));
}

}  // namespace
}  // namespace poe::client
