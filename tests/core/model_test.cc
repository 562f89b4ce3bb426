#include "poe/model.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/gaussian.h"
#include "poe/raw_rows.h"
#include "tests/core/core_models.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

std::string RefusedSpec(DataSpec spec, void (*change)(DataSpec&)) {
  EXPECT_TRUE(Validate(spec).ok()) << Validate(spec);
  change(spec);
  const absl::Status status = Validate(spec);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

std::string RefusedModel(Model model, void (*change)(Model&)) {
  EXPECT_TRUE(Validate(model).ok()) << Validate(model);
  change(model);
  const absl::Status status = Validate(model);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(DataSpecTest, FieldsAtFaultAreNamed) {
  const DataSpec spec = UnigaussModel(2, 1, 1).data_spec;
  EXPECT_THAT(RefusedSpec(spec, [](DataSpec& s) { s.dimension = 0; }),
              HasSubstr("dimension is 0"));
  EXPECT_THAT(
      RefusedSpec(spec, [](DataSpec& s) { s.coordinate_names = {"x"}; }),
      HasSubstr("1 coordinate names for 2"));
  EXPECT_THAT(RefusedSpec(spec, [](DataSpec& s) { s.image_height = 2; }),
              HasSubstr("image of 2 x 0"));
  EXPECT_THAT(RefusedSpec(spec,
                          [](DataSpec& s) {
                            s.image_height = 2;
                            s.image_width = 2;
                          }),
              HasSubstr("image of 2 x 2"));
  EXPECT_THAT(
      RefusedSpec(spec, [](DataSpec& s) { s.preprocessing.shift.pop_back(); }),
      HasSubstr("1 shifts and 2 scales"));
  EXPECT_THAT(
      RefusedSpec(spec, [](DataSpec& s) { s.preprocessing.scale[1] = 0; }),
      HasSubstr("coordinate 1"));
  EXPECT_THAT(
      RefusedSpec(spec, [](DataSpec& s) { s.preprocessing.shift[0] = kNan; }),
      HasSubstr("coordinate 0"));
  EXPECT_THAT(RefusedSpec(spec, [](DataSpec& s) { s.box_margin = -1; }),
              HasSubstr("box_margin"));
  EXPECT_THAT(RefusedSpec(spec, [](DataSpec& s) { s.box->lower.clear(); }),
              HasSubstr("the box has 0 and 2 bounds"));
  EXPECT_THAT(RefusedSpec(spec, [](DataSpec& s) { s.box->lower[1] = 5; }),
              HasSubstr("coordinate 1 is [5, 5]"));
  EXPECT_THAT(
      RefusedSpec(spec, [](DataSpec& s) { s.box->upper[0] = kInfinity; }),
      HasSubstr("coordinate 0"));
}

TEST(DataSpecTest, BernoulliDataHaveNoBoxAndAreNotStandardized) {
  const DataSpec spec = BernoulliModel(2, 1, 1).data_spec;
  EXPECT_THAT(RefusedSpec(spec,
                          [](DataSpec& s) {
                            s.box = Box{{0, 0}, {1, 1}};
                          }),
              HasSubstr("box"));
  EXPECT_THAT(RefusedSpec(spec,
                          [](DataSpec& s) {
                            s.preprocessing.kind =
                                Preprocessing::Kind::kStandardize;
                          }),
              HasSubstr("standardize"));
}

TEST(DataSpecTest, SymbolsNeedAnAlphabetAndOthersHaveNone) {
  DataSpec spec;
  spec.dimension = 2;
  spec.num_symbols = 3;
  EXPECT_TRUE(absl::IsInvalidArgument(Validate(spec)));
  spec.family = Family::kCategorical;
  EXPECT_TRUE(Validate(spec).ok());
  EXPECT_EQ(spec.width(), 6);
  for (int symbols : {0, 1, -4, 1 << 20}) {
    spec.num_symbols = symbols;
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(spec)));
  }
}

TEST(DataSpecTest, InputsAreDistinctCoordinatesAndLeaveSome) {
  DataSpec spec;
  spec.dimension = 3;
  spec.input_coordinates = {0, 2};
  EXPECT_TRUE(Validate(spec).ok());
  for (const std::vector<Index>& inputs :
       std::vector<std::vector<Index>>{{3}, {-1}, {1, 1}, {2, 0}, {0, 1, 2}}) {
    spec.input_coordinates = inputs;
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(spec)));
  }
}

TEST(PreprocessTest, SymbolsBecomeColumnsAndComeBack) {
  DataSpec spec;
  spec.family = Family::kCategorical;
  spec.dimension = 2;
  spec.num_symbols = 3;
  spec.input_coordinates = {1};
  const RowMatrix<float> raw{{0, 2}, {1, 1}, {2, 0}};
  ASSERT_TRUE(ValidateRows(spec, RowsOf(raw)).ok());
  const Observations<float> x = Preprocess(spec, RowsOf(raw), 0, 3);
  const RowMatrix<float> columns{
      {1, 0, 0, 0, 0, 1}, {0, 1, 0, 0, 1, 0}, {0, 0, 1, 1, 0, 0}};
  EXPECT_EQ(x.values.topRows(3), columns);
  EXPECT_EQ(Unprocess(spec, columns), raw);
  for (Index n = 0; n < 3; ++n)
    for (Index i = 0; i < 6; ++i) EXPECT_EQ(x.IsClamped(n, i), i >= 3);
  for (float bad : {-1.0f, 3.0f, 0.5f}) {
    RowMatrix<float> wrong = raw;
    wrong(1, 0) = bad;
    EXPECT_TRUE(absl::IsInvalidArgument(ValidateRows(spec, RowsOf(wrong))));
  }
}

TEST(PreprocessTest, SequencesKeepTheirLengths) {
  DataSpec spec;
  spec.family = Family::kStructuredGaussian;
  spec.dimension = 2;
  spec.sequential = true;
  const RowMatrix<float> raw = UniformMatrix(6, 2, -1, 1, 74);
  const std::vector<Index> starts = {0, 1, 4, 6};
  RawRows rows = RowsOf(raw);
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateRows(spec, rows)));
  rows.starts = starts;
  ASSERT_TRUE(ValidateRows(spec, rows).ok());
  const Observations<float> x = Preprocess(spec, rows, 1, 3);
  EXPECT_EQ(x.lengths, (std::vector<Index>{3, 2}));
  EXPECT_EQ(x.values.topRows(5), raw.bottomRows(5));
  const GatheredRows gathered(rows, {2, 0});
  EXPECT_EQ(gathered.View().values.row(2), raw.row(0));
  EXPECT_EQ(gathered.View().length(0), 2);
}

TEST(ModelTest, ThreadsGatherAndPreprocessTheSameRows) {
  constexpr Index kRows = 200, kWidth = 300;
  DataSpec spec;
  spec.family = Family::kGaussian;
  spec.dimension = kWidth;
  spec.preprocessing.shift.assign(kWidth, 0.3);
  spec.preprocessing.scale.assign(kWidth, 1.7);
  const RowMatrix<float> raw = UniformMatrix(kRows, kWidth, -1, 1, 75);
  std::vector<Index> backwards;
  for (Index n = kRows; n-- > 0;) backwards.push_back(n);
  const Workers three(3);
  const GatheredRows gathered(RowsOf(raw), backwards, three);
  EXPECT_EQ(gathered.View().values, raw.colwise().reverse());
  const Observations<float> x =
      Preprocess(spec, gathered.View(), 0, kRows, three);
  EXPECT_EQ(x.values, Preprocess(spec, gathered.View(), 0, kRows).values);
  EXPECT_EQ(x.row_ids.back(), 0u);
}

TEST(ModelTest, PartsThatDoNotFitAreNamed) {
  const Model model = UnigaussModel(3, 2, 3);
  EXPECT_THAT(RefusedModel(model, [](Model& m) { m.data_spec.box.reset(); }),
              HasSubstr("no box"));
  EXPECT_THAT(RefusedModel(model,
                           [](Model& m) {
                             m.data_spec.preprocessing.scale.clear();
                             m.data_spec.preprocessing.shift.clear();
                           }),
              HasSubstr("no scales"));
  EXPECT_THAT(RefusedModel(model, [](Model& m) { m.classes.clear(); }),
              HasSubstr("no classes"));
  EXPECT_THAT(RefusedModel(model, [](Model& m) { m.classes[1].name = ""; }),
              HasSubstr("no name"));
  EXPECT_THAT(RefusedModel(model, [](Model& m) { m.classes[1].name = "2"; }),
              HasSubstr("two classes are named \"2\""));
  EXPECT_THAT(RefusedModel(model,
                           [](Model& m) {
                             m.classes[1] = BernoulliModel(3, 2, 2).classes[1];
                           }),
              HasSubstr("class \"1\""));
  EXPECT_THAT(RefusedModel(model,
                           [](Model& m) {
                             m.classes[1] = UnigaussModel(4, 2, 2).classes[1];
                           }),
              HasSubstr("class \"1\""));
  EXPECT_THAT(RefusedModel(model, [](Model& m) { m.classes.pop_back(); }),
              HasSubstr("the separator knows 3 classes"));
  EXPECT_THAT(RefusedModel(model, [](Model& m) { m.separator.reset(); }),
              HasSubstr("no separator"));
  EXPECT_THAT(RefusedModel(model,
                           [](Model& m) {
                             m.calibration =
                                 BernoulliModel(2, 1, 2).calibration;
                           }),
              HasSubstr("the calibration knows 2 classes"));
  EXPECT_THAT(
      RefusedModel(model,
                   [](Model& m) {
                     m.classes[1].usual_verdicts =
                         *UsualVerdicts::Create(RowMatrix<double>::Zero(3, 2));
                   }),
      HasSubstr("class \"1\" has usual verdicts of 3 experts; its product has "
                "2"));
}

TEST(ModelTest, CountsExpertsAndParameters) {
  const Model model = BernoulliModel(3, 2, 4);
  EXPECT_EQ(model.num_experts(), 2);
  EXPECT_EQ(model.num_parameters(), 4 * (3 + 3 * 2 + 2));
}

TEST(PreprocessTest, ShiftsAndScalesTheRowsAskedFor) {
  DataSpec spec = UnigaussModel(2, 1, 1).data_spec;
  spec.preprocessing.shift = {1, -2};
  spec.preprocessing.scale = {2, 0.5};
  const RowMatrix<float> raw = UniformMatrix(5, 2, -1, 5, 70);
  const Observations<float> x = Preprocess(spec, RowsOf(raw), 1, 4);
  ASSERT_EQ(x.size, 3);
  ASSERT_EQ(x.values.rows(), PaddedRows(3));
  for (Index n = 0; n < 3; ++n) {
    EXPECT_FLOAT_EQ(x.values(n, 0), (raw(n + 1, 0) - 1) / 2);
    EXPECT_FLOAT_EQ(x.values(n, 1), (raw(n + 1, 1) + 2) / 0.5f);
    EXPECT_EQ(x.row_ids[n], static_cast<std::uint64_t>(n + 1));
  }
  EXPECT_TRUE(x.values.row(3).isZero(0));
}

TEST(PreprocessTest, TakesRowIdsAndIgnoresWhatIsMissing) {
  const DataSpec spec = UnigaussModel(2, 1, 1).data_spec;
  RowMatrix<float> raw = UniformMatrix(2, 2, -1, 5, 71);
  raw(1, 0) = kNan;
  RawRows rows = RowsOf(raw);
  const std::vector<std::uint64_t> ids = {7, 1u << 31};
  const std::vector<std::uint8_t> observed = {1, 1, 0, 1};
  rows.row_ids = ids;
  rows.observed = observed;
  const Observations<float> x = Preprocess(spec, rows, 0, 2);
  EXPECT_EQ(x.row_ids, ids);
  EXPECT_EQ(x.values(1, 0), 0);
  EXPECT_NE(x.values(1, 1), 0);
}

TEST(PreprocessTest, UnprocessIsTheWayBack) {
  for (const DataSpec& spec :
       {UnigaussModel(3, 1, 1).data_spec, BernoulliModel(3, 1, 1).data_spec}) {
    const RowMatrix<float> raw = UniformMatrix(20, 3, 0, 1, 72);
    const RowMatrix<float> values = Unprocess(
        spec, Preprocess(spec, RowsOf(raw), 0, 20).values.topRows(20));
    EXPECT_TRUE(values.isApprox(raw, 1e-6f));
  }
}

// The box of the preprocessed data as the product has it.
bool InBox(const Model& model, const Observations<float>& x, Index n) {
  return model.classes[0].layers[0].base().InSupport(
      absl::MakeConstSpan(x.values.row(n).data(), x.dimension()));
}

// Models of one class whose boxes have ends like those of data.
std::vector<Model> ModelsOnBoxes() {
  std::vector<Model> models;
  for (double scale : {0.1, 0.7, 3.0, 73.0}) {
    for (double shift : {0.0, 33.3, -1e4}) {
      Model model = UnigaussModel(1, 1, 1);
      DataSpec& spec = model.data_spec;
      spec.preprocessing.shift = {shift};
      spec.preprocessing.scale = {scale};
      spec.box = Box{{0}, {255}};
      model.classes[0].layers[0] = UnigaussProduct(spec, 1, 0);
      models.push_back(model);
    }
  }
  return models;
}

TEST(PreprocessTest, RoundingNeverCarriesAValueAcrossTheBox) {
  RowMatrix<float> raw(3, 1);
  raw << 0, 255, -1e-3f;
  for (const Model& model : ModelsOnBoxes()) {
    const Observations<float> x =
        Preprocess(model.data_spec, RowsOf(raw), 0, 3);
    EXPECT_TRUE(InBox(model, x, 0));
    EXPECT_TRUE(InBox(model, x, 1));
    EXPECT_FALSE(InBox(model, x, 2));
  }
}

TEST(PreprocessTest, WhatTheBaseDrawsIsInSupportWhenItComesBack) {
  for (const Model& model : ModelsOnBoxes()) {
    const auto& base = dynamic_cast<const GaussianBase<float>&>(
        model.classes[0].layers[0].base());
    RowMatrix<float> values(2, 1);
    values(0, 0) = static_cast<float>(base.lower()(0));
    if (values(0, 0) < base.lower()(0))
      values(0, 0) = std::nextafterf(values(0, 0), kInfinity);
    values(1, 0) = static_cast<float>(base.upper()(0));
    if (values(1, 0) > base.upper()(0))
      values(1, 0) = std::nextafterf(values(1, 0), -kInfinity);
    values = Unprocess(model.data_spec, values);
    const Observations<float> x =
        Preprocess(model.data_spec, RowsOf(values), 0, 2);
    EXPECT_TRUE(InBox(model, x, 0));
    EXPECT_TRUE(InBox(model, x, 1));
  }
}

TEST(PreprocessTest, EndsOfTheUnitIntervalAreKept) {
  DataSpec spec = BernoulliModel(1, 1, 1).data_spec;
  spec.preprocessing.kind = Preprocessing::Kind::kUnitInterval;
  spec.preprocessing.shift = {0.1f};
  spec.preprocessing.scale = {static_cast<double>(0.7f) - 0.1f};
  RowMatrix<float> raw(3, 1);
  raw << 0.1f, 0.7f, 0.8f;
  const Observations<float> x = Preprocess(spec, RowsOf(raw), 0, 3);
  EXPECT_EQ(x.values(0, 0), 0);
  EXPECT_EQ(x.values(1, 0), 1);
  EXPECT_GT(x.values(2, 0), 1.1f);
}

TEST(ValidateRowsTest, NamesRowAndColumnOfTheFirstBadValue) {
  const DataSpec real = UnigaussModel(3, 1, 1).data_spec;
  const DataSpec binary = BernoulliModel(3, 1, 1).data_spec;
  RowMatrix<float> raw = UniformMatrix(4, 3, 0, 1, 73);
  EXPECT_TRUE(ValidateRows(real, RowsOf(raw)).ok());
  EXPECT_TRUE(ValidateRows(binary, RowsOf(raw)).ok());
  raw(2, 1) = 1.5f;
  EXPECT_TRUE(ValidateRows(real, RowsOf(raw)).ok());
  EXPECT_THAT(ValidateRows(binary, RowsOf(raw)).message(),
              HasSubstr("values[2][1] is 1.5"));
  raw(3, 0) = -kInfinity;
  EXPECT_THAT(ValidateRows(real, RowsOf(raw)).message(),
              HasSubstr("values[3][0] is infinite"));
  raw(1, 2) = kNan;
  const absl::Status status = ValidateRows(real, RowsOf(raw));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(status.message(), HasSubstr("values[1][2] is NaN"));
  EXPECT_THAT(
      ValidateRows(BernoulliModel(2, 1, 1).data_spec, RowsOf(raw)).message(),
      HasSubstr("3 values"));
}

TEST(ValidateRowsTest, WhatIsMissingMayBeAnything) {
  RowMatrix<float> raw = UniformMatrix(2, 3, 0, 1, 74);
  raw(1, 2) = kNan;
  raw(0, 1) = -3;
  RawRows rows = RowsOf(raw);
  const std::vector<std::uint8_t> observed = {1, 0, 1, 1, 1, 0};
  rows.observed = observed;
  EXPECT_TRUE(ValidateRows(BernoulliModel(3, 1, 1).data_spec, rows).ok());
}

TEST(ValidateRowsTest, ScaledBernoulliDataMayLieOutside) {
  DataSpec spec = BernoulliModel(1, 1, 1).data_spec;
  spec.preprocessing.kind = Preprocessing::Kind::kUnitInterval;
  spec.preprocessing.shift = {0};
  spec.preprocessing.scale = {255};
  const RowMatrix<float> raw = RowMatrix<float>::Constant(1, 1, 300);
  EXPECT_TRUE(ValidateRows(spec, RowsOf(raw)).ok());
}

}  // namespace
}  // namespace poe
