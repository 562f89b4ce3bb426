#include "server/codec/tensor_codec.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "tests/server/codec/refusal.h"

namespace poe::server {
namespace {

using testing::ElementsAre;

absl::Status Check(const v1::Tensor& tensor) {
  return CheckTensor(tensor, "t").status();
}

absl::StatusOr<std::vector<float>> Decode(
    const v1::Tensor& tensor, absl::Span<const std::uint8_t> observed = {}) {
  std::vector<float> values;
  absl::Status status = CheckTensor(tensor, "t").status();
  if (status.ok()) status = DecodeElements(tensor, "t", observed, values);
  if (!status.ok()) return status;
  return values;
}

TEST(TensorCodecTest, EveryElementTypeDecodes) {
  EXPECT_THAT(*Decode(MakeFloats({1, 2}, {0.25f, -3})),
              ElementsAre(0.25f, -3.0f));
  EXPECT_THAT(
      *Decode(MakeTensor<double>({2}, v1::ELEMENT_TYPE_FLOAT64, {0.1, -1e30})),
      ElementsAre(0.1f, -1e30f));
  EXPECT_THAT(*Decode(MakeTensor<std::uint8_t>({3}, v1::ELEMENT_TYPE_UINT8,
                                               {0, 51, 255})),
              ElementsAre(0.0f, 51.0f / 255.0f, 1.0f));
  EXPECT_THAT(
      *Decode(MakeTensor<std::int32_t>({2}, v1::ELEMENT_TYPE_INT32, {1, 0})),
      ElementsAre(1.0f, 0.0f));
  EXPECT_THAT(*Decode(FromText<v1::Tensor>("shape: 2 values: [0.5, 1]")),
              ElementsAre(0.5f, 1.0f));
}

TEST(TensorCodecTest, EmptyTensorNeedsNoElements) {
  EXPECT_EQ(*CheckTensor(FromText<v1::Tensor>("shape: [0, 256]"), "t"), 0);
  EXPECT_EQ(
      *CheckTensor(FromText<v1::Tensor>(
                       "shape: [4611686018427387904, 4611686018427387904, 0]"),
                   "t"),
      0);
}

TEST(TensorCodecTest, InconsistentTensorsAreRefused) {
  using R = Refusal<v1::Tensor>;
  ExpectRefused<v1::Tensor>(
      MakeFloats({2, 3}, {1, 2, 3, 4, 5, 6}),
      {R{[](auto& t) { t.set_shape(0, -2); }, kInvalid, "INVALID_SHAPE",
         "t.shape is [-2, 3]; no dimension may be negative"},
       R{[](auto& t) {
           t.set_shape(0, std::int64_t{1} << 62);
           t.set_shape(1, std::int64_t{1} << 62);
         },
         kInvalid, "INVALID_SHAPE", "that many elements cannot be"},
       R{[](auto& t) { t.set_shape(1, 4); }, kInvalid, "WRONG_SIZE",
         "t.data has 24 bytes; shape [2, 4] of ELEMENT_TYPE_FLOAT32 needs 8 x "
         "4"},
       R{[](auto& t) { t.mutable_data()->pop_back(); }, kInvalid, "WRONG_SIZE",
         "t.data has 23 bytes"},
       R{[](auto& t) { t.set_shape(1, 0); }, kInvalid, "WRONG_SIZE",
         "needs 0 x 4"},
       R{[](auto& t) { t.clear_data(); }, kInvalid, "INVALID_TENSOR",
         "t has neither data nor values; shape [2, 3] needs 6 elements"},
       R{[](auto& t) { t.add_values(1); }, kInvalid, "INVALID_TENSOR",
         "t has both data and values"},
       R{[](auto& t) { t.clear_element_type(); }, kInvalid,
         "INVALID_ELEMENT_TYPE",
         "t.element_type is ELEMENT_TYPE_UNSPECIFIED; data needs"},
       R{[](auto& t) { t.set_element_type(static_cast<v1::ElementType>(77)); },
         kInvalid, "INVALID_ELEMENT_TYPE", "t.element_type is 77; data needs"},
       R{[](auto& t) {
           t.clear_data();
           t.add_values(1);
         },
         kInvalid, "WRONG_SIZE",
         "t.values has 1 elements; shape [2, 3] needs 6"},
       R{[](auto& t) {
           t.clear_data();
           t.mutable_values()->Resize(6, 0);
           t.set_element_type(v1::ELEMENT_TYPE_FLOAT64);
         },
         kInvalid, "INVALID_ELEMENT_TYPE",
         "t.element_type is ELEMENT_TYPE_FLOAT64; values are"}},
      Check);
}

TEST(TensorCodecTest, DoubleBeyondFloatIsNamedByItsPlace) {
  const v1::Tensor tensor =
      MakeTensor<double>({2, 1, 2}, v1::ELEMENT_TYPE_FLOAT64, {0, 1, 2, -1e39});
  EXPECT_EQ(Decode(tensor).status().message(),
            "t[1][0][1] is -1e+39; it must fit into a float32");
  EXPECT_TRUE(Decode(tensor, std::vector<std::uint8_t>{1, 1, 1, 0}).ok());
}

TEST(TensorCodecTest, IntegersOtherThanZeroAndOneAreNamedByTheirPlace) {
  const v1::Tensor tensor =
      MakeTensor<std::int32_t>({2, 2}, v1::ELEMENT_TYPE_INT32, {0, 1, 255, 1});
  EXPECT_THAT(std::string(Decode(tensor).status().message()),
              testing::StartsWith("t[1][0] is 255; ELEMENT_TYPE_INT32 is for"));
  EXPECT_TRUE(Decode(tensor, std::vector<std::uint8_t>{1, 1, 0, 1}).ok());
}

TEST(TensorCodecTest, SymbolsAreAnyIntegersButNoGreyLevels) {
  std::vector<float> values;
  EXPECT_TRUE(DecodeElements(MakeTensor<std::int32_t>(
                                 {3}, v1::ELEMENT_TYPE_INT32, {7, -1, 65535}),
                             "t", {}, values, Elements::kSymbols)
                  .ok());
  EXPECT_THAT(values, ElementsAre(7, -1, 65535));
  const absl::Status status =
      DecodeElements(MakeTensor<std::uint8_t>({1}, v1::ELEMENT_TYPE_UINT8, {7}),
                     "t", {}, values, Elements::kSymbols);
  EXPECT_EQ(ReasonOf(status), "INVALID_ELEMENT_TYPE");
  EXPECT_THAT(std::string(status.message()),
              testing::EndsWith("grey levels b / 255; send symbols as "
                                "ELEMENT_TYPE_INT32"));
}

TEST(TensorCodecTest, SymbolsEncodeAsIntegers) {
  RowMatrix<float> matrix(2, 2);
  matrix << 0, 3, 65535, 1;
  v1::Tensor tensor;
  EncodeSymbols(ConstRowMatrixRef<float>(matrix), &tensor);
  EXPECT_EQ(tensor.element_type(), v1::ELEMENT_TYPE_INT32);
  std::vector<float> values;
  EXPECT_TRUE(DecodeElements(tensor, "t", {}, values, Elements::kSymbols).ok());
  EXPECT_THAT(values, ElementsAre(0, 3, 65535, 1));
}

TEST(TensorCodecTest, InfinityAndNanAreLeftToTheRowsValidation) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(
      Decode(MakeTensor<double>({1}, v1::ELEMENT_TYPE_FLOAT64, {infinity}))
          .ok());
}

TEST(TensorCodecTest, ParametersAreFloatsOfOneShape) {
  const std::int64_t shape[] = {2, 1};
  auto decode = [&](const v1::Tensor& tensor) {
    return DecodeParameters(tensor, "weights", shape, 1).status();
  };
  RowMatrix<float> as_row(1, 2);
  as_row << 1, 2;
  for (const v1::Tensor& tensor :
       {FromText<v1::Tensor>("shape: [2, 1] values: [1, 2]"),
        MakeFloats({2, 1}, {1, 2})}) {
    EXPECT_EQ(DecodeParameters(tensor, "weights", shape, 1)->rows(), 2);
    EXPECT_EQ(*DecodeParameters(tensor, "weights", shape, 2), as_row);
  }
  using R = Refusal<v1::Tensor>;
  ExpectRefused<v1::Tensor>(
      MakeFloats({2, 1}, {3, 4}),
      {R{[](auto& t) { t.mutable_shape()->RemoveLast(); }, kInvalid,
         "INVALID_SHAPE", "weights.shape is [2]; must be [2, 1]"},
       R{[](auto& t) { t.set_shape(0, std::int64_t{1} << 60); }, kInvalid,
         "INVALID_SHAPE", "weights.shape is [1152921504606846976, 1]"},
       R{[](auto& t) { t.mutable_data()->pop_back(); }, kInvalid, "WRONG_SIZE",
         "weights.data has 7 bytes"},
       R{[](auto& t) {
           t = MakeTensor<double>({2, 1}, v1::ELEMENT_TYPE_FLOAT64, {1, 2});
         },
         kInvalid, "INVALID_ELEMENT_TYPE", "parameters are"}},
      decode);
}

TEST(TensorCodecTest, EncodedMatrixDecodesToTheSameBits) {
  RowMatrix<float> matrix(3, 2);
  matrix << 1, -0.0f, 1e-42f, 3.4e38f, 0.1f, 7;
  v1::Tensor tensor;
  EncodeTensor(ConstRowMatrixRef<float>(matrix), &tensor);
  EXPECT_THAT(tensor.shape(), ElementsAre(3, 2));
  EXPECT_EQ(*Decode(tensor),
            std::vector<float>(matrix.data(), matrix.data() + 6));
}

TEST(TensorCodecTest, PartOfAMatrixEncodesWithoutItsSurroundings) {
  RowMatrix<double> matrix(3, 4);
  matrix << 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
  v1::Tensor tensor;
  const std::int64_t shape[] = {2, 2, 1};
  EncodeTensor(ConstRowMatrixRef<double>(matrix.block(1, 1, 2, 2)), &tensor,
               shape);
  EXPECT_EQ(tensor.element_type(), v1::ELEMENT_TYPE_FLOAT64);
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 2, 1));
  EXPECT_THAT(*Decode(tensor), ElementsAre(5.0f, 6.0f, 9.0f, 10.0f));
}

}  // namespace
}  // namespace poe::server
