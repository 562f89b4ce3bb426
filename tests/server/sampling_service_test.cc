// Reconstruct and Sample over a real connection.

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SamplingServiceTest : public DigitsServingTest {
 protected:
  // Minutes of sampling.
  static v1::SampleRequest LongSample() {
    v1::SampleRequest request;
    request.mutable_model()->set_name("large");
    request.set_chains(1000);
    request.set_steps(20'000);
    return request;
  }

  // How long the server needs to end all calls, whatever they do.
  absl::Duration TimeToEndCalls() {
    const absl::Time start = absl::Now();
    server().Drain(absl::Minutes(5));
    return absl::Now() - start;
  }
};

TEST_F(SamplingServiceTest, ReconstructionKeepsObservedValues) {
  const RowMatrix<float> bits = RandomBits(20, kDimension, 11);
  v1::ReconstructRequest request;
  request.mutable_model()->set_name("digits");
  *request.mutable_observations() = ToObservations(bits);
  std::string mask(bits.size(), '\0');
  for (std::size_t i = 0; i < mask.size(); i += 2) mask[i] = '\1';
  request.mutable_observations()->set_mask(mask);
  request.set_class_name("three");
  grpc::ClientContext context;
  v1::ReconstructResponse response;
  const grpc::Status status = stub().Reconstruct(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const std::vector<float> values = Floats(response.observations().dense());
  ASSERT_THAT(values, SizeIs(bits.size()));
  bool filled = false;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == '\1') {
      EXPECT_EQ(values[i], bits.data()[i]);
    } else {
      EXPECT_GE(values[i], 0);
      EXPECT_LE(values[i], 1);
      filled |= values[i] > 0;
    }
  }
  EXPECT_TRUE(filled);
  EXPECT_THAT(response.classes(), Each(1));
  EXPECT_EQ(response.model().version(), 2);
}

TEST_F(SamplingServiceTest, TheSeedReturnedRepeatsTheReconstruction) {
  v1::ReconstructRequest request;
  request.mutable_model()->set_name("density");
  *request.mutable_observations() =
      ToObservations(RandomBits(50, kDimension, 12));
  request.set_output(v1::ReconstructRequest::OUTPUT_SAMPLE);
  request.set_steps(3);
  v1::ReconstructResponse first, second, third;
  grpc::ClientContext contexts[3];
  ASSERT_TRUE(stub().Reconstruct(&contexts[0], request, &first).ok());
  ASSERT_TRUE(stub().Reconstruct(&contexts[1], request, &second).ok());
  EXPECT_NE(first.seed(), second.seed());
  request.set_seed(first.seed());
  ASSERT_TRUE(stub().Reconstruct(&contexts[2], request, &third).ok());
  EXPECT_EQ(third.seed(), first.seed());
  EXPECT_EQ(third.observations().dense().data(),
            first.observations().dense().data());
  EXPECT_NE(second.observations().dense().data(),
            first.observations().dense().data());
}

TEST_F(SamplingServiceTest, BadReconstructRequestsAreRefused) {
  using Change = std::function<void(v1::ReconstructRequest&)>;
  const struct {
    Change change;
    grpc::StatusCode code;
    const char* message;
  } cases[] = {
      {[](auto& r) { r.set_class_name("four"); }, grpc::INVALID_ARGUMENT,
       "class_name"},
      {[](auto& r) { r.set_steps(-1); }, grpc::INVALID_ARGUMENT, "steps"},
      {[](auto& r) { r.set_steps(50'001); }, grpc::INVALID_ARGUMENT, "50000"},
      {[](auto& r) { r.set_chains(-1); }, grpc::INVALID_ARGUMENT, "chains"},
      {[](auto& r) { r.set_layer(1); }, grpc::INVALID_ARGUMENT, "layer"},
      {[](auto& r) { r.set_layer(-1); }, grpc::INVALID_ARGUMENT, "layer"},
      {[](auto& r) { r.mutable_model()->set_name("cats"); }, grpc::NOT_FOUND,
       "cats"},
  };
  for (const auto& [change, code, message] : cases) {
    v1::ReconstructRequest request;
    request.mutable_model()->set_name("digits");
    *request.mutable_observations() =
        ToObservations(RandomBits(2, kDimension, 1));
    change(request);
    grpc::ClientContext context;
    v1::ReconstructResponse response;
    const grpc::Status status =
        stub().Reconstruct(&context, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }
}

std::vector<v1::SampleResponse> ReadAll(
    grpc::ClientReader<v1::SampleResponse>& reader) {
  std::vector<v1::SampleResponse> all;
  v1::SampleResponse response;
  while (reader.Read(&response)) all.push_back(response);
  return all;
}

TEST_F(SamplingServiceTest, SamplesComeEveryThinningStepsAndAfterTheLast) {
  v1::SampleRequest request;
  request.mutable_model()->set_name("density");
  request.set_chains(3);
  request.set_steps(25);
  request.set_annealing_steps(15);
  request.set_thinning(10);
  grpc::ClientContext context;
  auto reader = stub().Sample(&context, request);
  const std::vector<v1::SampleResponse> all = ReadAll(*reader);
  const grpc::Status status = reader->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].step(), 10);
  EXPECT_EQ(all[1].step(), 20);
  EXPECT_EQ(all[2].step(), 25);
  EXPECT_LT(all[0].inverse_temperature(), 1);
  EXPECT_EQ(all[2].inverse_temperature(), 1);
  for (const v1::SampleResponse& one : all) {
    EXPECT_THAT(one.observations().dense().shape(), ElementsAre(3, kDimension));
    EXPECT_EQ(one.model().name(), "density");
    EXPECT_EQ(one.seed(), all[0].seed());
    for (float value : Floats(one.observations().dense())) {
      EXPECT_TRUE(value == 0 || value == 1);
    }
  }

  request.set_seed(all[0].seed());
  grpc::ClientContext again;
  auto repeated = stub().Sample(&again, request);
  const std::vector<v1::SampleResponse> same = ReadAll(*repeated);
  EXPECT_TRUE(repeated->Finish().ok());
  ASSERT_THAT(same, SizeIs(3));
  EXPECT_EQ(same[2].observations().dense().data(),
            all[2].observations().dense().data());
}

TEST_F(SamplingServiceTest, BadSampleRequestsAreRefused) {
  using Change = std::function<void(v1::SampleRequest&)>;
  const struct {
    Change change;
    grpc::StatusCode code;
    const char* message;
  } cases[] = {
      {[](auto& r) { r.clear_class_name(); }, grpc::INVALID_ARGUMENT,
       "class_name"},
      {[](auto& r) { r.set_class_name("four"); }, grpc::INVALID_ARGUMENT,
       "four"},
      {[](auto& r) { r.set_steps(50'001); }, grpc::INVALID_ARGUMENT, "steps"},
      {[](auto& r) { r.set_steps(-1); }, grpc::INVALID_ARGUMENT, "steps"},
      {[](auto& r) { r.set_chains(std::numeric_limits<int>::max()); },
       grpc::INVALID_ARGUMENT, "chains"},
      {[](auto& r) { r.set_annealing_steps(11); }, grpc::INVALID_ARGUMENT,
       "annealing_steps"},
      {[](auto& r) { r.set_thinning(-1); }, grpc::INVALID_ARGUMENT, "thinning"},
      {[](auto& r) { r.set_start(v1::SampleRequest::START_DATA); },
       grpc::INVALID_ARGUMENT, "start_from"},
      {[](auto& r) { r.set_layer(1); }, grpc::INVALID_ARGUMENT, "layer"},
      {[](auto& r) { r.mutable_model()->set_version(9); }, grpc::NOT_FOUND,
       "9"},
  };
  for (const auto& [change, code, message] : cases) {
    v1::SampleRequest request;
    request.mutable_model()->set_name("digits");
    request.set_class_name("two");
    request.set_steps(10);
    change(request);
    grpc::ClientContext context;
    auto reader = stub().Sample(&context, request);
    EXPECT_THAT(ReadAll(*reader), SizeIs(0));
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }
}

TEST_F(SamplingServiceTest, ADeadlineStopsTheChainsOnTheServer) {
  grpc::ClientContext context;
  context.set_deadline(
      absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
  auto reader = stub().Sample(&context, LongSample());
  EXPECT_THAT(ReadAll(*reader), SizeIs(0));
  EXPECT_EQ(reader->Finish().error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_LT(TimeToEndCalls(), absl::Seconds(10));
}

TEST_F(SamplingServiceTest, CancellingStopsTheChainsOnTheServer) {
  grpc::ClientContext context;
  auto reader = stub().Sample(&context, LongSample());
  absl::SleepFor(absl::Milliseconds(100));
  context.TryCancel();
  EXPECT_THAT(ReadAll(*reader), SizeIs(0));
  EXPECT_EQ(reader->Finish().error_code(), grpc::CANCELLED);
  EXPECT_LT(TimeToEndCalls(), absl::Seconds(10));
}

TEST_F(SamplingServiceTest, CancellingStopsAReconstructionOnTheServer) {
  v1::ReconstructRequest request;
  request.mutable_model()->set_name("large");
  *request.mutable_observations() = ToObservations(RandomBits(1000, 784, 1));
  request.set_steps(20'000);
  grpc::ClientContext context;
  context.set_deadline(
      absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
  v1::ReconstructResponse response;
  EXPECT_EQ(stub().Reconstruct(&context, request, &response).error_code(),
            grpc::DEADLINE_EXCEEDED);
  EXPECT_LT(TimeToEndCalls(), absl::Seconds(10));
}

TEST_F(SamplingServiceTest, AClientThatDoesNotReadHoldsUpOnlyItself) {
  v1::SampleRequest request = LongSample();
  request.set_thinning(1);
  request.set_chains(2000);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::SampleResponse>>> readers;
  for (int i = 0; i < 4; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(stub().Sample(contexts.back().get(), request));
  }
  // Scoring goes on while all threads that sample wait.
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
  v1::ScoreRequest score;
  score.mutable_model()->set_name("digits");
  *score.mutable_observations() =
      ToObservations(RandomBits(4000, kDimension, 1));
  v1::ScoreResponse response;
  const grpc::Status status = stub().Score(&context, score, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  for (auto& one : contexts) one->TryCancel();
  for (auto& one : readers) {
    ReadAll(*one);
    EXPECT_EQ(one->Finish().error_code(), grpc::CANCELLED);
  }
  EXPECT_LT(TimeToEndCalls(), absl::Seconds(10));
}

}  // namespace
}  // namespace poe::server
