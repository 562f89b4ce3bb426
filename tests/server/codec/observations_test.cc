#include "server/codec/observations.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/server/codec/refusal.h"

namespace poe::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

DataSpec ImageSpec() {
  DataSpec spec;
  spec.family = Family::kBernoulli;
  spec.dimension = 6;
  spec.image_height = 2;
  spec.image_width = 3;
  return spec;
}

DataSpec RealSpec() {
  DataSpec spec;
  spec.family = Family::kGaussian;
  spec.dimension = 2;
  return spec;
}

v1::Observations TwoImages() {
  v1::Observations observations;
  *observations.mutable_dense() =
      MakeFloats({2, 6}, {0, 1, 0, 1, 0, 1, 1, 1, 1, 0.5f, 0, 0});
  return observations;
}

absl::StatusOr<DecodedRows> Decode(const v1::Observations& observations,
                                   const DataSpec& spec = ImageSpec(),
                                   bool weights_allowed = true) {
  return DecodeObservations(observations, spec, {3}, weights_allowed);
}

TEST(ObservationsTest, RowsDecode) {
  v1::Observations observations = TwoImages();
  observations.set_mask(std::string("\1\1\1\1\1\1\1\1\1\0\1\1", 12));
  observations.add_row_ids(7);
  observations.add_row_ids(std::numeric_limits<std::uint64_t>::max());
  observations.add_weights(0);
  observations.add_weights(2.5f);
  const absl::StatusOr<DecodedRows> decoded = Decode(observations);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const RawRows view = decoded->View();
  EXPECT_EQ(view.values.rows(), 2);
  EXPECT_EQ(view.values.cols(), 6);
  EXPECT_EQ(view.values(1, 3), 0.5f);
  EXPECT_THAT(view.row_ids,
              ElementsAre(7, std::numeric_limits<std::uint64_t>::max()));
  EXPECT_THAT(view.observed, ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1));
  EXPECT_THAT(decoded->weights, ElementsAre(0.0f, 2.5f));
  EXPECT_TRUE(decoded->has_missing());
}

TEST(ObservationsTest, WhatIsNotGivenIsEmpty) {
  const absl::StatusOr<DecodedRows> decoded = Decode(TwoImages());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->row_ids, IsEmpty());
  EXPECT_THAT(decoded->weights, IsEmpty());
  EXPECT_FALSE(decoded->has_missing());
}

TEST(ObservationsTest, MaskThatMarksNothingMissingIsNone) {
  v1::Observations observations = TwoImages();
  observations.set_mask(std::string(12, '\1'));
  EXPECT_FALSE(Decode(observations)->has_missing());
}

TEST(ObservationsTest, ImagesMayComeAsRowsAndColumns) {
  v1::Observations observations = TwoImages();
  auto& dense = *observations.mutable_dense();
  const std::int64_t shape[] = {2, 2, 3};
  dense.mutable_shape()->Assign(shape, shape + 3);
  const absl::StatusOr<DecodedRows> decoded = Decode(observations);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->View().values(0, 5), 1);
}

TEST(ObservationsTest, AnythingMayStandUnderAMissingValue) {
  for (float value : {kNan, std::numeric_limits<float>::infinity(), 77.0f}) {
    v1::Observations observations;
    *observations.mutable_dense() = MakeFloats({1, 6}, {0, value, 0, 1, 0, 1});
    observations.set_mask(std::string("\1\0\1\1\1\1", 6));
    EXPECT_EQ(Decode(observations).status(), absl::OkStatus()) << value;
  }
}

TEST(ObservationsTest, BadObservationsAreRefused) {
  using R = Refusal<v1::Observations>;
  ExpectRefused<v1::Observations>(
      TwoImages(),
      {R{[](auto& o) { o.clear_kind(); }, kInvalid, "REQUIRED",
         "observations.dense is missing"},
       R{[](auto& o) { o.mutable_sequences()->add_lengths(2); }, kInvalid,
         "WRONG_KIND",
         "observations.sequences is given; this model's observations are "
         "single rows, send observations.dense"},
       R{[](auto& o) { o.mutable_dense()->clear_shape(); }, kInvalid,
         "INVALID_SHAPE",
         "observations.dense.shape is []; this model takes N x 6 or N x 2 x 3"},
       R{[](auto& o) { o.mutable_dense()->set_shape(1, 5); }, kInvalid,
         "INVALID_SHAPE", "observations.dense.shape is [2, 5]"},
       R{[](auto& o) {
           const std::int64_t shape[] = {2, 3, 2};
           o.mutable_dense()->mutable_shape()->Assign(shape, shape + 3);
         },
         kInvalid, "INVALID_SHAPE", "is [2, 3, 2]"},
       R{[](auto& o) { o.mutable_dense()->set_shape(0, -1); }, kInvalid,
         "INVALID_SHAPE", "no dimension may be negative"},
       R{[](auto& o) {
           o.mutable_dense()->set_shape(0, std::int64_t{1} << 62);
         },
         kInvalid, "INVALID_SHAPE", "that many elements cannot be"},
       R{[](auto& o) { o.mutable_dense()->set_shape(0, 3); }, kInvalid,
         "WRONG_SIZE", "observations.dense.data has 48 bytes"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeFloats({0, 6}, {});
         },
         kInvalid, "NO_ROWS",
         "observations.dense has no rows; send at least one"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeFloats({4, 6}, std::vector<float>(24, 0));
         },
         kInvalid, "TOO_MANY_ROWS", "observations.dense has 4 rows; at most 3"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeFloats({1, 6}, {0, 0, 0, kNan, 0, kNan});
         },
         kInvalid, "INVALID_VALUE", "observations.dense[0][3] is NaN"},
       R{[](auto& o) {
           *o.mutable_dense() =
               MakeFloats({2, 6}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1.5f});
         },
         kInvalid, "INVALID_VALUE", "observations.dense[1][5] is 1.5"},
       R{[](auto& o) { o.set_mask("\1"); }, kInvalid, "WRONG_SIZE",
         "observations.mask has 1 elements; must have 12"},
       R{[](auto& o) { o.set_mask(std::string(11, '\1') + '\xff'); }, kInvalid,
         "INVALID_VALUE", "observations.mask[1][5] is 255; must be 1"},
       R{[](auto& o) { o.add_row_ids(1); }, kInvalid, "WRONG_SIZE",
         "observations.row_ids has 1 elements; must have 2"},
       R{[](auto& o) { o.add_weights(1); }, kInvalid, "WRONG_SIZE",
         "observations.weights has 1 elements; must have 2"},
       R{[](auto& o) {
           o.add_weights(1);
           o.add_weights(-1);
         },
         kInvalid, "INVALID_VALUE", "observations.weights[1] is -1"},
       R{[](auto& o) {
           o.add_weights(kNan);
           o.add_weights(1);
         },
         kInvalid, "INVALID_VALUE", "observations.weights[0] is nan"}},
      [](const v1::Observations& o) { return Decode(o).status(); });
}

TEST(ObservationsTest, WeightsOutsideTrainingAreRefused) {
  v1::Observations observations = TwoImages();
  observations.add_weights(1);
  observations.add_weights(1);
  const absl::Status status =
      Decode(observations, ImageSpec(), /*weights_allowed=*/false).status();
  EXPECT_EQ(ReasonOf(status), "NOT_ALLOWED");
}

TEST(ObservationsTest, RealValuesMustBeFinite) {
  v1::Observations observations;
  *observations.mutable_dense() = MakeFloats(
      {2, 2}, {-1e30f, 3, -std::numeric_limits<float>::infinity(), 0});
  EXPECT_THAT(std::string(Decode(observations, RealSpec()).status().message()),
              testing::StartsWith("observations.dense[1][0] is infinite"));
}

TEST(ObservationsTest, RawGreyLevelsAreAnyBeforeTheirScaleIsFitted) {
  DataSpec spec = RealSpec();
  spec.family = Family::kBernoulli;
  spec.preprocessing.kind = Preprocessing::Kind::kUnitInterval;
  v1::Observations observations;
  *observations.mutable_dense() = MakeFloats({1, 2}, {0, 255});
  EXPECT_EQ(Decode(observations, spec).status(), absl::OkStatus());
}

TEST(ObservationsTest, NumbersStandBesideSymbolsInAnyTypeButBytes) {
  DataSpec spec;
  spec.family = Family::kCategorical;
  spec.dimension = 2;
  spec.num_symbols = 3;
  spec.input_coordinates = {0};
  spec.real_inputs = true;
  v1::Observations rows;
  *rows.mutable_dense() = MakeFloats({2, 2}, {-4.5f, 2, 1e6f, 0});
  absl::StatusOr<DecodedRows> decoded = Decode(rows, spec);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->View().values(0, 0), -4.5f);
  *rows.mutable_dense() =
      MakeTensor<std::int32_t>({1, 2}, v1::ELEMENT_TYPE_INT32, {-700, 2});
  decoded = Decode(rows, spec);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->View().values(0, 0), -700);
  *rows.mutable_dense() = MakeFloats({1, 2}, {2, -4.5f});
  EXPECT_THAT(std::string(Decode(rows, spec).status().message()),
              testing::HasSubstr("[0][1] is -4.5; symbols must be"));
  *rows.mutable_dense() =
      MakeTensor<std::uint8_t>({1, 2}, v1::ELEMENT_TYPE_UINT8, {7, 2});
  EXPECT_EQ(ReasonOf(Decode(rows, spec).status()), "INVALID_ELEMENT_TYPE");
}

TEST(ObservationsTest, ErrorsBeginWithTheFieldAsked) {
  const absl::Status status =
      DecodeObservations({}, RealSpec(), {1}, false, "start_from").status();
  EXPECT_THAT(std::string(status.message()),
              testing::StartsWith("start_from.dense is missing"));
}

}  // namespace
}  // namespace poe::server
