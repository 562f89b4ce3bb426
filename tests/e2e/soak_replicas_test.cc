// Servers that are replaced one after the other, under load.

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "tests/e2e/program.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

// Calls go to the replicas in turn, but to none that says it is not serving,
// and to another where one is refused.
constexpr char kBalancing[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": "poe.v1.ProductOfExperts"},
  "methodConfig": [{
    "name": [{"service": "poe.v1.ProductOfExperts"}],
    "retryPolicy": {
      "maxAttempts": 5,
      "initialBackoff": "0.05s",
      "maxBackoff": "0.5s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
})";

struct Replica {
  std::string address = "127.0.0.1:0";
  std::unique_ptr<Program> program;
};

std::shared_ptr<grpc::Channel> BalancedChannel(
    const std::vector<Replica>& replicas) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kBalancing);
  // A replica that is back gets calls at once.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  return grpc::CreateCustomChannel(
      absl::StrCat("ipv4:", replicas[0].address, ",", replicas[1].address),
      grpc::InsecureChannelCredentials(), arguments);
}

// Asks through the channel until this replica has answered; false if it has not
// within ten seconds.
bool Answers(const Replica& replica, v1::ProductOfExperts::Stub& stub,
             const v1::ScoreRequest& request) {
  const std::string port =
      replica.address.substr(replica.address.rfind(':') + 1);
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (absl::Now() < deadline) {
    grpc::ClientContext context;
    v1::ScoreResponse response;
    if (stub.Score(&context, request, &response).ok() &&
        absl::EndsWith(context.peer(), port)) {
      return true;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

TEST_F(SoakTest, ARollingRestartFailsNoCall) {
  const int rounds = IsLongForm() ? 10 : 1;
  constexpr double kLameDuckSeconds = 0.2, kDrainSeconds = 10;
  StartServer("models");
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(client_->TrainAll(Start(2), Rows(), {}, Ignore).ok());

  std::vector<Replica> replicas(2);
  const auto start = [&](Replica& replica) {
    RunServer(
        {absl::StrCat("--repository=", (folder_ / "models").string()),
         "--read_only", absl::StrCat("--lame_duck_seconds=", kLameDuckSeconds),
         absl::StrCat("--drain_seconds=", kDrainSeconds)},
        replica.address, replica.program);
  };
  for (Replica& replica : replicas) {
    start(replica);
    ASSERT_FALSE(HasFatalFailure());
  }
  const auto channel = BalancedChannel(replicas);
  const auto stub = v1::ProductOfExperts::NewStub(channel);
  for (const Replica& replica : replicas) {
    ASSERT_TRUE(Answers(replica, *stub, OneRow())) << replica.address;
  }
  Load callers(
      4, [&] { return std::make_unique<client::Client>(channel); }, OneRow());
  absl::Duration longest;
  for (int round = 0; round < rounds; ++round) {
    for (Replica& replica : replicas) {
      const absl::Time begin = absl::Now();
      replica.program->Signal(SIGTERM);
      EXPECT_EQ(replica.program->Wait(), 0);
      longest = std::max(longest, absl::Now() - begin);
      start(replica);
      ASSERT_FALSE(HasFatalFailure());
      // Only then may the other go.
      ASSERT_TRUE(Answers(replica, *stub, OneRow())) << replica.address;
    }
  }
  Report("rolling restarts: calls", static_cast<double>(callers.answered()), "",
         true, false);
  Report("rolling restarts: calls that failed",
         static_cast<double>(callers.failed()), "0", callers.failed() == 0,
         true);
  Report("rolling restarts: s from SIGTERM to exit",
         absl::ToDoubleSeconds(longest), "at most 2",
         longest <= absl::Seconds(2), IsLongForm());
}

}  // namespace
}  // namespace poe::server
