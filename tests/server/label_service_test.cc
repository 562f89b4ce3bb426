// A label given real inputs, over a real connection: trained, scored,
// reconstructed and sampled.
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

constexpr int kLabels = 3;

// Rows of a label and two numbers: centres of the labels stand in a triangle.
class LabelServiceTest : public ServingTest {
 protected:
  LabelServiceTest() { StartServer(); }

  static RowMatrix<float> Rows(int size, unsigned seed) {
    constexpr float kCentres[kLabels][2] = {{100, 2}, {140, 2}, {120, 5}};
    std::mt19937 generator(seed);
    std::normal_distribution<float> noise;
    RowMatrix<float> rows(size, 3);
    for (int n = 0; n < size; ++n) {
      const int label = n % kLabels;
      const float first = kCentres[label][0] + 5 * noise(generator);
      rows.row(n) << static_cast<float>(label), first,
          kCentres[label][1] + 0.4f * noise(generator);
    }
    return rows;
  }

  static v1::TrainStart Start() {
    v1::TrainStart start;
    start.set_model_name("labels");
    start.set_seed(5);
    v1::DataSpec& spec = *start.mutable_data_spec();
    spec.set_family(v1::FAMILY_CATEGORICAL);
    spec.set_dimension(3);
    spec.set_num_symbols(kLabels);
    spec.add_input_coordinates(1);
    spec.add_input_coordinates(2);
    spec.set_real_inputs(true);
    spec.mutable_preprocessing()->set_kind(v1::Preprocessing::KIND_STANDARDIZE);
    v1::GroupSettings& group = *start.add_products()->add_groups();
    group.set_num_experts(6);
    group.mutable_bernoulli_units()->set_initial_weight_scale(0.1);
    v1::ContrastiveDivergenceStage& stage =
        *start.add_stages()->mutable_contrastive_divergence();
    stage.set_exact(true);
    stage.set_epochs(60);
    stage.mutable_optimizer()->set_kind(v1::OptimizerSettings::KIND_ADAM);
    stage.mutable_optimizer()->set_rate(0.05);
    return start;
  }

  grpc::Status Train(const v1::TrainStart& start) {
    grpc::ClientContext context;
    const auto stream = stub().Train(&context);
    v1::TrainRequest request;
    *request.mutable_start() = start;
    stream->Write(request);
    *request.mutable_chunk()->mutable_observations() =
        ToObservations(Rows(300, 1));
    stream->Write(request);
    stream->WritesDone();
    v1::TrainResponse response;
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }

  // Whether inputs are those of `given`, to the bit; how many labels are too.
  static int CountRight(const std::vector<float>& values,
                        const RowMatrix<float>& given) {
    EXPECT_EQ(values.size(), static_cast<std::size_t>(given.size()));
    if (values.size() != static_cast<std::size_t>(given.size())) return 0;
    int right = 0;
    for (Index n = 0; n < given.rows(); ++n) {
      right += values[3 * n] == given(n, 0);
      EXPECT_EQ(values[3 * n + 1], given(n, 1));
      EXPECT_EQ(values[3 * n + 2], given(n, 2));
    }
    return right;
  }
};

TEST_F(LabelServiceTest, AnswersQuestionsAboutLabels) {
  const grpc::Status trained = Train(Start());
  ASSERT_TRUE(trained.ok()) << trained.error_message();
  const RowMatrix<float> rows = Rows(90, 2);

  std::vector<double> sums(90, 0);
  for (int shift = 0; shift < kLabels; ++shift) {
    RowMatrix<float> moved = rows;
    for (Index n = 0; n < 90; ++n)
      moved(n, 0) = static_cast<float>((n + shift) % kLabels);
    v1::ScoreRequest request;
    request.mutable_model()->set_name("labels");
    *request.mutable_observations() = ToObservations(moved);
    v1::ScoreResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub().Score(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const std::vector<double> given = Doubles(response.log_probabilities());
    ASSERT_EQ(given.size(), 90u);
    for (Index n = 0; n < 90; ++n) sums[n] += std::exp(given[n]);
  }
  for (const double sum : sums) EXPECT_NEAR(sum, 1, 1e-4);

  v1::ReconstructRequest reconstruct;
  reconstruct.mutable_model()->set_name("labels");
  *reconstruct.mutable_observations() = ToObservations(rows);
  std::string mask;
  for (int n = 0; n < 90; ++n) mask += std::string("\0\1\1", 3);
  reconstruct.mutable_observations()->set_mask(mask);
  reconstruct.set_chains(20);
  v1::ReconstructResponse filled;
  grpc::ClientContext context;
  const grpc::Status status =
      stub().Reconstruct(&context, reconstruct, &filled);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GE(CountRight(Floats(filled.observations().dense()), rows), 85);

  v1::SampleRequest sample;
  sample.mutable_model()->set_name("labels");
  sample.set_steps(30);
  sample.set_start(v1::SampleRequest::START_DATA);
  *sample.mutable_start_from() = ToObservations(rows);
  v1::SampleResponse sampled;
  grpc::ClientContext third;
  const auto stream = stub().Sample(&third, sample);
  while (stream->Read(&sampled)) {
  }
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_GE(CountRight(Floats(sampled.observations().dense()), rows), 75);
}

TEST_F(LabelServiceTest, WhatMakesNoSenseIsRefused) {
  const auto refused = [&](auto change) {
    v1::TrainStart start = Start();
    change(start);
    const grpc::Status status = Train(start);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_THAT(refused([](auto& start) {
                start.mutable_data_spec()->clear_input_coordinates();
              }),
              HasSubstr("data_spec.input_coordinates is missing"));
  EXPECT_THAT(refused([](auto& start) {
                start.mutable_data_spec()->set_family(v1::FAMILY_GAUSSIAN);
                start.mutable_data_spec()->clear_num_symbols();
              }),
              HasSubstr("data_spec.real_inputs is given"));
  EXPECT_THAT(refused([](auto& start) {
                start.mutable_data_spec()->set_sequential(true);
                start.mutable_products(0)
                    ->mutable_groups(0)
                    ->mutable_hidden_markov()
                    ->set_num_states(2);
              }),
              HasSubstr("beside real inputs (data_spec.real_inputs) use "
                        "Bernoulli units"));
}

}  // namespace
}  // namespace poe::server
