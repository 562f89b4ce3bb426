#include "poe/training_rows.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/initialization.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

TrainingRows View(const RowMatrix<float>& values,
                  const std::vector<std::int32_t>& labels) {
  return {{{values.data(), values.rows(), values.cols()}}, labels, {}};
}

TEST(TrainingRowsTest, EveryRowIsInOnePartOfItsClass) {
  TrainingSettings settings;
  settings.class_names = {"a", "b", "c"};
  settings.held_out_share = 0.25;
  settings.seed = 5;
  constexpr Index kRows = 30000;
  const RowMatrix<float> values = RowMatrix<float>::Zero(kRows, 1);
  std::vector<std::int32_t> labels(kRows);
  for (Index n = 0; n < kRows; ++n)
    labels[n] = static_cast<std::int32_t>(n % 7 % 3);
  const absl::StatusOr<Split> split = SplitRows(settings, View(values, labels));
  ASSERT_TRUE(split.ok());
  std::vector<int> seen(kRows, 0);
  double held_out = 0;
  for (std::int32_t c = 0; c < 3; ++c) {
    held_out += static_cast<double>(split->held_out[c].size());
    for (const auto* part : {&split->training[c], &split->held_out[c]}) {
      for (Index n : *part) {
        ++seen[n];
        EXPECT_EQ(labels[n], c);
      }
    }
  }
  EXPECT_THAT(seen, testing::Each(1));
  // 6 standard errors.
  EXPECT_NEAR(held_out / kRows, 0.25, 6 * std::sqrt(0.25 * 0.75 / kRows));
}

TEST(TrainingRowsTest, ACoordinateWithOneValueInAClassCannotBeFittedApart) {
  RowMatrix<float> values = UniformMatrix(20, 2, -3, 5, 132);
  values.col(1).tail(10).setConstant(2);
  const std::vector<std::int32_t> labels;
  const TrainingRows rows = View(values, labels);
  TrainingSettings settings;
  settings.class_names = {"a", "b"};
  settings.data_spec.family = Family::kGaussian;
  settings.data_spec.dimension = 2;
  settings.products.emplace_back().groups = {
      {.num_experts = 1, .kind = GaussianMixtureSettings{{}, 2}}};
  std::vector<Index> first, last;
  for (Index n = 0; n < 20; ++n) (n < 10 ? first : last).push_back(n);
  EXPECT_TRUE(CheckVaries(settings, rows, last, 1).ok());
  settings.fit_apart.emplace();
  EXPECT_TRUE(CheckVaries(settings, rows, first, 0).ok());
  const absl::Status status = CheckVaries(settings, rows, last, 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(),
              testing::AllOf(testing::HasSubstr("class \"b\": groups[0]"),
                             testing::HasSubstr("coordinate 1 has the value 2"),
                             testing::HasSubstr("give a box")));
  settings.data_spec.family = Family::kStructuredGaussian;
  EXPECT_THAT(CheckVaries(settings, rows, last, 1).message(),
              testing::Not(testing::HasSubstr("box")));
  settings.products[0].groups[0].coordinates = {0};
  EXPECT_TRUE(CheckVaries(settings, rows, last, 1).ok());
}

class FitDataSpecTest : public testing::Test {
 protected:
  // The spec fitted to rows 0 .. 49; the others are held out and far away.
  DataSpec Fit(Family family, Preprocessing::Kind kind) {
    values_ = UniformMatrix(60, 2, -3, 5, 130);
    values_.bottomRows(10).setConstant(1000);
    const std::vector<std::int32_t> labels(60, 0);
    Split split;
    split.training.resize(1);
    split.held_out.resize(1);
    for (Index n = 0; n < 60; ++n)
      (n < 50 ? split.training : split.held_out)[0].push_back(n);
    DataSpec spec;
    spec.family = family;
    spec.dimension = 2;
    spec.preprocessing.kind = kind;
    EXPECT_TRUE(FitDataSpec(View(values_, labels), split, spec).ok());
    EXPECT_TRUE(Validate(spec).ok()) << Validate(spec);
    return spec;
  }

  RowMatrix<float> values_;
};

TEST_F(FitDataSpecTest, StandardizesByTheTrainingRows) {
  const DataSpec spec =
      Fit(Family::kGaussian, Preprocessing::Kind::kStandardize);
  for (Index i = 0; i < 2; ++i) {
    const Vector<double> column = values_.col(i).head(50).cast<double>();
    const double mean = column.mean();
    EXPECT_NEAR(spec.preprocessing.shift[i], mean, 1e-12);
    EXPECT_NEAR(spec.preprocessing.scale[i],
                std::sqrt((column.array() - mean).square().mean()), 1e-12);
    const double margin = 0.1 * (column.maxCoeff() - column.minCoeff());
    EXPECT_NEAR(spec.box->lower[i], column.minCoeff() - margin, 1e-12);
    EXPECT_NEAR(spec.box->upper[i], column.maxCoeff() + margin, 1e-12);
  }
}

TEST_F(FitDataSpecTest, AWeightCountsARowAgainAndNoWeightLeavesItOut) {
  values_ = UniformMatrix(4, 1, -3, 5, 131);
  values_(3, 0) = 100;
  const RowMatrix<float> repeated =
      (RowMatrix<float>(5, 1) << values_(0, 0), values_(1, 0), values_(1, 0),
       values_(1, 0), values_(2, 0))
          .finished();
  const auto fit = [](const RowMatrix<float>& values,
                      const std::vector<float>& weights) {
    const std::vector<std::int32_t> labels(values.rows(), 0);
    TrainingRows rows = View(values, labels);
    rows.weights = weights;
    Split split;
    split.training.resize(1);
    for (Index n = 0; n < values.rows(); ++n) split.training[0].push_back(n);
    DataSpec spec;
    spec.family = Family::kGaussian;
    spec.dimension = 1;
    spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
    EXPECT_TRUE(FitDataSpec(rows, split, spec).ok());
    return spec;
  };
  const DataSpec weighted = fit(values_, {1, 3, 1, 0});
  const DataSpec plain = fit(repeated, {});
  EXPECT_NEAR(weighted.preprocessing.shift[0], plain.preprocessing.shift[0],
              1e-12);
  EXPECT_NEAR(weighted.preprocessing.scale[0], plain.preprocessing.scale[0],
              1e-12);
  EXPECT_EQ(weighted.box->lower[0], plain.box->lower[0]);
  EXPECT_EQ(weighted.box->upper[0], plain.box->upper[0]);
}

TEST_F(FitDataSpecTest, ScalesToTheUnitInterval) {
  const DataSpec spec =
      Fit(Family::kBernoulli, Preprocessing::Kind::kUnitInterval);
  EXPECT_FALSE(spec.box.has_value());
  const Observations<float> x = Preprocess(spec, RowsOf(values_), 0, 50);
  const auto rows = x.values.topRows(50);
  for (Index i = 0; i < 2; ++i) {
    EXPECT_EQ(rows.col(i).minCoeff(), 0);
    EXPECT_EQ(rows.col(i).maxCoeff(), 1);
  }
}

TEST_F(FitDataSpecTest, WithoutPreprocessingOnlyTheBoxIsFitted) {
  const DataSpec spec = Fit(Family::kGaussian, Preprocessing::Kind::kNone);
  EXPECT_TRUE(spec.preprocessing.scale.empty());
  ASSERT_TRUE(spec.box.has_value());
  const PreprocessedBox box = BoxOf(spec);
  EXPECT_EQ(box.lower(1), spec.box->lower[1]);
  EXPECT_NEAR(box.log_volume,
              std::log(spec.box->upper[0] - spec.box->lower[0]) +
                  std::log(spec.box->upper[1] - spec.box->lower[1]),
              1e-12);
}

}  // namespace
}  // namespace poe
