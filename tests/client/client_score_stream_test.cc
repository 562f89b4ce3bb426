#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace poe::client {
namespace {

// The "score" of a row is the sum of its values.
v1::ScoreResponse Answer(const v1::ScoreRequest& request) {
  const v1::Tensor& dense = request.observations().dense();
  const std::vector<float> values = *TensorFloats(dense);
  const int64_t rows = dense.shape(0);
  const int64_t dimension = dense.shape(1);
  std::vector<double> scores;
  for (int64_t row = 0; row < rows; ++row) {
    scores.push_back(std::accumulate(values.begin() + row * dimension,
                                     values.begin() + (row + 1) * dimension,
                                     0.0));
  }
  v1::ScoreResponse response;
  response.add_class_names("data");
  *response.mutable_log_scores() = MakeTensor({rows, 1, 1}, scores);
  return response;
}

// Answers each request of a stream, and keeps what it was asked.
struct Recorder {
  explicit Recorder(FakeServer& fake) {
    fake.experts.score_stream = [this](grpc::ServerContext*,
                                       FakeExperts::ScoreStreamType* stream) {
      v1::ScoreRequest request;
      while (stream->Read(&request)) {
        requests.push_back(request);
        stream->Write(Answer(request));
      }
      return grpc::Status::OK;
    };
  }

  std::vector<v1::ScoreRequest> requests;
};

v1::ScoreRequest ManyRows(int64_t rows) {
  std::vector<float> values(rows * 4);
  std::iota(values.begin(), values.end(), 0.0f);
  v1::ScoreRequest request;
  request.mutable_model()->set_name("digits");
  *request.mutable_observations() =
      MakeObservations(absl::MakeConstSpan(values), 4);
  return request;
}

TEST(ScoreAllTest, JoinsTheAnswersToPiecesInOrder) {
  FakeServer fake;
  Recorder recorder(fake);
  const v1::ScoreRequest request = ManyRows(1000);
  std::vector<int64_t> progress;
  const auto response = fake.client->ScoreAll(
      request, {.chunk = {.rows = 1000, .bytes = 7 * 16 + 5}},
      [&](int64_t rows) { progress.push_back(rows); });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(*TensorDoubles(response->log_scores()),
            *TensorDoubles(Answer(request).log_scores()));
  EXPECT_EQ(recorder.requests.size(), 143);  // 142 x 7 + 6
  EXPECT_EQ(progress.size(), 143);
  EXPECT_EQ(progress.front(), 7);
  EXPECT_EQ(progress.back(), 1000);
}

TEST(ScoreAllTest, NamesTheModelOnce) {
  FakeServer fake;
  Recorder recorder(fake);
  ASSERT_TRUE(fake.client->ScoreAll(ManyRows(3), {.chunk = {.rows = 1}}).ok());
  ASSERT_EQ(recorder.requests.size(), 3);
  EXPECT_EQ(recorder.requests[0].model().name(), "digits");
  EXPECT_FALSE(recorder.requests[1].has_model());
}

TEST(ScoreAllTest, GivesEachRowTheDrawsThatOneRequestWouldGive) {
  FakeServer fake;
  Recorder recorder(fake);
  v1::ScoreRequest request = ManyRows(5);
  request.mutable_missing()->set_chains(3);
  ASSERT_TRUE(fake.client->ScoreAll(request, {.chunk = {.rows = 2}}).ok());
  std::vector<uint64_t> ids;
  std::set<uint64_t> seeds;
  for (const v1::ScoreRequest& piece : recorder.requests) {
    const auto& piece_ids = piece.observations().row_ids();
    ids.insert(ids.end(), piece_ids.begin(), piece_ids.end());
    seeds.insert(piece.missing().seed());
    EXPECT_EQ(piece.missing().chains(), 3);
  }
  EXPECT_THAT(ids, testing::ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(seeds.size(), 1);
}

TEST(ScoreAllTest, AnErrorInTheMiddleEndsIt) {
  FakeServer fake;
  fake.experts.score_stream = [](grpc::ServerContext*,
                                 FakeExperts::ScoreStreamType* stream) {
    v1::ScoreRequest request;
    stream->Read(&request);
    stream->Write(Answer(request));
    stream->Read(&request);
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "row 3 is bad");
  };
  const absl::Status status =
      fake.client->ScoreAll(ManyRows(100000), {.chunk = {.rows = 2}}).status();
  EXPECT_EQ(status, absl::InvalidArgumentError("row 3 is bad"));
}

TEST(ScoreAllTest, RefusesAnswersToTooFewRows) {
  FakeServer fake;
  fake.experts.score_stream = [](grpc::ServerContext*,
                                 FakeExperts::ScoreStreamType* stream) {
    v1::ScoreRequest request;
    while (stream->Read(&request)) {
    }
    stream->Write(Answer(request));
    return grpc::Status::OK;
  };
  EXPECT_EQ(fake.client->ScoreAll(ManyRows(6), {.chunk = {.rows = 2}})
                .status()
                .code(),
            absl::StatusCode::kInternal);
}

TEST(ScoreAllTest, BigAnswersDoNotStopIt) {
  FakeServer fake;
  fake.experts.score_stream = [](grpc::ServerContext*,
                                 FakeExperts::ScoreStreamType* stream) {
    v1::ScoreRequest request;
    while (stream->Read(&request)) {
      v1::ScoreResponse response = Answer(request);
      *response.add_expert_scores()->mutable_log_scores() = MakeTensor(
          {request.observations().dense().shape(0), 4000},
          std::vector<double>(request.observations().dense().shape(0) * 4000));
      stream->Write(response);
    }
    return grpc::Status::OK;
  };
  const auto response =
      fake.client->ScoreAll(ManyRows(400), {.chunk = {.rows = 50}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->expert_scores(0).log_scores().shape(0), 400);
}

TEST(ScoreAllTest, RefusesObservationsThatDoNotFitTogether) {
  FakeServer fake;
  v1::ScoreRequest request = ManyRows(3);
  request.mutable_observations()->set_mask("\1\1");
  EXPECT_EQ(fake.client->ScoreAll(request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ScoreStreamTest, NeverHasMoreRequestsUnansweredThanAllowed) {
  FakeServer fake;
  Recorder recorder(fake);
  constexpr int kAllowed = 3;
  std::atomic<int> sent = 0;
  int received = 0;
  int most = 0;
  const absl::Status status = fake.client->ScoreStream(
      kAllowed,
      [&](v1::ScoreRequest& request) -> absl::StatusOr<bool> {
        if (sent == 200) return false;
        request = ManyRows(1);
        ++sent;
        return true;
      },
      [&](const v1::ScoreResponse&) {
        // The one at hand counts as answered.
        ++received;
        most = std::max(most, sent - received);
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(received, 200);
  EXPECT_LE(most, kAllowed);
}

TEST(ScoreStreamTest, AnErrorOfTheSourceIsTheResult) {
  FakeServer fake;
  Recorder recorder(fake);
  const absl::Status status = fake.client->ScoreStream(
      1,
      [](v1::ScoreRequest&) -> absl::StatusOr<bool> {
        return absl::DataLossError("the file is damaged");
      },
      [](const v1::ScoreResponse&) { return absl::OkStatus(); });
  EXPECT_EQ(status, absl::DataLossError("the file is damaged"));
}

}  // namespace
}  // namespace poe::client
