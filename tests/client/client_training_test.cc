#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;

absl::Status Ignore(const v1::TrainResponse&) { return absl::OkStatus(); }

v1::Observations Rows(int64_t rows) {
  return MakeObservations(
      absl::MakeConstSpan(std::vector<uint8_t>(rows * 784, 7)), 784);
}

// Receives a whole training stream and completes a job.
struct Trainer {
  explicit Trainer(FakeServer& fake) {
    fake.experts.train = [this](grpc::ServerContext*,
                                FakeExperts::TrainStreamType* stream) {
      v1::TrainRequest request;
      stream->Read(&request);
      start = request.start();
      v1::TrainResponse response;
      response.mutable_accepted()->set_name("jobs/1");
      response.mutable_accepted()->set_state(v1::Job::STATE_RECEIVING);
      stream->Write(response);
      while (stream->Read(&request)) {
        const v1::TrainChunk& chunk = request.chunk();
        EXPECT_EQ(chunk.row_offset(), rows);
        EXPECT_EQ(chunk.labels_size(), RowCount(chunk.observations()));
        labels.insert(labels.end(), chunk.labels().begin(),
                      chunk.labels().end());
        rows += RowCount(chunk.observations());
        ++chunks;
        response.set_acknowledged_rows(rows);
        stream->Write(response);
      }
      response.mutable_event()->mutable_progress()->set_epoch(1);
      stream->Write(response);
      response.mutable_completed()->set_version(4);
      stream->Write(response);
      return grpc::Status::OK;
    };
  }

  v1::TrainStart start;
  std::vector<int32_t> labels;
  int64_t rows = 0;
  int chunks = 0;
};

TEST(TrainAllTest, SendsTheStartThenAllRowsAndReturnsTheJob) {
  FakeServer fake;
  Trainer trainer(fake);
  v1::TrainStart start;
  start.set_model_name("digits");
  std::vector<int32_t> labels(10000);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = i % 10;
  std::vector<int> kinds;
  int64_t acknowledged = 0;
  const auto job = fake.client->TrainAll(
      start, Rows(10000), labels, [&](const v1::TrainResponse& response) {
        if (response.has_acknowledged_rows()) {
          acknowledged = response.acknowledged_rows();
        } else {
          kinds.push_back(response.kind_case());
        }
        return absl::OkStatus();
      });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->version(), 4);
  EXPECT_EQ(trainer.start.model_name(), "digits");
  EXPECT_EQ(trainer.rows, 10000);
  EXPECT_EQ(trainer.labels, labels);
  // 1 MiB of 784 bytes each.
  EXPECT_EQ(trainer.chunks, 8);
  EXPECT_EQ(acknowledged, 10000);
  EXPECT_THAT(kinds, ElementsAre(v1::TrainResponse::kAccepted,
                                 v1::TrainResponse::kEvent,
                                 v1::TrainResponse::kCompleted));
}

TEST(TrainAllTest, RefusesAnotherNumberOfLabels) {
  FakeServer fake;
  const std::vector<int32_t> labels(3);
  EXPECT_EQ(fake.client->TrainAll({}, Rows(4), labels, Ignore).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(TrainTest, ARefusalAtTheStartStopsTheSending) {
  FakeServer fake;
  fake.experts.train = [](grpc::ServerContext*, FakeExperts::TrainStreamType*) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no such kind");
  };
  // It would never end by itself.
  const auto source = [](int64_t,
                         v1::TrainChunk& chunk) -> absl::StatusOr<bool> {
    *chunk.mutable_observations() = Rows(100);
    return true;
  };
  EXPECT_EQ(fake.client->Train({}, source, Ignore).status(),
            absl::InvalidArgumentError("no such kind"));
}

TEST(TrainTest, AnErrorOfTheSourceIsTheResult) {
  FakeServer fake;
  Trainer trainer(fake);
  const auto source = [](int64_t, v1::TrainChunk&) -> absl::StatusOr<bool> {
    return absl::NotFoundError("no such file");
  };
  EXPECT_EQ(fake.client->Train({}, source, Ignore).status(),
            absl::NotFoundError("no such file"));
}

TEST(TrainTest, AnErrorOfTheReceiverIsTheResult) {
  FakeServer fake;
  Trainer trainer(fake);
  const auto enough = [](const v1::TrainResponse&) {
    return absl::CancelledError("enough");
  };
  EXPECT_EQ(fake.client->TrainAll({}, Rows(4), {0, 0, 0, 0}, enough).status(),
            absl::CancelledError("enough"));
}

TEST(TrainTest, ABrokenStreamIsTakenUpWhereTheServerGotTo) {
  FakeServer fake;
  int64_t kept = 0;
  int streams = 0;
  fake.experts.train = [&](grpc::ServerContext*,
                           FakeExperts::TrainStreamType* stream) {
    ++streams;
    v1::TrainRequest request;
    stream->Read(&request);
    EXPECT_EQ(request.start().request_id(), "abc");
    v1::TrainResponse response;
    response.mutable_accepted()->set_state(v1::Job::STATE_RECEIVING);
    response.mutable_accepted()->set_rows(kept);
    stream->Write(response);
    while (stream->Read(&request)) {
      EXPECT_EQ(request.chunk().row_offset(), kept);
      kept += RowCount(request.chunk().observations());
      if (streams < 3) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
      }
    }
    response.mutable_completed()->set_version(4);
    stream->Write(response);
    return grpc::Status::OK;
  };
  v1::TrainStart start;
  start.set_request_id("abc");
  const auto source = [](int64_t row_offset,
                         v1::TrainChunk& chunk) -> absl::StatusOr<bool> {
    if (row_offset >= 5) return false;
    *chunk.mutable_observations() = Rows(1);
    return true;
  };
  const auto job = fake.client->Train(start, source, Ignore);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->version(), 4);
  EXPECT_EQ(kept, 5);
  EXPECT_EQ(streams, 3);
}

TEST(TrainTest, WithoutARequestIdABrokenStreamIsTheResult) {
  FakeServer fake;
  int streams = 0;
  fake.experts.train = [&](grpc::ServerContext*,
                           FakeExperts::TrainStreamType*) {
    ++streams;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
  };
  EXPECT_EQ(fake.client->TrainAll({}, Rows(1), {}, Ignore).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(streams, 1);
}

TEST(TrainTest, AStreamThatEndsWithoutAJobIsAnError) {
  FakeServer fake;
  fake.experts.train = [](grpc::ServerContext*, FakeExperts::TrainStreamType*) {
    return grpc::Status::OK;
  };
  EXPECT_EQ(fake.client->TrainAll({}, Rows(1), {}, Ignore).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace poe::client
