#include "client/cpp/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;

TEST(TensorTest, FloatsAreLittleEndian) {
  const v1::Tensor tensor = MakeTensor({1}, std::vector<float>{1.0f});
  EXPECT_EQ(tensor.element_type(), v1::ELEMENT_TYPE_FLOAT32);
  EXPECT_EQ(tensor.data(), std::string("\0\0\x80\x3f", 4));
}

TEST(TensorTest, EveryEncodingComesBack) {
  EXPECT_THAT(*TensorDoubles(MakeTensor({2}, std::vector<float>{1, -2.5})),
              ElementsAre(1, -2.5));
  EXPECT_THAT(*TensorFloats(MakeTensor({2}, std::vector<double>{1, -2.5})),
              ElementsAre(1, -2.5));
  EXPECT_THAT(*TensorFloats(MakeTensor({2}, std::vector<int32_t>{7, -8})),
              ElementsAre(7, -8));
  v1::Tensor plain;
  plain.add_shape(2);
  plain.add_values(0.5);
  plain.add_values(3);
  EXPECT_THAT(*TensorDoubles(plain), ElementsAre(0.5, 3));
}

TEST(TensorTest, BytesAreGreyLevels) {
  const v1::Tensor tensor = MakeTensor({3}, std::vector<uint8_t>{0, 51, 255});
  EXPECT_THAT(*TensorFloats(tensor), ElementsAre(0, 0.2f, 1));
}

TEST(TensorTest, RefusesContentsThatDoNotFitTheShape) {
  EXPECT_FALSE(TensorFloats(MakeTensor({3}, std::vector<float>{1, 2})).ok());
  EXPECT_FALSE(TensorFloats(MakeTensor({-1}, std::vector<float>{})).ok());
  EXPECT_FALSE(TensorFloats(MakeTensor({int64_t{1} << 40, int64_t{1} << 40},
                                       std::vector<float>{}))
                   .ok());
  v1::Tensor tensor = MakeTensor({1}, std::vector<float>{1});
  tensor.mutable_data()->push_back('x');
  EXPECT_FALSE(TensorFloats(tensor).ok());
}

TEST(TensorTest, ObservationsHaveRowsOfTheDimension) {
  const std::vector<uint8_t> values(12);
  const v1::Observations observations =
      MakeObservations(absl::MakeConstSpan(values), 4);
  EXPECT_THAT(observations.dense().shape(), ElementsAre(3, 4));
  EXPECT_EQ(RowCount(observations), 3);
  EXPECT_EQ(RowCount(v1::Observations()), 0);
}

TEST(TensorTest, SequencesAreLaidEndToEnd) {
  const v1::Observations observations =
      MakeSequences(std::vector<float>{1, 2, 3, 4, 5, 6}, 2, {1, 2},
                    std::vector<uint8_t>{1, 1, 1, 0, 1, 1});
  EXPECT_THAT(observations.sequences().lengths(), ElementsAre(1, 2));
  EXPECT_THAT(ValuesOf(observations).shape(), ElementsAre(3, 2));
  EXPECT_EQ(observations.mask(), std::string("\1\1\1\0\1\1", 6));
  EXPECT_EQ(RowCount(observations), 2);
}

TEST(TensorTest, SymbolsTravelAsIntegers) {
  const std::vector<int32_t> symbols = {0, 7, 3, 1};
  EXPECT_EQ(ValuesOf(MakeObservations(absl::MakeConstSpan(symbols), 2))
                .element_type(),
            v1::ELEMENT_TYPE_INT32);
  EXPECT_EQ(ValuesOf(MakeSequences(absl::MakeConstSpan(symbols), 1, {3, 1}))
                .element_type(),
            v1::ELEMENT_TYPE_INT32);
}

}  // namespace
}  // namespace poe::client
