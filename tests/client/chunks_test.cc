#include "client/cpp/chunks.h"

#include <cstdint>
#include <string>
#include <vector>

#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;

v1::Observations Dense() {
  v1::Observations observations =
      MakeObservations(std::vector<float>{0, 1, 2, 3, 4, 5}, 2,
                       std::vector<uint8_t>{1, 0, 1, 1, 1, 1});
  for (const int row : {0, 1, 2}) {
    observations.add_row_ids(10 + row);
    observations.add_weights(0.5f * row);
  }
  return observations;
}

// Of lengths 2, 1 and 3.
v1::Observations Sequences() {
  v1::Observations observations;
  *observations.mutable_sequences()->mutable_values() =
      MakeTensor({6, 1}, std::vector<float>{0, 1, 2, 3, 4, 5});
  for (const int length : {2, 1, 3}) {
    observations.mutable_sequences()->add_lengths(length);
  }
  return observations;
}

TEST(ChunksTest, ASliceHasItsShareOfEverything) {
  const v1::Observations observations = Dense();
  const auto chunks = ObservationChunks::Create(observations);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  const v1::Observations slice = chunks->Slice(1, 3);
  EXPECT_THAT(slice.dense().shape(), ElementsAre(2, 2));
  EXPECT_THAT(*TensorFloats(slice.dense()), ElementsAre(2, 3, 4, 5));
  EXPECT_EQ(slice.mask(), "\1\1\1\1");
  EXPECT_THAT(slice.row_ids(), ElementsAre(11, 12));
  EXPECT_THAT(slice.weights(), ElementsAre(0.5, 1));
}

TEST(ChunksTest, PlainNumbersAreCutToo) {
  v1::Observations observations;
  v1::Tensor& dense = *observations.mutable_dense();
  dense.add_shape(2);
  dense.add_shape(2);
  for (const float value : {1, 2, 3, 4}) dense.add_values(value);
  const auto chunks = ObservationChunks::Create(observations);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  EXPECT_THAT(chunks->Slice(1, 2).dense().values(), ElementsAre(3, 4));
}

TEST(ChunksTest, SequencesAreCutBetweenThem) {
  const v1::Observations observations = Sequences();
  const auto chunks = ObservationChunks::Create(observations);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  EXPECT_EQ(chunks->rows(), 3);
  const v1::Observations slice = chunks->Slice(1, 3);
  EXPECT_THAT(slice.sequences().lengths(), ElementsAre(1, 3));
  EXPECT_THAT(*TensorFloats(slice.sequences().values()),
              ElementsAre(2, 3, 4, 5));
}

TEST(ChunksTest, PiecesKeepBothLimits) {
  const v1::Observations dense = Dense();
  const auto chunks = ObservationChunks::Create(dense);
  EXPECT_EQ(chunks->End(0, {.rows = 2, .bytes = 1000}), 2);
  EXPECT_EQ(chunks->End(0, {.rows = 9, .bytes = 23}), 2);
  EXPECT_EQ(chunks->End(2, {.rows = 9, .bytes = 1000}), 3);
  const v1::Observations sequences = Sequences();
  const auto of_sequences = ObservationChunks::Create(sequences);
  EXPECT_EQ(of_sequences->End(0, {.rows = 9, .bytes = 12}), 2);
  EXPECT_EQ(of_sequences->End(0, {.rows = 9, .bytes = 20}), 2);
  EXPECT_EQ(of_sequences->End(0, {.rows = 1, .bytes = 100}), 1);
  EXPECT_EQ(of_sequences->End(0, {.rows = 3, .bytes = 100}), 2);
  EXPECT_EQ(of_sequences->End(1, {.rows = 4, .bytes = 100}), 3);
}

TEST(ChunksTest, APieceHasAtLeastOneRow) {
  const v1::Observations dense = Dense();
  EXPECT_EQ(ObservationChunks::Create(dense)->End(1, {.rows = 0, .bytes = 0}),
            2);
  const v1::Observations sequences = Sequences();
  EXPECT_EQ(
      ObservationChunks::Create(sequences)->End(2, {.rows = 5, .bytes = 1}), 3);
}

TEST(ChunksTest, RefusesWhatDoesNotFitTogether) {
  const auto refused = [](const v1::Observations& observations) {
    return ObservationChunks::Create(observations).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  v1::Observations observations = Dense();
  observations.set_mask("\1");
  EXPECT_TRUE(refused(observations));
  observations = Dense();
  observations.add_weights(1);
  EXPECT_TRUE(refused(observations));
  observations = Dense();
  observations.mutable_dense()->set_shape(0, 4);
  EXPECT_TRUE(refused(observations));
  observations = Dense();
  observations.mutable_dense()->set_shape(1, -2);
  EXPECT_TRUE(refused(observations));
  observations = Sequences();
  observations.mutable_sequences()->add_lengths(1);
  EXPECT_TRUE(refused(observations));
  observations = Sequences();
  observations.mutable_sequences()->set_lengths(0, -2);
  EXPECT_TRUE(refused(observations));
}

}  // namespace
}  // namespace poe::client
