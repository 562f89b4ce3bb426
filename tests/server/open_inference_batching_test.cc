// ModelInfer in batches, over a real connection.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "inference/open_inference.grpc.pb.h"
#include "server/batcher.h"
#include "server/byte_budget.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/row_answers.h"
#include "server/services/open_inference_service.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

constexpr Index kDimension = 784;

bool SaysWhenToRetry(const grpc::Status& status) {
  google::rpc::Status details;
  return details.ParseFromString(status.error_details()) &&
         std::any_of(details.details().begin(), details.details().end(),
                     [](const auto& any) {
                       return any.template Is<google::rpc::RetryInfo>();
                     });
}

// A call that does not wait for its answer.
struct Inferring {
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  grpc::Status status;
  absl::Notification answered;
};

// A service whose batcher waits at a gate before each batch.
class OpenInferenceBatchingTest : public ServingTest {
 protected:
  OpenInferenceBatchingTest() {
    Publish("large", RandomModel(kDimension, 200, {"two", "three"}, 1));
  }

  ~OpenInferenceBatchingTest() override {
    if (!gate_.HasBeenNotified()) gate_.Notify();
    if (batches_ > 0) occupant_.answered.WaitForNotification();
    if (grpc_ != nullptr) grpc_->Shutdown();
  }

  void Start(const Batcher::Options& options) {
    auto opened = ModelRepository::Open(repository());
    ASSERT_TRUE(opened.ok()) << opened.status();
    repository_ = *std::move(opened);
    batcher_ = std::make_unique<Batcher>(
        options, [this](const Model& model, const RawRows& rows,
                        const RowQuestion& question, InterruptCheck check) {
          ++batches_;
          gate_.WaitForNotification();
          rows_ += rows.size();
          return Ask(model, rows, question, Workers::Inline(), check);
        });
    service_ = std::make_unique<OpenInferenceService>(
        OpenInferenceService::Resources{.repository = *repository_,
                                        .batching = {.budget = budget_,
                                                     .compute = executor_,
                                                     .batcher = *batcher_},
                                        .workers = Workers::Inline(),
                                        .sampling = executor_,
                                        .files = executor_,
                                        .limits = {}});
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(service_.get());
    grpc_ = builder.BuildAndStart();
    ASSERT_NE(grpc_, nullptr);
    stub_ = inference::GRPCInferenceService::NewStub(grpc::CreateChannel(
        absl::StrCat("localhost:", port), grpc::InsecureChannelCredentials()));
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
                               [&call](grpc::Status got) {
                                 call.status = std::move(got);
                                 call.answered.Notify();
                               });
  }

  void AwaitWaiting(std::size_t calls) {
    while (batcher_->waiting_calls() != calls) std::this_thread::yield();
  }

  // Returns when the only thread of the batcher has begun to answer it.
  void Occupy() {
    Infer(occupying_, occupant_);
    while (batches_ != 1) std::this_thread::yield();
  }

  const inference::ModelInferRequest occupying_ = Request(1, 0);
  Inferring occupant_;
  absl::Notification gate_;
  std::atomic<int> batches_ = 0;
  std::atomic<Index> rows_ = 0;
  std::unique_ptr<ModelRepository> repository_;
  ByteBudget budget_{64 << 20};
  Executor executor_{1, 100};
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<OpenInferenceService> service_;
  std::unique_ptr<grpc::Server> grpc_;
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
  EXPECT_GT(budget_.in_flight(), kCalls * kDimension);
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
  EXPECT_EQ(budget_.in_flight(), 0);
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
  EXPECT_TRUE(SaysWhenToRetry(refused.status));
  gate_.Notify();
  waiting.answered.WaitForNotification();
  EXPECT_TRUE(waiting.status.ok()) << waiting.status.error_message();
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

}  // namespace
}  // namespace poe::server
