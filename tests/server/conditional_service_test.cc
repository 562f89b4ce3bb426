// A conditional model of symbols over a real connection: trained, scored,
// reconstructed and sampled.
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

constexpr int kSymbols = 3;
constexpr int kGivenRows = 300;

// Rows of three symbols: two inputs, and the first of them again.
class ConditionalServiceTest : public ServingTest {
 protected:
  ConditionalServiceTest() {
    StartServer();
    Train();
  }

  // Row n of the data, its output moved on by `shift`.
  static std::vector<std::int32_t> Rows(int rows, int shift) {
    std::vector<std::int32_t> symbols;
    for (int n = 0; n < rows; ++n) {
      symbols.push_back(n % kSymbols);
      symbols.push_back(n / kSymbols % kSymbols);
      symbols.push_back((n + shift) % kSymbols);
    }
    return symbols;
  }

  static v1::Observations ToObservations(
      const std::vector<std::int32_t>& symbols) {
    v1::Observations observations;
    v1::Tensor& dense = *observations.mutable_dense();
    dense.add_shape(static_cast<std::int64_t>(symbols.size()) / 3);
    dense.add_shape(3);
    dense.set_element_type(v1::ELEMENT_TYPE_INT32);
    dense.set_data(symbols.data(), symbols.size() * sizeof(symbols[0]));
    return observations;
  }

  static std::vector<std::int32_t> Symbols(const v1::Tensor& tensor) {
    EXPECT_EQ(tensor.element_type(), v1::ELEMENT_TYPE_INT32);
    std::vector<std::int32_t> symbols(tensor.data().size() / 4);
    tensor.data().copy(reinterpret_cast<char*>(symbols.data()),
                       tensor.data().size());
    return symbols;
  }

  // Inputs must be those of `given`; how many outputs repeat the first input.
  static int CountRepeated(const std::vector<std::int32_t>& symbols,
                           const std::vector<std::int32_t>& given) {
    EXPECT_EQ(symbols.size(), given.size());
    if (symbols.size() != given.size()) return 0;
    int repeated = 0;
    for (std::size_t i = 0; i < symbols.size(); i += 3) {
      EXPECT_EQ(symbols[i], given[i]);
      EXPECT_EQ(symbols[i + 1], given[i + 1]);
      repeated += symbols[i + 2] == symbols[i];
    }
    return repeated;
  }

  std::vector<double> LogScores(const std::vector<std::int32_t>& symbols) {
    v1::ScoreRequest request;
    request.mutable_model()->set_name("repeat");
    *request.mutable_observations() = ToObservations(symbols);
    v1::ScoreResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub().Score(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return Doubles(response.log_scores());
  }

 private:
  void Train() {
    grpc::ClientContext context;
    const auto stream = stub().Train(&context);
    v1::TrainRequest request;
    v1::TrainStart& start = *request.mutable_start();
    start.set_model_name("repeat");
    start.set_seed(5);
    v1::DataSpec& spec = *start.mutable_data_spec();
    spec.set_family(v1::FAMILY_CATEGORICAL);
    spec.set_dimension(3);
    spec.set_num_symbols(kSymbols);
    spec.add_input_coordinates(1);
    spec.add_input_coordinates(0);
    v1::GroupSettings& group = *start.add_products()->add_groups();
    group.set_num_experts(9);
    group.mutable_bernoulli_units()->set_initial_weight_scale(0.1);
    v1::ContrastiveDivergenceStage& stage =
        *start.add_stages()->mutable_contrastive_divergence();
    stage.set_epochs(100);
    stage.mutable_optimizer()->set_kind(v1::OptimizerSettings::KIND_ADAM);
    stage.mutable_optimizer()->set_rate(0.03);
    stream->Write(request);
    v1::TrainChunk& chunk = *request.mutable_chunk();
    *chunk.mutable_observations() = ToObservations(Rows(kGivenRows, 0));
    stream->Write(request);
    stream->WritesDone();
    v1::TrainResponse response;
    while (stream->Read(&response)) {
    }
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.completed().version(), 1);
  }
};

TEST_F(ConditionalServiceTest, OutputsThatFitTheirInputsScoreHigher) {
  const std::vector<double> right = LogScores(Rows(9, 0));
  const std::vector<double> wrong = LogScores(Rows(9, 1));
  ASSERT_EQ(right.size(), 9u);
  ASSERT_EQ(wrong.size(), 9u);
  for (int n = 0; n < 9; ++n) EXPECT_GT(right[n], wrong[n]) << n;
}

TEST_F(ConditionalServiceTest, AMissingOutputIsFilledInFromTheInputs) {
  const std::vector<std::int32_t> given = Rows(90, 1);
  v1::ReconstructRequest request;
  request.mutable_model()->set_name("repeat");
  *request.mutable_observations() = ToObservations(given);
  std::string mask;
  for (int n = 0; n < 90; ++n) mask += std::string("\1\1\0", 3);
  request.mutable_observations()->set_mask(mask);
  v1::ReconstructResponse response;
  grpc::ClientContext context;
  grpc::Status status = stub().Reconstruct(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GE(CountRepeated(Symbols(response.observations().dense()), given), 80);

  mask[0] = '\0';
  request.mutable_observations()->set_mask(mask);
  grpc::ClientContext second;
  status = stub().Reconstruct(&second, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("observations.mask[0][0]"));
}

TEST_F(ConditionalServiceTest, ChainsKeepTheInputsTheyStartFrom) {
  const std::vector<std::int32_t> given = Rows(90, 1);
  v1::SampleRequest request;
  request.mutable_model()->set_name("repeat");
  request.set_steps(30);
  request.set_start(v1::SampleRequest::START_DATA);
  *request.mutable_start_from() = ToObservations(given);
  v1::SampleResponse response;
  grpc::ClientContext context;
  const auto stream = stub().Sample(&context, request);
  while (stream->Read(&response)) {
  }
  const grpc::Status status = stream->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GE(CountRepeated(Symbols(response.observations().dense()), given), 70);
}

TEST_F(ConditionalServiceTest, ChainsWithoutInputsAreRefused) {
  v1::SampleRequest request;
  request.mutable_model()->set_name("repeat");
  v1::SampleResponse response;
  grpc::ClientContext context;
  const auto stream = stub().Sample(&context, request);
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("start_from is missing"));
}

}  // namespace
}  // namespace poe::server
