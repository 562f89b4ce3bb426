// Observations that are sequences, symbols, or inputs of conditional models.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "server/codec/observations.h"
#include "tests/server/codec/refusal.h"

namespace poe::server {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

DataSpec SequenceSpec() {
  DataSpec spec;
  spec.family = Family::kGaussian;
  spec.dimension = 2;
  spec.sequential = true;
  return spec;
}

DataSpec SymbolSpec() {
  DataSpec spec;
  spec.family = Family::kCategorical;
  spec.dimension = 3;
  spec.num_symbols = 4;
  spec.input_coordinates = {1};
  return spec;
}

// Of lengths 2, 1 and 3.
v1::Observations ThreeSequences() {
  v1::Observations observations;
  v1::Sequences& sequences = *observations.mutable_sequences();
  *sequences.mutable_values() =
      MakeFloats({6, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  for (const int length : {2, 1, 3}) sequences.add_lengths(length);
  return observations;
}

v1::Observations TwoRowsOfSymbols() {
  v1::Observations observations;
  *observations.mutable_dense() = MakeTensor<std::int32_t>(
      {2, 3}, v1::ELEMENT_TYPE_INT32, {0, 1, 2, 3, 3, 0});
  return observations;
}

absl::StatusOr<DecodedRows> DecodeFrames(
    const v1::Observations& observations,
    const DataSpec& spec = SequenceSpec()) {
  return DecodeObservations(observations, spec, {7, 4}, true);
}

TEST(SequencesTest, Decode) {
  v1::Observations observations = ThreeSequences();
  observations.set_mask(std::string("\1\1\1\1\1\0\1\1\1\1\1\1", 12));
  for (const int n : {7, 8, 9}) {
    observations.add_row_ids(n);
    observations.add_weights(0.5f * static_cast<float>(n));
  }
  const absl::StatusOr<DecodedRows> decoded = DecodeFrames(observations);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->rows, 3);
  EXPECT_EQ(decoded->frames(), 6);
  EXPECT_THAT(decoded->weights, ElementsAre(3.5f, 4, 4.5f));
  const RawRows view = decoded->View();
  EXPECT_EQ(view.size(), 3);
  EXPECT_THAT(view.starts, ElementsAre(0, 2, 3, 6));
  EXPECT_EQ(view.values.rows(), 6);
  EXPECT_EQ(view.values(5, 1), 11);
  EXPECT_THAT(view.row_ids, ElementsAre(7, 8, 9));
  EXPECT_FALSE(view.IsObserved(2, 1));
  EXPECT_TRUE(view.IsObserved(2, 0));
}

TEST(SequencesTest, BadSequencesAreRefused) {
  using R = Refusal<v1::Observations>;
  ExpectRefused<v1::Observations>(
      ThreeSequences(),
      {R{[](auto& o) { o.clear_kind(); }, kInvalid, "REQUIRED",
         "observations.sequences is missing; it holds the sequences"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeFloats({1, 2}, {0, 0});
         },
         kInvalid, "WRONG_KIND",
         "observations.dense is given; this model's observations are "
         "sequences, send observations.sequences"},
       R{[](auto& o) { o.mutable_sequences()->clear_values(); }, kInvalid,
         "INVALID_SHAPE",
         "observations.sequences.values.shape is []; this model takes all "
         "rows of all sequences, (sum of lengths) x 2"},
       R{[](auto& o) { o.mutable_sequences()->mutable_values()->add_shape(1); },
         kInvalid, "INVALID_SHAPE", "shape is [6, 2, 1]"},
       R{[](auto& o) {
           o.mutable_sequences()->mutable_values()->set_shape(0, 5);
         },
         kInvalid, "WRONG_SIZE", "observations.sequences.values.data has"},
       R{[](auto& o) { o.mutable_sequences()->clear_lengths(); }, kInvalid,
         "NO_ROWS", "observations.sequences has no sequences"},
       R{[](auto& o) {
           o.mutable_sequences()->clear_lengths();
           o.mutable_sequences()->add_lengths(0);
           *o.mutable_sequences()->mutable_values() = MakeFloats({0, 2}, {});
         },
         kInvalid, "NO_ROWS", "observations.sequences.values has no rows"},
       R{[](auto& o) { o.mutable_sequences()->set_lengths(1, 0); }, kInvalid,
         "OUT_OF_RANGE",
         "observations.sequences.lengths[1] is 0; a sequence has at least 1"},
       R{[](auto& o) { o.mutable_sequences()->set_lengths(0, -2); }, kInvalid,
         "OUT_OF_RANGE", "observations.sequences.lengths[0] is -2"},
       R{[](auto& o) { o.mutable_sequences()->set_lengths(2, 2); }, kInvalid,
         "WRONG_SIZE",
         "observations.sequences.lengths have a sum of 5; must be 6"},
       R{[](auto& o) {
           o.mutable_sequences()->set_lengths(
               2, std::numeric_limits<std::int64_t>::max());
         },
         kInvalid, "WRONG_SIZE",
         "after the sequences before it, 3 of the 6 rows"},
       R{[](auto& o) {
           *o.mutable_sequences()->mutable_values() =
               MakeFloats({8, 2}, std::vector<float>(16, 0));
           o.mutable_sequences()->set_lengths(0, 4);
         },
         kInvalid, "TOO_MANY_ROWS",
         "observations.sequences.values has 8 rows; at most 7"},
       R{[](auto& o) {
           *o.mutable_sequences()->mutable_values() =
               MakeFloats({5, 2}, std::vector<float>(10, 0));
           o.mutable_sequences()->mutable_lengths()->Resize(5, 1);
         },
         kInvalid, "TOO_MANY_ROWS",
         "observations.sequences has 5 sequences; at most 4"},
       R{[](auto& o) { o.set_mask("\1\1\1"); }, kInvalid, "WRONG_SIZE",
         "observations.mask has 3 elements; must have 12"},
       R{[](auto& o) { o.set_mask(std::string(11, '\1') + '\2'); }, kInvalid,
         "INVALID_VALUE", "observations.mask[5][1] is 2"},
       R{[](auto& o) { o.add_row_ids(1); }, kInvalid, "WRONG_SIZE",
         "observations.row_ids has 1 elements; must have 3"},
       R{[](auto& o) { o.mutable_weights()->Resize(6, 1); }, kInvalid,
         "WRONG_SIZE", "observations.weights has 6 elements; must have 3"},
       R{[](auto& o) {
           o.mutable_sequences()->mutable_lengths()->Truncate(1);
           o.mutable_sequences()->set_lengths(0, 1);
           *o.mutable_sequences()->mutable_values() =
               MakeFloats({1, 2}, {0, NAN});
         },
         kInvalid, "INVALID_VALUE",
         "observations.sequences.values[0][1] is NaN"}},
      [](const v1::Observations& o) { return DecodeFrames(o).status(); });
}

TEST(SequencesTest, SymbolsAreWholeNumbersOfAnyWidth) {
  EXPECT_EQ(DecodeFrames(TwoRowsOfSymbols(), SymbolSpec())->View().values(1, 1),
            3);
  v1::Observations observations;
  *observations.mutable_dense() = MakeFloats({1, 3}, {0, 3, 2});
  EXPECT_EQ(DecodeFrames(observations, SymbolSpec()).status(),
            absl::OkStatus());
}

TEST(SequencesTest, BadSymbolsAreRefused) {
  using R = Refusal<v1::Observations>;
  ExpectRefused<v1::Observations>(
      TwoRowsOfSymbols(),
      {R{[](auto& o) {
           *o.mutable_dense() = MakeTensor<std::int32_t>(
               {1, 3}, v1::ELEMENT_TYPE_INT32, {0, 1, 4});
         },
         kInvalid, "INVALID_VALUE",
         "observations.dense[0][2] is 4; symbols must be whole numbers from 0 "
         "to 3"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeTensor<std::int32_t>(
               {1, 3}, v1::ELEMENT_TYPE_INT32, {-1, 1, 3});
         },
         kInvalid, "INVALID_VALUE", "observations.dense[0][0] is -1"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeFloats({1, 3}, {0, 1, 2.5f});
         },
         kInvalid, "INVALID_VALUE", "observations.dense[0][2] is 2.5"},
       R{[](auto& o) {
           *o.mutable_dense() = MakeTensor<std::uint8_t>(
               {1, 3}, v1::ELEMENT_TYPE_UINT8, {0, 1, 2});
         },
         kInvalid, "INVALID_ELEMENT_TYPE",
         "observations.dense.element_type is ELEMENT_TYPE_UINT8"},
       R{[](auto& o) { o.set_mask(std::string("\1\1\1\1\0\1", 6)); }, kInvalid,
         "MISSING_INPUT",
         "observations.mask[1][1] is 0; coordinate 1 is an input"}},
      [](const v1::Observations& o) {
        return DecodeFrames(o, SymbolSpec()).status();
      });
}

TEST(SequencesTest, AnythingMayStandUnderAMissingSymbol) {
  v1::Observations observations = TwoRowsOfSymbols();
  *observations.mutable_dense() = MakeFloats({2, 3}, {0, 1, NAN, 3, 3, 4.5f});
  observations.set_mask(std::string("\1\1\0\1\1\0", 6));
  EXPECT_EQ(DecodeFrames(observations, SymbolSpec()).status(),
            absl::OkStatus());
}

}  // namespace
}  // namespace poe::server
