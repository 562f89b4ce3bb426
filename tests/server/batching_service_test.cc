// Score, ScoreStream and Reconstruct in batches, over a real connection.

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/unknown_field_set.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/batcher.h"
#include "server/request_observer.h"
#include "server/services/product_of_experts_service.h"
#include "server/training_jobs.h"
#include "tests/server/batching_testing.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

// Keeps the first call that ends from being over until it may be.
class FirstCallStays final : public RequestObserver {
 public:
  void OnFinish(const RequestReport&) override {
    if (stays_.exchange(true)) return;
    ended_.Notify();
    go_.WaitForNotification();
  }
  void AwaitEnd() const { ended_.WaitForNotification(); }
  void LetGo() { go_.Notify(); }

 private:
  std::atomic<bool> stays_ = false;
  absl::Notification ended_;
  absl::Notification go_;
};

class BatchingServiceTest : public BatchingTest {
 protected:
  BatchingServiceTest() {
    Publish("small", RandomModel(kSmallDimension, 2, {"two", "three"}, 1));
  }

  void Start(const Batcher::Options& options, std::int64_t bytes,
             std::vector<RequestObserver*> observers = {}) {
    ASSERT_NO_FATAL_FAILURE(StartBatcher(options, bytes));
    auto jobs = TrainingJobs::Open(repository_.get(), {});
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    jobs_ = *std::move(jobs);
    service_ = std::make_unique<ProductOfExpertsService>(
        ProductOfExpertsService::Resources{.repository = *repository_,
                                           .jobs = *jobs_,
                                           .batching = batching(),
                                           .workers = Workers::Inline(),
                                           .sampling = executor_,
                                           .uploads = executor_,
                                           .limits = {}});
    stub_ =
        v1::ProductOfExperts::NewStub(Serve(*service_, std::move(observers)));
  }

  static v1::ScoreRequest Scoring(Index rows, unsigned seed) {
    v1::ScoreRequest request;
    request.mutable_model()->set_name("large");
    *request.mutable_observations() =
        ToObservations(RandomBits(rows, kDimension, seed));
    return request;
  }

  static v1::ScoreRequest SmallScoring() {
    v1::ScoreRequest request;
    request.mutable_model()->set_name("small");
    *request.mutable_observations() =
        ToObservations(RandomBits(1, kSmallDimension, 1));
    return request;
  }

  void Occupy() {
    Score(occupying_, occupant_);
    AwaitOccupied(occupant_.answered);
  }

  void Score(const v1::ScoreRequest& request, Asked<v1::ScoreResponse>& asked) {
    stub_->async()->Score(&asked.context, &request, &asked.response,
                          asked.Callback());
  }

  static constexpr Index kSmallDimension = 4;

  FirstCallStays first_call_;  // where it is one of the observers
  const v1::ScoreRequest occupying_ = Scoring(1, 0);
  Asked<v1::ScoreResponse> occupant_;
  std::unique_ptr<TrainingJobs> jobs_;
  std::unique_ptr<ProductOfExpertsService> service_;
  std::unique_ptr<v1::ProductOfExperts::Stub> stub_;
};

TEST_F(BatchingServiceTest, AnswersAreTheSameToTheBitInBatchesAndAlone) {
  Start({}, 64 << 20);
  constexpr int kCalls = 24;
  std::vector<v1::ScoreRequest> scoring;
  std::vector<v1::ReconstructRequest> reconstructing;
  for (int i = 0; i < kCalls; ++i) {
    // Those of 30 rows are decoded by another thread.
    v1::ScoreRequest score = Scoring(i % 6 == 0 ? 30 : 1 + i % 3, i);
    score.set_per_expert(i % 2 == 0);
    v1::ReconstructRequest reconstruct;
    *reconstruct.mutable_model() = score.model();
    *reconstruct.mutable_observations() = score.observations();
    reconstruct.set_seed(i % 2);
    reconstruct.set_steps(2);
    if (i % 3 == 0) {
      const Index rows = score.observations().dense().shape(0);
      std::string mask(rows * kDimension, '\1');
      std::fill_n(mask.begin(), kDimension / 2, '\0');
      reconstruct.mutable_observations()->set_mask(mask);
    }
    if (i % 4 == 0) reconstruct.set_class_name("three");
    scoring.push_back(score);
    reconstructing.push_back(reconstruct);
  }
  Occupy();
  std::vector<Asked<v1::ScoreResponse>> scored(kCalls);
  std::vector<Asked<v1::ReconstructResponse>> reconstructed(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    Score(scoring[i], scored[i]);
    stub_->async()->Reconstruct(&reconstructed[i].context, &reconstructing[i],
                                &reconstructed[i].response,
                                reconstructed[i].Callback());
  }
  AwaitWaiting(2 * kCalls);
  EXPECT_GT(budget_->in_flight(), 2 * kCalls * kDimension);
  gate_.Notify();
  for (int i = 0; i < kCalls; ++i) {
    scored[i].answered.WaitForNotification();
    reconstructed[i].answered.WaitForNotification();
  }
  // At most one for each set of options, and one for the occupant.
  EXPECT_LE(batches_, 1 + 2 + 8);
  EXPECT_EQ(budget_->in_flight(), 0);

  for (int i = 0; i < kCalls; ++i) {
    grpc::ClientContext score_context, reconstruct_context;
    v1::ScoreResponse score;
    v1::ReconstructResponse reconstruct;
    ASSERT_TRUE(stub_->Score(&score_context, scoring[i], &score).ok());
    ASSERT_TRUE(
        stub_
            ->Reconstruct(&reconstruct_context, reconstructing[i], &reconstruct)
            .ok());
    ASSERT_TRUE(scored[i].status.ok()) << scored[i].status.error_message();
    ASSERT_TRUE(reconstructed[i].status.ok())
        << reconstructed[i].status.error_message();
    EXPECT_EQ(scored[i].response.SerializeAsString(),
              score.SerializeAsString());
    EXPECT_EQ(reconstructed[i].response.SerializeAsString(),
              reconstruct.SerializeAsString());
  }
}

TEST_F(BatchingServiceTest, StreamsShareBatches) {
  Start({}, 64 << 20);
  Occupy();
  grpc::ClientContext first_context, second_context;
  const auto first = stub_->ScoreStream(&first_context);
  const auto second = stub_->ScoreStream(&second_context);
  ASSERT_TRUE(first->Write(Scoring(1, 1)));
  ASSERT_TRUE(second->Write(Scoring(2, 2)));
  AwaitWaiting(2);
  gate_.Notify();
  v1::ScoreResponse response;
  ASSERT_TRUE(first->Read(&response));
  EXPECT_EQ(response.labels_size(), 1);
  ASSERT_TRUE(second->Read(&response));
  EXPECT_EQ(response.labels_size(), 2);
  EXPECT_EQ(batches_, 2);
  for (const auto& stream : {first.get(), second.get()}) {
    stream->WritesDone();
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(BatchingServiceTest, StreamsThatWaitHoldNoMemoryOfWhatCameBefore) {
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  GTEST_SKIP() << "AddressSanitizer's memory is not glibc's, which is measured";
#endif
  constexpr int kStreams = 16;
  constexpr std::size_t kBytes = 3 << 20;
  Start({}, 64 << 20);
  gate_.Notify();
  v1::ScoreRequest request = Scoring(1, 1);
  request.GetReflection()
      ->MutableUnknownFields(&request)
      ->AddLengthDelimited(1000)
      ->assign(kBytes, '\1');
  const auto allocated = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  struct Waiting {
    grpc::ClientContext context;
    std::unique_ptr<
        grpc::ClientReaderWriter<v1::ScoreRequest, v1::ScoreResponse>>
        stream;
  };
  std::vector<Waiting> waiting(kStreams);
  const std::size_t before = allocated();
  for (Waiting& one : waiting) {
    one.stream = stub_->ScoreStream(&one.context);
    v1::ScoreResponse response;
    ASSERT_TRUE(one.stream->Write(request));
    ASSERT_TRUE(one.stream->Read(&response));
  }
  // An answer may be here before its request is gone.
  const std::size_t most = before + kStreams * kBytes / 2;
  for (int i = 0; i < 1000 && allocated() >= most; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_LT(allocated(), most);
  for (Waiting& one : waiting) {
    one.stream->WritesDone();
    EXPECT_TRUE(one.stream->Finish().ok());
  }
}

TEST_F(BatchingServiceTest, ABadRequestIsRefusedAtOnceAndHarmsNoOther) {
  Start({}, 64 << 20);
  Occupy();
  const v1::ScoreRequest good = Scoring(1, 1);
  v1::ScoreRequest bad = Scoring(1, 1);
  bad.mutable_observations()->mutable_dense()->set_shape(0, 2);
  Asked<v1::ScoreResponse> scored, refused;
  Score(good, scored);
  Score(bad, refused);
  refused.answered.WaitForNotification();
  EXPECT_EQ(refused.status.error_code(), grpc::INVALID_ARGUMENT);
  gate_.Notify();
  scored.answered.WaitForNotification();
  EXPECT_TRUE(scored.status.ok());
}

TEST_F(BatchingServiceTest, OverloadIsRefusedAtOnceWithATimeToTryAgain) {
  Start({.waiting_calls = 1}, 64 << 20);
  Occupy();
  const v1::ScoreRequest request = Scoring(1, 1);
  Asked<v1::ScoreResponse> waiting, refused;
  Score(request, waiting);
  AwaitWaiting(1);
  Score(request, refused);
  refused.answered.WaitForNotification();
  EXPECT_EQ(refused.status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorReason(refused.status), "SERVER_BUSY");
  EXPECT_TRUE(HasRetryInfo(refused.status));
  gate_.Notify();
  waiting.answered.WaitForNotification();
  EXPECT_TRUE(waiting.status.ok());
}

TEST_F(BatchingServiceTest, SmallCallsDoNotWaitForTheBatcher) {
  Start({}, 64 << 20);
  Occupy();
  const v1::ScoreRequest small = SmallScoring();
  grpc::ClientContext context;
  v1::ScoreResponse response;
  ASSERT_TRUE(stub_->Score(&context, small, &response).ok());
  EXPECT_EQ(response.labels_size(), 1);
  EXPECT_EQ(batches_, 1);
  EXPECT_EQ(batcher_->waiting_calls(), 0u);
}

TEST_F(BatchingServiceTest, SmallCallsThatComeMeanwhileAreQueuedAndRefused) {
  Start({.waiting_calls = 1}, 64 << 20, {&first_call_});
  const v1::ScoreRequest small = SmallScoring();
  Asked<v1::ScoreResponse> quick, waiting, refused;
  Score(small, quick);
  first_call_.AwaitEnd();
  Score(small, occupant_);
  AwaitOccupied(occupant_.answered);
  EXPECT_GT(budget_->in_flight(), 0);
  Score(small, waiting);
  AwaitWaiting(1);
  Score(small, refused);
  refused.answered.WaitForNotification();
  EXPECT_EQ(refused.status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorReason(refused.status), "SERVER_BUSY");
  first_call_.LetGo();
  gate_.Notify();
  for (Asked<v1::ScoreResponse>* asked : {&quick, &occupant_, &waiting}) {
    asked->answered.WaitForNotification();
    EXPECT_TRUE(asked->status.ok()) << asked->status.error_message();
  }
  EXPECT_EQ(quick.response.SerializeAsString(),
            occupant_.response.SerializeAsString());
}

TEST_F(BatchingServiceTest, BytesOfAllRequestsAreBounded) {
  const v1::ScoreRequest request = Scoring(1, 1);
  const auto bytes = static_cast<std::int64_t>(request.ByteSizeLong());
  Start({}, 2 * bytes + bytes / 2);
  Occupy();
  Asked<v1::ScoreResponse> waiting, refused, later;
  Score(request, waiting);
  AwaitWaiting(1);
  Score(request, refused);
  refused.answered.WaitForNotification();
  EXPECT_EQ(refused.status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorReason(refused.status), "TOO_MANY_BYTES");
  EXPECT_TRUE(HasRetryInfo(refused.status));
  gate_.Notify();
  waiting.answered.WaitForNotification();
  EXPECT_TRUE(waiting.status.ok());
  Score(request, later);
  later.answered.WaitForNotification();
  EXPECT_TRUE(later.status.ok());
}

TEST_F(BatchingServiceTest, WhatHasExpiredIsNotComputed) {
  constexpr absl::Duration kTimeout = absl::Milliseconds(200);
  Start({}, 64 << 20);
  Occupy();
  const v1::ScoreRequest request = Scoring(3, 1);
  Asked<v1::ScoreResponse> expired;
  expired.context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  Score(request, expired);
  // A slow machine may let the deadline pass before the call arrives.
  Await([&] {
    return batcher_->waiting_calls() == 1 || expired.answered.HasBeenNotified();
  });
  // However long the way was, the server's deadline is over by then.
  absl::SleepFor(2 * kTimeout);
  expired.answered.WaitForNotification();
  EXPECT_EQ(expired.status.error_code(), grpc::DEADLINE_EXCEEDED);
  gate_.Notify();
  AwaitWaiting(0);
  occupant_.answered.WaitForNotification();
  grpc_->Shutdown();
  EXPECT_EQ(rows_, 1);
}

TEST(BatchingOptionsTest, OutOfRangeOptionsAreRefused) {
  ServerOptions options;
  options.repository = ::testing::TempDir() + "/poe_batching_options";
  options.listen = "localhost:0";
  const auto message = [](const ServerOptions& options) {
    return std::string(Server::Start(options).status().message());
  };
  ServerOptions changed = options;
  changed.batch_rows = 0;
  EXPECT_THAT(message(changed), HasSubstr("batch_rows is 0"));
  changed = options;
  changed.batch_delay = -absl::Milliseconds(1);
  EXPECT_THAT(message(changed), HasSubstr("batch_delay_ms is -1"));
  changed = options;
  changed.queue_calls = 0;
  EXPECT_THAT(message(changed), HasSubstr("queue_calls is 0"));
  changed = options;
  changed.max_bytes_in_flight = changed.max_message_bytes - 1;
  EXPECT_THAT(message(changed), HasSubstr("max_bytes_in_flight"));
}

}  // namespace
}  // namespace poe::server
