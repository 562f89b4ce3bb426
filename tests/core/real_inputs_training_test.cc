// Label experts trained on real inputs.
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

constexpr Index kRows = 600;

// Two coordinates in the plane, far from 0 and 1, and in the last column in
// which third of a ring a point lies, or whether it is outside.
LabelledRows RingRows(Family family, std::uint64_t seed) {
  LabelledRows rows;
  rows.values.resize(kRows, 3);
  const RowMatrix<float> points = UniformMatrix(kRows, 2, -1, 1, seed);
  for (Index n = 0; n < kRows; ++n) {
    const float x = points(n, 0), y = points(n, 1);
    const float third = std::floor((std::atan2(y, x) / 6.2831853f + 0.5f) * 3);
    const float label = family == Family::kCategorical
                            ? std::min(third, 2.0f)
                            : (x * x + y * y > 0.5f ? 1.0f : 0.0f);
    rows.values.row(n) << 100 + 30 * x, 0.01f * y, label;
  }
  return rows;
}

TrainingSettings RingSettings(Family family, bool exact) {
  TrainingSettings settings;
  settings.class_names = {"data"};
  DataSpec& spec = settings.data_spec;
  spec.family = family;
  spec.dimension = 3;
  if (family == Family::kCategorical) spec.num_symbols = 3;
  spec.input_coordinates = {0, 1};
  spec.real_inputs = true;
  spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  settings.products.emplace_back();
  GroupSettings& group = settings.products[0].groups.emplace_back();
  group.num_experts = 12;
  group.kind = BernoulliUnitsSettings{.initial_weight_scale = 0.3};
  ContrastiveDivergenceSettings& stage = settings.contrastive_divergence;
  stage.exact = exact;
  stage.epochs = 60;
  stage.batch_size = 50;
  stage.optimizer.kind = OptimizerSettings::Kind::kAdam;
  stage.optimizer.rate = 0.05;
  settings.seed = 3;
  return settings;
}

// The share of rows whose label has more than half of the probability.
double ShareRight(const Model& model, const LabelledRows& rows) {
  const auto scores =
      Score(model, rows.View(), {}, Workers::Inline(), NeverInterrupt);
  EXPECT_EQ(scores->log_probabilities.rows(), kRows);
  return (scores->log_probabilities.array() > std::log(0.5))
      .cast<double>()
      .mean();
}

class RealInputsTrainingTest : public testing::TestWithParam<Family> {};

TEST_P(RealInputsTrainingTest, LabelsAreLearnedFromTheirInputs) {
  const auto model =
      TrainOn(RingSettings(GetParam(), true), RingRows(GetParam(), 700));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_GT(ShareRight(*model, RingRows(GetParam(), 701)), 0.93);
}

TEST_P(RealInputsTrainingTest, PreprocessingIsFittedToTheInputsAlone) {
  TrainingSettings settings = RingSettings(GetParam(), false);
  settings.contrastive_divergence.epochs = 1;
  for (const auto kind : {Preprocessing::Kind::kStandardize,
                          Preprocessing::Kind::kUnitInterval}) {
    settings.data_spec.preprocessing.kind = kind;
    const LabelledRows rows = RingRows(GetParam(), 700);
    const auto model = TrainOn(settings, rows);
    ASSERT_TRUE(model.ok()) << model.status();
    const Observations<float> x =
        Preprocess(model->data_spec, rows.View(), 0, kRows);
    const Index outputs = x.dimension() - 2;
    for (Index k = outputs; k < outputs + 2; ++k) {
      const Vector<double> seen = x.values.col(k).head(kRows).cast<double>();
      if (kind == Preprocessing::Kind::kStandardize) {
        EXPECT_NEAR(seen.mean(), 0, 1e-4);
        EXPECT_NEAR(seen.squaredNorm() / kRows, 1, 1e-4);
      } else {
        EXPECT_NEAR(seen.minCoeff(), 0, 1e-5);
        EXPECT_NEAR(seen.maxCoeff(), 1, 1e-5);
      }
    }
    EXPECT_EQ(model->data_spec.preprocessing.shift[2], 0);
    EXPECT_EQ(model->data_spec.preprocessing.scale[2], 1);
  }
}

INSTANTIATE_TEST_SUITE_P(SymbolsAndBits, RealInputsTrainingTest,
                         testing::Values(Family::kCategorical,
                                         Family::kBernoulli),
                         [](const testing::TestParamInfo<Family>& info) {
                           return info.param == Family::kCategorical ? "Symbols"
                                                                     : "Bits";
                         });

TEST(RealInputsDivergenceTest, LearnsLabelsToo) {
  TrainingSettings settings = RingSettings(Family::kCategorical, false);
  settings.contrastive_divergence.gibbs_steps = 3;
  const auto model = TrainOn(settings, RingRows(Family::kCategorical, 700));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_GT(ShareRight(*model, RingRows(Family::kCategorical, 701)), 0.8);
}

TEST(RealInputsRefusalTest, HiddenMarkovModelsCannotSeeThem) {
  TrainingSettings settings = RingSettings(Family::kCategorical, false);
  settings.data_spec.sequential = true;
  HiddenMarkovSettings markov;
  markov.num_states = 2;
  settings.products[0].groups[0].kind = markov;
  const absl::Status status = Validate(settings);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("groups[0]: hidden Markov models of symbols read every "
                        "coordinate as a symbol; beside real inputs"));
}

}  // namespace
}  // namespace poe
