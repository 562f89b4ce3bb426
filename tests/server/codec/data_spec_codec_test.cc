#include "server/codec/data_spec_codec.h"

#include <cstdint>
#include <limits>

#include "google/protobuf/util/message_differencer.h"
#include "tests/server/codec/refusal.h"

namespace poe::server {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr char kStored[] = R"pb(
  family: FAMILY_GAUSSIAN
  dimension: 2
  coordinate_names: [ "length", "width" ]
  preprocessing {
    kind: KIND_STANDARDIZE
    shift: [ 1, 2 ]
    scale: [ 0.5, 4 ]
  }
  box {
    lower: [ -1, -2 ]
    upper: [ 3, 4 ]
  }
  box_margin: 0.25
)pb";

constexpr char kAsked[] = R"pb(
  family: FAMILY_BERNOULLI
  dimension: 6
  image_height: 2
  image_width: 3
  preprocessing { kind: KIND_UNIT_INTERVAL }
)pb";

TEST(DataSpecCodecTest, StoredSpecRoundTrips) {
  const auto stored = FromText<v1::DataSpec>(kStored);
  const absl::StatusOr<DataSpec> spec = DecodeDataSpec(stored);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(MessageDifferencer::Equals(EncodeDataSpec(*spec), stored))
      << EncodeDataSpec(*spec).DebugString();
}

TEST(DataSpecCodecTest, AskedSpecRoundTrips) {
  const auto asked = FromText<v1::DataSpec>(kAsked);
  const absl::StatusOr<DataSpec> spec =
      DecodeDataSpec(asked, SpecOrigin::kTrainStart);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(MessageDifferencer::Equals(EncodeDataSpec(*spec), asked));
}

constexpr char kSymbols[] = R"pb(
  family: FAMILY_CATEGORICAL
  dimension: 4
  sequential: true
  num_symbols: 5
  input_coordinates: [ 0, 2 ]
  preprocessing { kind: KIND_NONE }
)pb";

TEST(DataSpecCodecTest, SequencesOfSymbolsWithInputsRoundTrip) {
  const auto stored = FromText<v1::DataSpec>(kSymbols);
  const absl::StatusOr<DataSpec> spec = DecodeDataSpec(stored);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->family, Family::kCategorical);
  EXPECT_TRUE(spec->sequential);
  EXPECT_EQ(spec->width(), 20);
  EXPECT_TRUE(MessageDifferencer::Equals(EncodeDataSpec(*spec), stored))
      << EncodeDataSpec(*spec).DebugString();
}

constexpr char kRealInputs[] = R"pb(
  family: FAMILY_CATEGORICAL
  dimension: 3
  num_symbols: 10
  input_coordinates: [ 0, 1 ]
  real_inputs: true
  preprocessing {
    kind: KIND_STANDARDIZE
    shift: [ 5, -2, 0 ]
    scale: [ 0.5, 4, 1 ]
  }
)pb";

TEST(DataSpecCodecTest, ASymbolBesideRealInputsRoundTrips) {
  const auto stored = FromText<v1::DataSpec>(kRealInputs);
  const absl::StatusOr<DataSpec> spec = DecodeDataSpec(stored);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->real_inputs);
  EXPECT_EQ(spec->width(), 12);
  EXPECT_TRUE(MessageDifferencer::Equals(EncodeDataSpec(*spec), stored))
      << EncodeDataSpec(*spec).DebugString();
}

TEST(DataSpecCodecTest, BadRealInputsAreRefused) {
  using R = Refusal<v1::DataSpec>;
  ExpectRefused<v1::DataSpec>(
      FromText<v1::DataSpec>(kRealInputs),
      {R{[](auto& s) { s.clear_input_coordinates(); }, kInvalid, "REQUIRED",
         "data_spec.input_coordinates is missing; real_inputs needs"},
       R{[](auto& s) {
           s.set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
           s.clear_num_symbols();
         },
         kInvalid, "NOT_ALLOWED", "data_spec.real_inputs is given; it is for"},
       R{[](auto& s) { s.mutable_preprocessing()->set_shift(2, 1); }, kInvalid,
         "INVALID_DATA_SPEC",
         "data_spec: preprocessing of coordinate 2 has shift 1"},
       R{[](auto& s) { s.clear_real_inputs(); }, kInvalid, "INVALID_DATA_SPEC",
         "symbols are left as they are"},
       R{[](auto& s) {
           s.set_num_symbols(65536);
           s.set_dimension(1 << 20);
         },
         kInvalid, "OUT_OF_RANGE",
         "data_spec.num_symbols is 65536 for each of 1048574 coordinates"},
       R{[](auto& s) {
           s.set_dimension(std::numeric_limits<std::int64_t>::min());
         },
         kInvalid, "OUT_OF_RANGE",
         "data_spec.input_coordinates[0] is 0; the -9223372036854775808"}},
      [](const v1::DataSpec& s) { return DecodeDataSpec(s).status(); });
}

TEST(DataSpecCodecTest, StructuredRealsNeedNoBox) {
  auto stored = FromText<v1::DataSpec>(kStored);
  stored.set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
  stored.clear_box();
  stored.clear_box_margin();
  const absl::StatusOr<DataSpec> spec = DecodeDataSpec(stored);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->family, Family::kStructuredGaussian);
  EXPECT_TRUE(MessageDifferencer::Equals(EncodeDataSpec(*spec), stored));
}

TEST(DataSpecCodecTest, InputsMayComeInAnyOrder) {
  auto stored = FromText<v1::DataSpec>(kSymbols);
  stored.set_input_coordinates(0, 3);
  EXPECT_THAT(DecodeDataSpec(stored)->input_coordinates,
              testing::ElementsAre(2, 3));
}

TEST(DataSpecCodecTest, BadSequencesSymbolsAndInputsAreRefused) {
  using R = Refusal<v1::DataSpec>;
  ExpectRefused<v1::DataSpec>(
      FromText<v1::DataSpec>(kSymbols),
      {R{[](auto& s) { s.clear_num_symbols(); }, kInvalid, "REQUIRED",
         "data_spec.num_symbols is missing"},
       R{[](auto& s) { s.set_num_symbols(1); }, kInvalid, "INVALID_DATA_SPEC",
         "data_spec.num_symbols is 1; it must be 2 to 65536"},
       R{[](auto& s) { s.set_num_symbols(-3); }, kInvalid, "INVALID_DATA_SPEC",
         "data_spec.num_symbols is -3"},
       R{[](auto& s) { s.set_num_symbols(65537); }, kInvalid,
         "INVALID_DATA_SPEC", "data_spec.num_symbols is 65537"},
       R{[](auto& s) {
           s.set_num_symbols(65536);
           s.set_dimension(std::int64_t{1} << 50);
         },
         kInvalid, "OUT_OF_RANGE",
         "data_spec.num_symbols is 65536 for each of 1125899906842624"},
       R{[](auto& s) { s.set_input_coordinates(1, 4); }, kInvalid,
         "OUT_OF_RANGE",
         "data_spec.input_coordinates[1] is 4; the 4 coordinates are counted"},
       R{[](auto& s) { s.set_input_coordinates(0, -1); }, kInvalid,
         "OUT_OF_RANGE", "data_spec.input_coordinates[0] is -1"},
       R{[](auto& s) { s.set_input_coordinates(1, 0); }, kInvalid, "REPEATED",
         "data_spec.input_coordinates[1] is 0, as one before"},
       R{[](auto& s) {
           s.add_input_coordinates(1);
           s.add_input_coordinates(3);
         },
         kInvalid, "INVALID_VALUE",
         "data_spec.input_coordinates names all 4 coordinates"},
       R{[](auto& s) {
           s.set_image_height(2);
           s.set_image_width(2);
         },
         kInvalid, "CONFLICT", "data_spec.image_height is given; sequences"},
       R{[](auto& s) { s.set_image_width(4); }, kInvalid, "CONFLICT",
         "data_spec.image_width is given"},
       R{[](auto& s) { s.mutable_box(); }, kInvalid, "NOT_ALLOWED",
         "data_spec.box is given; it is for FAMILY_GAUSSIAN only"},
       R{[](auto& s) {
           s.mutable_preprocessing()->set_kind(
               v1::Preprocessing::KIND_UNIT_INTERVAL);
           s.mutable_preprocessing()->mutable_shift()->Resize(4, 0);
           s.mutable_preprocessing()->mutable_scale()->Resize(4, 1);
         },
         kInvalid, "INVALID_DATA_SPEC", "symbols are left as they are"}},
      [](const v1::DataSpec& s) { return DecodeDataSpec(s).status(); });
}

TEST(DataSpecCodecTest, MarginOfTheBoxIsATenthUnlessGiven) {
  auto asked = FromText<v1::DataSpec>("family: FAMILY_GAUSSIAN dimension: 1");
  EXPECT_EQ(DecodeDataSpec(asked, SpecOrigin::kTrainStart)->box_margin, 0.1);
  asked.set_box_margin(3);
  EXPECT_EQ(DecodeDataSpec(asked, SpecOrigin::kTrainStart)->box_margin, 3);
}

TEST(DataSpecCodecTest, BadStoredSpecsAreRefused) {
  using R = Refusal<v1::DataSpec>;
  ExpectRefused<v1::DataSpec>(
      FromText<v1::DataSpec>(kStored),
      {R{[](auto& s) { s.clear_family(); }, kInvalid, "REQUIRED",
         "data_spec.family is missing"},
       R{[](auto& s) { s.set_family(static_cast<v1::Family>(9)); }, kInvalid,
         "INVALID_VALUE", "data_spec.family is 9"},
       R{[](auto& s) { s.set_family(v1::FAMILY_STRUCTURED_GAUSSIAN); },
         kInvalid, "NOT_ALLOWED", "data_spec.box is given"},
       R{[](auto& s) { s.set_num_symbols(3); }, kInvalid, "NOT_ALLOWED",
         "data_spec.num_symbols is given"},
       R{[](auto& s) { s.set_dimension(3); }, kInvalid, "WRONG_SIZE",
         "data_spec.preprocessing has 2 shifts and 2 scales; must have 3"},
       R{[](auto& s) {
           s.set_dimension(0);
           s.clear_preprocessing();
         },
         kInvalid, "INVALID_DATA_SPEC", "data_spec: dimension is 0"},
       R{[](auto& s) {
           s.set_dimension(-5);
           s.clear_preprocessing();
         },
         kInvalid, "INVALID_DATA_SPEC", "data_spec: dimension is -5"},
       R{[](auto& s) { s.add_coordinate_names("height"); }, kInvalid,
         "INVALID_DATA_SPEC", "3 coordinate names for 2 coordinates"},
       R{[](auto& s) { s.set_image_height(2); }, kInvalid, "INVALID_DATA_SPEC",
         "an image of 2 x 0"},
       R{[](auto& s) {
           s.set_image_height(-1);
           s.set_image_width(-2);
         },
         kInvalid, "INVALID_DATA_SPEC", "an image of -1 x -2"},
       R{[](auto& s) {
           s.mutable_preprocessing()->set_kind(v1::Preprocessing::KIND_NONE);
         },
         kInvalid, "WRONG_SIZE", "must have 0 of each"},
       R{[](auto& s) {
           s.mutable_preprocessing()->set_kind(
               static_cast<v1::Preprocessing::Kind>(9));
         },
         kInvalid, "INVALID_VALUE", "data_spec.preprocessing.kind is 9"},
       R{[](auto& s) { s.mutable_preprocessing()->clear_scale(); }, kInvalid,
         "WRONG_SIZE", "has 2 shifts and 0 scales"},
       R{[](auto& s) { s.mutable_preprocessing()->set_scale(1, 0); }, kInvalid,
         "INVALID_DATA_SPEC", "preprocessing of coordinate 1"},
       R{[](auto& s) { s.mutable_box()->mutable_lower()->Clear(); }, kInvalid,
         "INVALID_DATA_SPEC", "the box has 0 and 2 bounds"},
       R{[](auto& s) { s.mutable_box()->set_lower(1, 4); }, kInvalid,
         "INVALID_DATA_SPEC", "the box of coordinate 1"},
       R{[](auto& s) { s.set_box_margin(-1); }, kInvalid, "INVALID_DATA_SPEC",
         "data_spec.box_margin is -1"},
       R{[](auto& s) { s.clear_box(); }, kInvalid, "REQUIRED",
         "data_spec.box is missing"},
       R{[](auto& s) {
           s.set_family(v1::FAMILY_BERNOULLI);
           s.clear_box();
         },
         kInvalid, "INVALID_DATA_SPEC",
         "Bernoulli data are scaled to the unit interval"},
       R{[](auto& s) { s.set_family(v1::FAMILY_BERNOULLI); }, kInvalid,
         "NOT_ALLOWED", "data_spec.box is given"}},
      [](const v1::DataSpec& s) { return DecodeDataSpec(s).status(); });
}

TEST(DataSpecCodecTest, FittedNumbersInARequestToTrainAreRefused) {
  auto asked = FromText<v1::DataSpec>(kStored);
  EXPECT_THAT(
      std::string(
          DecodeDataSpec(asked, SpecOrigin::kTrainStart).status().message()),
      testing::HasSubstr("fitted in training, give kind alone"));
}

}  // namespace
}  // namespace poe::server
