// ModelInfer in batches, over a real connection.

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "inference/open_inference.grpc.pb.h"
#include "server/batcher.h"
#include "server/services/open_inference_service.h"
#include "tests/server/batching_testing.h"

namespace poe::server {
namespace {

using Inferring = Asked<inference::ModelInferResponse>;

class OpenInferenceBatchingTest : public BatchingTest {
 protected:
  void Start(const Batcher::Options& options, std::int64_t bytes = 64 << 20) {
    ASSERT_NO_FATAL_FAILURE(StartBatcher(options, bytes));
    service_ = std::make_unique<OpenInferenceService>(
        OpenInferenceService::Resources{.repository = *repository_,
                                        .batching = batching(),
                                        .workers = Workers::Inline(),
                                        .sampling = executor_,
                                        .files = executor_,
                                        .statistics = statistics_,
                                        .limits = {}});
    stub_ = inference::GRPCInferenceService::NewStub(
        Serve(*service_, {&statistics_}));
  }

  static inference::ModelInferRequest Request(Index rows, unsigned seed) {
    const RowMatrix<float> bits = RandomBits(rows, kDimension, seed);
    inference::ModelInferRequest request;
    request.set_model_name("large");
    auto& x = *request.add_inputs();
    x.set_name("x");
    x.set_datatype("FP32");
    x.add_shape(rows);
    x.add_shape(kDimension);
    request.add_raw_input_contents(bits.data(), bits.size() * sizeof(float));
    return request;
  }

  void Infer(const inference::ModelInferRequest& request, Inferring& call) {
    stub_->async()->ModelInfer(&call.context, &request, &call.response,
                               call.Callback());
  }

  void Occupy() {
    Infer(occupying_, occupant_);
    AwaitOccupied(occupant_.answered);
  }

  const inference::ModelInferRequest occupying_ = Request(1, 0);
  Inferring occupant_;
  InferenceStatistics statistics_;
  std::unique_ptr<OpenInferenceService> service_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

TEST_F(OpenInferenceBatchingTest, CallsOfATaskAreOneBatchToTheBit) {
  Start({});
  constexpr int kCalls = 12;
  std::vector<inference::ModelInferRequest> requests;
  for (int i = 0; i < kCalls; ++i) {
    // Those of 30 rows are decoded by another thread.
    requests.push_back(Request(i < 2 ? 30 : 1 + i % 3, i));
    if (i % 2 == 1) {
      auto& parameters = *requests.back().mutable_parameters();
      parameters["task"].set_string_param("reconstruct");
      parameters["seed"].set_int64_param(3);
    }
  }
  Occupy();
  std::vector<Inferring> calls(kCalls);
  for (int i = 0; i < kCalls; ++i) Infer(requests[i], calls[i]);
  AwaitWaiting(kCalls);
  EXPECT_GT(budget_->in_flight(), kCalls * kDimension);
  gate_.Notify();
  for (Inferring& call : calls) call.answered.WaitForNotification();
  EXPECT_EQ(batches_, 1 + 2);
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(calls[i].status.ok()) << calls[i].status.error_message();
    Inferring alone;
    Infer(requests[i], alone);
    alone.answered.WaitForNotification();
    EXPECT_EQ(calls[i].response.SerializeAsString(),
              alone.response.SerializeAsString());
  }
  EXPECT_EQ(budget_->in_flight(), 0);
}

TEST_F(OpenInferenceBatchingTest, OverloadIsRefusedWithATimeToTryAgain) {
  Start({.waiting_calls = 1});
  Occupy();
  const inference::ModelInferRequest request = Request(1, 1);
  Inferring waiting, refused;
  Infer(request, waiting);
  AwaitWaiting(1);
  Infer(request, refused);
  refused.answered.WaitForNotification();
  EXPECT_EQ(refused.status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorReason(refused.status), "SERVER_BUSY");
  EXPECT_TRUE(HasRetryInfo(refused.status));
  gate_.Notify();
  waiting.answered.WaitForNotification();
  EXPECT_TRUE(waiting.status.ok()) << waiting.status.error_message();
}

TEST_F(OpenInferenceBatchingTest, MemoryOfEmptyPartsIsBounded) {
  constexpr int kParts = 1 << 16;
  Start({}, 16 * kParts);
  inference::ModelInferRequest request;
  request.set_model_name("large");
  // Two bytes each.
  for (int n = 0; n < kParts; ++n) request.add_inputs();
  Inferring score, sample;
  Infer(request, score);
  score.answered.WaitForNotification();
  (*request.mutable_parameters())["task"].set_string_param("sample");
  Infer(request, sample);
  sample.answered.WaitForNotification();
  for (const Inferring* refused : {&score, &sample}) {
    EXPECT_EQ(refused->status.error_code(), grpc::RESOURCE_EXHAUSTED);
    EXPECT_EQ(ErrorReason(refused->status), "TOO_MANY_BYTES");
  }
  EXPECT_EQ(budget_->in_flight(), 0);
}

TEST_F(OpenInferenceBatchingTest, WhatHasTimedOutIsNotComputed) {
  Start({});
  Occupy();
  inference::ModelInferRequest request = Request(3, 1);
  (*request.mutable_parameters())["timeout"].set_int64_param(1);
  Inferring late;
  Infer(request, late);
  AwaitWaiting(1);
  absl::SleepFor(absl::Milliseconds(1));
  gate_.Notify();
  late.answered.WaitForNotification();
  EXPECT_EQ(late.status.error_code(), grpc::DEADLINE_EXCEEDED);
  occupant_.answered.WaitForNotification();
  EXPECT_EQ(rows_, 1);
}

TEST_F(OpenInferenceBatchingTest, WhatWasTurnedAwayIsNotInTheStatistics) {
  Start({.waiting_calls = 1});
  Occupy();
  const inference::ModelInferRequest request = Request(1, 1);
  inference::ModelInferRequest bad = request;
  bad.mutable_inputs(0)->set_shape(0, 2);
  Inferring waiting, busy, malformed;
  Infer(request, waiting);
  AwaitWaiting(1);
  Infer(request, busy);
  busy.answered.WaitForNotification();
  Infer(bad, malformed);
  malformed.answered.WaitForNotification();
  EXPECT_EQ(malformed.status.error_code(), grpc::INVALID_ARGUMENT);
  gate_.Notify();
  occupant_.answered.WaitForNotification();
  waiting.answered.WaitForNotification();

  inference::ModelStatisticsRequest asked;
  asked.set_name("large");
  inference::ModelStatisticsResponse statistics;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ModelStatistics(&context, asked, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 1);
  EXPECT_EQ(statistics.model_stats(0).inference_count(), 2);
  EXPECT_EQ(statistics.model_stats(0).inference_stats().fail().count(), 1);
}

TEST_F(OpenInferenceBatchingTest, CallsAnsweredTogetherAreOneExecution) {
  Start({});
  Occupy();
  const inference::ModelInferRequest request = Request(2, 1);
  std::vector<Inferring> calls(3);
  for (Inferring& call : calls) Infer(request, call);
  AwaitWaiting(calls.size());
  gate_.Notify();
  occupant_.answered.WaitForNotification();
  for (Inferring& call : calls) call.answered.WaitForNotification();

  inference::ModelStatisticsRequest asked;
  asked.set_name("large");
  inference::ModelStatisticsResponse statistics;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ModelStatistics(&context, asked, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 1);
  EXPECT_EQ(statistics.model_stats(0).inference_count(), 4);
  EXPECT_EQ(statistics.model_stats(0).execution_count(), 2);
}

}  // namespace
}  // namespace poe::server
