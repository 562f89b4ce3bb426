// A model of sequences of symbols over a real connection: trained, scored,
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

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Sequences of one symbol a row that alternate between 0 and 1; 2 is rare.
class SequenceServiceTest : public ServingTest {
 protected:
  SequenceServiceTest() {
    StartServer();
    Train();
  }

  static v1::Observations Sequences(
      const std::vector<std::vector<std::int32_t>>& sequences) {
    v1::Observations observations;
    v1::Sequences& message = *observations.mutable_sequences();
    std::vector<std::int32_t> all;
    for (const std::vector<std::int32_t>& sequence : sequences) {
      message.add_lengths(static_cast<std::int64_t>(sequence.size()));
      all.insert(all.end(), sequence.begin(), sequence.end());
    }
    v1::Tensor& values = *message.mutable_values();
    values.add_shape(static_cast<std::int64_t>(all.size()));
    values.add_shape(1);
    values.set_element_type(v1::ELEMENT_TYPE_INT32);
    values.set_data(all.data(), all.size() * sizeof(all[0]));
    return observations;
  }

  static std::vector<std::int32_t> Symbols(const v1::Tensor& tensor) {
    EXPECT_EQ(tensor.element_type(), v1::ELEMENT_TYPE_INT32);
    std::vector<std::int32_t> symbols(tensor.data().size() / 4);
    tensor.data().copy(reinterpret_cast<char*>(symbols.data()),
                       tensor.data().size());
    return symbols;
  }

 private:
  static v1::Observations Alternating(int count, int first) {
    std::vector<std::vector<std::int32_t>> sequences;
    for (int n = first; n < first + count; ++n) {
      std::vector<std::int32_t>& sequence = sequences.emplace_back();
      for (int t = 0; t < 4 + n % 5; ++t) sequence.push_back((n + t) % 2);
      if (n % 20 == 0) sequence[2] = 2;
    }
    return Sequences(sequences);
  }

  void Train() {
    grpc::ClientContext context;
    const auto stream = stub().Train(&context);
    v1::TrainRequest request;
    v1::TrainStart& start = *request.mutable_start();
    start.set_model_name("alternate");
    start.set_seed(3);
    start.set_expected_rows(100);
    v1::DataSpec& spec = *start.mutable_data_spec();
    spec.set_family(v1::FAMILY_CATEGORICAL);
    spec.set_dimension(1);
    spec.set_num_symbols(3);
    spec.set_sequential(true);
    v1::GroupSettings& group = *start.add_products()->add_groups();
    group.set_num_experts(2);
    group.mutable_hidden_markov()->set_num_states(3);
    start.add_stages()->mutable_initialize();
    start.add_stages()->mutable_contrastive_divergence()->set_epochs(2);
    stream->Write(request);
    for (const int first : {0, 60}) {
      v1::TrainChunk& chunk = *request.mutable_chunk();
      chunk.set_row_offset(first);
      *chunk.mutable_observations() = Alternating(first == 0 ? 60 : 40, first);
      stream->Write(request);
    }
    stream->WritesDone();
    v1::TrainResponse response;
    while (stream->Read(&response)) {
    }
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.completed().rows(), 100);
  }
};

TEST_F(SequenceServiceTest, EachSequenceHasAScore) {
  v1::ScoreRequest request;
  request.mutable_model()->set_name("alternate");
  *request.mutable_observations() =
      Sequences({{0, 1, 0, 1, 0, 1}, {0, 0, 0, 1, 1, 1}, {2}});
  v1::ScoreResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub().Score(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response.log_scores().shape(), ElementsAre(3, 1, 1));
  const std::vector<double> scores = Doubles(response.log_scores());
  EXPECT_GT(scores[0], scores[1]);
}

TEST_F(SequenceServiceTest, RowsOfTheOtherKindAreRefused) {
  v1::ScoreRequest request;
  request.mutable_model()->set_name("alternate");
  v1::Tensor& dense = *request.mutable_observations()->mutable_dense();
  dense.add_shape(1);
  dense.add_shape(1);
  dense.add_values(1);
  v1::ScoreResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub().Score(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorReason(status), "WRONG_KIND");
}

TEST_F(SequenceServiceTest, MissingSymbolsAreFilledIn) {
  v1::ReconstructRequest request;
  request.mutable_model()->set_name("alternate");
  *request.mutable_observations() = Sequences({{0, 1, 2, 1, 0}, {1, 0, 1}});
  request.mutable_observations()->set_mask(std::string("\1\1\0\1\1\1\1\1", 8));
  request.set_steps(50);
  request.set_chains(20);
  v1::ReconstructResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub().Reconstruct(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Sequences& sequences = response.observations().sequences();
  EXPECT_THAT(sequences.lengths(), ElementsAre(5, 3));
  EXPECT_THAT(Symbols(sequences.values()), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1));
}

TEST_F(SequenceServiceTest, ChainsHaveTheLengthAsked) {
  v1::SampleRequest request;
  request.mutable_model()->set_name("alternate");
  request.set_chains(4);
  request.set_steps(20);
  request.set_length(7);
  v1::SampleResponse response;
  grpc::ClientContext context;
  const auto stream = stub().Sample(&context, request);
  while (stream->Read(&response)) {
  }
  const grpc::Status status = stream->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Sequences& sequences = response.observations().sequences();
  EXPECT_EQ(sequences.lengths_size(), 4);
  EXPECT_THAT(sequences.lengths(), Each(7));
  EXPECT_THAT(sequences.values().shape(), ElementsAre(28, 1));
  EXPECT_THAT(Symbols(sequences.values()), Each(testing::Lt(3)));

  request.clear_length();
  grpc::ClientContext second;
  const auto refused = stub().Sample(&second, request);
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_THAT(refused->Finish().error_message(),
              HasSubstr("length is missing"));
}

}  // namespace
}  // namespace poe::server
