// A model of layers over a real connection: trained, stored, read back, scored,
// reconstructed and sampled.
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;

constexpr int kWidth = 8;
constexpr int kRows = 200;

// Rows with their left or their right half on, those of class "left" and
// "right"; two layers more.
class HierarchyServiceTest : public ServingTest {
 protected:
  HierarchyServiceTest() {
    StartServer();
    Train();
    // What answers is what was stored.
    StopServer();
    StartServer();
  }

  static RowMatrix<float> Rows(int rows) {
    return RowMatrix<float>::NullaryExpr(rows, kWidth, [](Index n, Index i) {
      return n % 2 == 0 ? i < kWidth / 2 : i >= kWidth / 2;
    });
  }

  static v1::TrainStart Start() {
    v1::TrainStart start;
    start.set_model_name("halves");
    start.set_seed(8);
    start.add_class_names("left");
    start.add_class_names("right");
    start.set_held_out_share(0.2);
    start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
    start.mutable_data_spec()->set_dimension(kWidth);
    v1::GroupSettings& group = *start.add_products()->add_groups();
    group.set_num_experts(6);
    group.mutable_bernoulli_units();
    start.add_stages()->mutable_contrastive_divergence()->set_epochs(30);
    for (int units : {5, 4}) {
      v1::NextLayerStage& layer = *start.add_stages()->mutable_next_layer();
      v1::GroupSettings& above = *layer.mutable_product()->add_groups();
      above.set_num_experts(units);
      above.mutable_bernoulli_units();
      layer.mutable_contrastive_divergence()->set_epochs(30);
    }
    start.add_stages()->mutable_separator();
    start.add_stages()->mutable_calibration();
    return start;
  }

  grpc::Status Score(v1::ScoreResponse* response) {
    v1::ScoreRequest request;
    request.mutable_model()->set_name("halves");
    *request.mutable_observations() = ToObservations(Rows(10));
    grpc::ClientContext context;
    return stub().Score(&context, request, response);
  }

  grpc::Status Sample(v1::SampleRequest request, v1::SampleResponse* response) {
    request.mutable_model()->set_name("halves");
    request.set_class_name("right");
    request.set_seed(3);
    grpc::ClientContext context;
    const auto stream = stub().Sample(&context, request);
    while (stream->Read(response)) {
    }
    return stream->Finish();
  }

  grpc::Status Reconstruct(v1::ReconstructRequest request,
                           v1::ReconstructResponse* response) {
    request.mutable_model()->set_name("halves");
    request.set_seed(4);
    grpc::ClientContext context;
    return stub().Reconstruct(&context, request, response);
  }

 private:
  void Train() {
    grpc::ClientContext context;
    const auto stream = stub().Train(&context);
    v1::TrainRequest request;
    *request.mutable_start() = Start();
    stream->Write(request);
    v1::TrainChunk& chunk = *request.mutable_chunk();
    *chunk.mutable_observations() = ToObservations(Rows(kRows));
    for (int n = 0; n < kRows; ++n) chunk.add_labels(n % 2);
    stream->Write(request);
    stream->WritesDone();
    v1::TrainResponse response;
    std::set<int> layers;
    while (stream->Read(&response))
      if (response.event().has_progress())
        layers.insert(response.event().progress().layer());
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.completed().version(), 1);
    EXPECT_THAT(layers, ElementsAre(0, 1, 2));
  }
};

TEST_F(HierarchyServiceTest, ScoresHaveALayerEach) {
  v1::ScoreResponse response;
  const grpc::Status status = Score(&response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response.log_scores().shape(), ElementsAre(10, 2, 3));
  EXPECT_EQ(Doubles(response.log_scores()).size(), 60u);
  EXPECT_THAT(response.labels(), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_THAT(response.percentiles().shape(), ElementsAre(10, 2));

  v1::GetModelRequest request;
  request.mutable_model()->set_name("halves");
  v1::GetModelResponse model;
  grpc::ClientContext context;
  ASSERT_TRUE(registry().GetModel(&context, request, &model).ok());
  EXPECT_EQ(model.info().num_layers(), 3);
  EXPECT_EQ(model.info().num_experts(), 6 + 5 + 4);
}

TEST_F(HierarchyServiceTest, EachLayerShowsItsClass) {
  v1::SampleRequest request;
  request.set_chains(40);
  request.set_steps(100);
  request.set_mean(true);
  v1::SampleResponse top, absent;
  for (int layer = 0; layer < 3; ++layer) {
    request.set_layer(layer);
    const grpc::Status status = Sample(request, &top);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const std::vector<float> values = Floats(top.observations().dense());
    ASSERT_EQ(values.size(), 40u * kWidth);
    double left = 0, right = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      (i % kWidth < kWidth / 2 ? left : right) += values[i];
    EXPECT_GT(right, 4 * left) << "layer " << layer;
  }
  request.clear_layer();
  ASSERT_TRUE(Sample(request, &absent).ok());
  EXPECT_EQ(absent.observations().dense().data(),
            top.observations().dense().data());
}

TEST_F(HierarchyServiceTest, ReconstructionsClimbAndComeDown) {
  v1::ReconstructRequest request;
  *request.mutable_observations() = ToObservations(Rows(2));
  for (int layer = 0; layer < 3; ++layer) {
    request.set_layer(layer);
    v1::ReconstructResponse response;
    const grpc::Status status = Reconstruct(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(response.classes(), ElementsAre(0, 1));
    const std::vector<float> values = Floats(response.observations().dense());
    for (int i = 0; i < kWidth; ++i) {
      EXPECT_EQ(values[i] > 0.5f, i < kWidth / 2) << layer << " " << i;
      EXPECT_EQ(values[kWidth + i] > 0.5f, i >= kWidth / 2) << layer;
    }
  }
}

TEST_F(HierarchyServiceTest, LayersThatAreNotThereAreRefused) {
  v1::SampleRequest sample;
  sample.set_layer(3);
  v1::SampleResponse sampled;
  grpc::Status status = Sample(sample, &sampled);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("layer is 3; this model has 3 layers, 0 to 2"));

  v1::ReconstructRequest request;
  *request.mutable_observations() = ToObservations(Rows(1));
  request.set_layer(-1);
  v1::ReconstructResponse response;
  status = Reconstruct(request, &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("has 3 layers"));
}

TEST_F(HierarchyServiceTest, OnlyTheLowestLayerFillsIn) {
  v1::ReconstructRequest request;
  *request.mutable_observations() = ToObservations(Rows(1));
  request.mutable_observations()->set_mask(std::string("\1\1\1\1\0\0\0\0", 8));
  v1::ReconstructResponse response;
  EXPECT_TRUE(Reconstruct(request, &response).ok());
  request.set_layer(1);
  grpc::Status status = Reconstruct(request, &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("layer is 1, but observations"));

  v1::SampleRequest sample;
  sample.set_start(v1::SampleRequest::START_GIVEN);
  *sample.mutable_start_from() = request.observations();
  v1::SampleResponse sampled;
  ASSERT_TRUE(Sample(sample, &sampled).ok());
  EXPECT_THAT(Floats(sampled.observations().dense()).front(), Gt(0.99f));
  sample.set_layer(2);
  status = Sample(sample, &sampled);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("START_GIVEN holds"));
}

}  // namespace
}  // namespace poe::server
