// Estimates of log Z over a real connection: made in training, stored, read
// back, and answered with.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

// Too wide for its rows to be listed in training, and not for this test.
constexpr int kBits = 13;
constexpr int kTrainingRows = 60;

class NormalizerServiceTest : public ServingTest {
 protected:
  static v1::TrainStart Start() {
    v1::TrainStart start;
    start.set_model_name("bits");
    start.set_seed(8);
    start.add_class_names("few");
    start.add_class_names("many");
    start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
    start.mutable_data_spec()->set_dimension(kBits);
    v1::GroupSettings& group = *start.add_products()->add_groups();
    group.set_num_experts(24);  // too many to sum over
    group.mutable_bernoulli_units();
    start.add_stages()->mutable_contrastive_divergence()->set_epochs(10);
    v1::NormalizerStage& stage = *start.add_stages()->mutable_normalizer();
    stage.set_chains(300);
    stage.set_temperatures(100);
    return start;
  }

  grpc::Status Train(const v1::TrainStart& start,
                     std::set<std::string>* stages) {
    grpc::ClientContext context;
    const auto stream = stub().Train(&context);
    v1::TrainRequest request;
    *request.mutable_start() = start;
    stream->Write(request);
    v1::TrainChunk& chunk = *request.mutable_chunk();
    RowMatrix<float> rows = RandomBits(kTrainingRows, kBits, 3);
    for (int n = 0; n < kTrainingRows; ++n) {
      if (n % 2 == 1) rows.row(n).leftCols(6).setOnes();
      chunk.add_labels(n % 2);
    }
    *chunk.mutable_observations() = ToObservations(rows);
    stream->Write(request);
    stream->WritesDone();
    v1::TrainResponse response;
    while (stream->Read(&response))
      if (response.event().has_progress())
        stages->insert(response.event().progress().stage());
    return stream->Finish();
  }

  v1::ScoreResponse ScoreAllStates() {
    v1::ScoreRequest request;
    request.mutable_model()->set_name("bits");
    *request.mutable_observations() =
        ToObservations(RowMatrix<float>::NullaryExpr(
            1 << kBits, kBits, [](Index n, Index i) { return (n >> i) % 2; }));
    grpc::ClientContext context;
    v1::ScoreResponse response;
    const grpc::Status status = stub().Score(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(NormalizerServiceTest, LogProbabilitiesSumToOneWithinTheirErrors) {
  StartServer();
  std::set<std::string> stages;
  const grpc::Status status = Train(Start(), &stages);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(stages.contains("normalizer"));
  // What answers is what was stored.
  StopServer();
  StartServer();

  const v1::ScoreResponse response = ScoreAllStates();
  const std::vector<double> log_scores = Doubles(response.log_scores());
  const std::vector<double> log_probabilities =
      Doubles(response.log_probabilities());
  ASSERT_EQ(log_probabilities.size(), std::size_t{2} << kBits);
  double exact[2];
  for (int c = 0; c < 2; ++c) {
    double sum = 0, mass = 0;
    for (std::size_t n = 0; n < log_scores.size() / 2; ++n) {
      sum += std::exp(log_scores[2 * n + c]);
      mass += std::exp(log_probabilities[2 * n + c]);
    }
    exact[c] = std::log(sum);
    EXPECT_NEAR(std::log(mass), 0,
                6 * response.log_partitions(2 * c).standard_error());
  }
  ASSERT_EQ(response.log_partitions_size(), 4);
  const char* const names[] = {"few", "many"};
  for (int i = 0; i < 4; ++i) {
    const v1::LogPartition& known = response.log_partitions(i);
    EXPECT_EQ(known.class_name(), names[i / 2]);
    EXPECT_EQ(known.method(), i % 2 == 0
                                  ? v1::LogPartition::METHOD_AIS_FORWARD
                                  : v1::LogPartition::METHOD_AIS_REVERSE);
    EXPECT_GT(known.standard_error(), 0);
    EXPECT_LT(known.standard_error(), 0.1);
    EXPECT_NEAR(known.value(), exact[i / 2], 6 * known.standard_error());
  }
  ASSERT_EQ(response.log_partition_differences_size(), 1);
  const v1::LogPartitionDifference& difference =
      response.log_partition_differences(0);
  EXPECT_EQ(difference.class_name(), "many");
  EXPECT_EQ(difference.other_class_name(), "few");
  EXPECT_LT(difference.standard_error(), 1);
  EXPECT_NEAR(difference.value(), exact[1] - exact[0],
              6 * difference.standard_error());

  v1::GetModelRequest request;
  request.mutable_model()->set_name("bits");
  v1::GetModelResponse model;
  grpc::ClientContext context;
  ASSERT_TRUE(registry().GetModel(&context, request, &model).ok());
  EXPECT_EQ(model.info().log_partitions_size(), 4);
  EXPECT_EQ(model.info().log_partition_differences_size(), 1);
  grpc::ClientContext list_context;
  v1::ListModelsResponse list;
  ASSERT_TRUE(registry().ListModels(&list_context, {}, &list).ok());
  EXPECT_EQ(list.models(0).versions(0).log_partitions_size(), 0);
}

TEST_F(NormalizerServiceTest, ConditionalModelsHaveNone) {
  StartServer();
  v1::TrainStart start = Start();
  start.mutable_data_spec()->add_input_coordinates(0);
  std::set<std::string> stages;
  const grpc::Status status = Train(start, &stages);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("depends on its inputs"));
  EXPECT_FALSE(stages.contains("contrastive divergence"));
}

}  // namespace
}  // namespace poe::server
