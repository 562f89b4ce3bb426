#include "poe/training.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/numerics/elementwise.h"
#include "poe/scoring.h"
#include "poe/training_rows.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

// Every number that training finds, as one vector.
std::vector<double> Bits(const Model& model) {
  std::vector<double> all;
  auto append = [&](const auto& values) {
    all.insert(all.end(), values.begin(), values.end());
  };
  append(model.data_spec.preprocessing.shift);
  append(model.data_spec.preprocessing.scale);
  if (model.data_spec.box.has_value()) append(model.data_spec.box->lower);
  for (const ClassModel& one : model.classes) {
    append(one.layers[0].base().parameters());
    for (std::size_t i = 0; i < one.layers[0].num_groups(); ++i)
      append(one.layers[0].group(i).parameters());
    if (one.percentiles.has_value()) append(one.percentiles->quantiles());
    if (one.usual_verdicts.has_value())
      append(one.usual_verdicts->quantiles().reshaped());
  }
  if (model.separator.has_value()) {
    append(model.separator->parameters().weights.reshaped());
    append(model.separator->parameters().biases);
  }
  if (model.calibration.has_value()) append(model.calibration->offsets());
  return all;
}

TEST(TrainingTest, GivesTheSameBitsAtAnyThreadCount) {
  for (const auto& [settings, rows] : Cases()) {
    const absl::StatusOr<Model> model = TrainOn(settings, rows);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(Bits(*TrainOn(settings, rows, 2)), Bits(*model));
    EXPECT_EQ(Bits(*TrainOn(settings, rows, 3)), Bits(*model));
  }
}

TEST(TrainingTest, AnotherSeedGivesOtherBits) {
  for (auto& [settings, rows] : Cases()) {
    const std::vector<double> bits = Bits(*TrainOn(settings, rows));
    TrainingSettings other = settings;
    other.seed = 2;
    EXPECT_NE(Bits(*TrainOn(other, rows)), bits);
  }
}

TEST(TrainingTest, ADensityModelNeedsNoLabels) {
  TrainingSettings settings = BinarySettings(4);
  settings.class_names = {"all"};
  settings.separator.reset();
  LabelledRows rows = BinaryRows(40, 4);
  rows.labels.clear();
  const absl::StatusOr<Model> model = TrainOn(settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->num_classes(), 1);
  EXPECT_FALSE(model->separator.has_value());
  EXPECT_TRUE(model->classes[0].percentiles.has_value());
}

TEST(TrainingTest, AnInterruptEndsTheWorkBeforeTheNextUpdate) {
  TrainingSettings settings = BinarySettings(4);
  settings.contrastive_divergence.epochs = 0;
  settings.contrastive_divergence.updates = 1000000000;
  int asked = 0;
  std::int64_t updates = 0;
  absl::Status enough = absl::DeadlineExceededError("enough");
  enough.SetPayload("why", absl::Cord("it is late"));
  const absl::Status status =
      Train(
          settings, BinaryRows(40, 4).View(), Workers::Inline(),
          [&](const TrainingProgress& now) { updates = now.update; },
          [&] { return ++asked == 30 ? enough : absl::OkStatus(); })
          .status();
  // With all that it says.
  EXPECT_EQ(status, enough);
  EXPECT_EQ(asked, 30);
  EXPECT_LE(updates, 29);
  EXPECT_GE(updates, 28);
}

TEST(TrainingTest, ProgressRisesToTheEnd) {
  TrainingSettings settings = BinarySettings(4);
  std::vector<TrainingProgress> seen;
  ASSERT_TRUE(Train(
                  settings, BinaryRows(200, 4).View(), Workers::Inline(),
                  [&](const TrainingProgress& now) { seen.push_back(now); },
                  NeverInterrupt)
                  .ok());
  // At least each epoch of each class, then separator and calibration.
  ASSERT_GE(seen.size(), 12u);
  double before = 0;
  std::set<std::string> stages;
  std::vector<int> epochs_of_class(2, 0);
  for (const TrainingProgress& now : seen) {
    EXPECT_GE(now.fraction, before);
    EXPECT_LE(now.fraction, 1);
    before = now.fraction;
    stages.insert(now.stage);
    if (now.stage != "contrastive divergence") continue;
    EXPECT_EQ(now.epochs, 5);
    EXPECT_TRUE(std::isfinite(*now.reconstruction_error));
    EXPECT_GT(*now.gradient_norm, 0);
    if (!now.free_energy_gap.has_value()) continue;
    EXPECT_TRUE(std::isfinite(*now.free_energy_gap));
    EXPECT_EQ(now.epoch, ++epochs_of_class[now.class_index]);
    EXPECT_EQ(now.update, now.updates / 5 * now.epoch);
  }
  EXPECT_THAT(epochs_of_class, testing::ElementsAre(5, 5));
  EXPECT_THAT(stages,
              testing::ElementsAre("calibration", "contrastive divergence",
                                   "separator"));
}

TEST(TrainingTest, HeldOutRowsDoNotTouchTheProducts) {
  for (auto& [settings, rows] : Cases()) {
    TrainingSettings without = settings;
    without.separator.reset();
    without.calibrate = false;
    const std::vector<double> bits = Bits(*TrainOn(without, rows));
    const absl::StatusOr<Split> split = SplitRows(without, rows.View());
    LabelledRows other = rows;
    for (const std::vector<Index>& part : split->held_out)
      for (Index n : part) other.values.row(n).setOnes();
    EXPECT_EQ(Bits(*TrainOn(without, other)), bits);
    other.values(split->training[0][0], 0) = 0.5f;
    EXPECT_NE(Bits(*TrainOn(without, other)), bits);
  }
}

TEST(TrainingTest, RowsOfTwoClassesAreToldApart) {
  for (auto& [settings, rows] : Cases()) {
    TrainingSettings longer = settings;
    longer.contrastive_divergence.epochs = 20;
    const absl::StatusOr<Model> model = TrainOn(longer, rows);
    ASSERT_TRUE(model.ok()) << model.status();
    const Scores scores = *Score(*model, RowsOf(rows.values), {},
                                 Workers::Inline(), NeverInterrupt);
    int right = 0;
    for (std::size_t n = 0; n < rows.labels.size(); ++n)
      right += scores.labels[n] == rows.labels[n];
    EXPECT_GT(right, 0.85 * static_cast<double>(rows.labels.size()));
    EXPECT_EQ(scores.probabilities.cols(), 2);
    EXPECT_EQ(scores.percentiles.cols(), 2);
  }
}

// Exact log probabilities of the few binary states.
TEST(TrainingTest, RaisesTheExactLikelihood) {
  constexpr Index kDimension = 6;
  RowMatrix<float> states(64, kDimension);
  for (Index s = 0; s < 64; ++s)
    for (Index i = 0; i < kDimension; ++i)
      states(s, i) = static_cast<float>(s >> i & 1);
  LabelledRows rows = BinaryRows(400, kDimension);
  TrainingSettings settings = BinarySettings(kDimension);
  settings.class_names = {"all"};
  settings.separator.reset();
  rows.labels.clear();
  auto mean_log_probability = [&](int epochs) {
    settings.contrastive_divergence.epochs = epochs;
    const Model model = *TrainOn(settings, rows);
    const Scores of_states =
        *Score(model, RowsOf(states), {}, Workers::Inline(), NeverInterrupt);
    const Scores of_rows = *Score(model, RowsOf(rows.values), {},
                                  Workers::Inline(), NeverInterrupt);
    return of_rows.log_scores.mean() -
           LogSumExp(absl::MakeConstSpan(of_states.log_scores.data(), 64));
  };
  // The truth: one of two patterns, and six flips of probability 0.1.
  const double truth =
      std::log(0.5) + 6 * (0.1 * std::log(0.1) + 0.9 * std::log(0.9));
  const double little = mean_log_probability(1);
  const double much = mean_log_probability(100);
  EXPECT_LT(little, truth - 0.8);
  EXPECT_GT(much, truth - 0.2);
}

TEST(TrainingTest, RowsCountByTheirWeights) {
  LabelledRows rows = BinaryRows(100, 4);
  TrainingSettings settings = BinarySettings(4);
  settings.class_names = {"all"};
  settings.separator.reset();
  settings.contrastive_divergence.epochs = 40;
  // Odd rows weigh nothing: the model sees the even pattern alone.
  for (std::int32_t label : rows.labels)
    rows.weights.push_back(label == 0 ? 1 : 0);
  rows.labels.clear();
  const Model model = *TrainOn(settings, rows);
  RowMatrix<float> patterns(2, 4);
  patterns << 1, 0, 1, 0, 0, 1, 0, 1;
  const Scores scores =
      *Score(model, RowsOf(patterns), {}, Workers::Inline(), NeverInterrupt);
  EXPECT_GT(scores.log_scores(0, 0), scores.log_scores(1, 0) + 4);

  // Only proportions matter.
  const std::vector<double> bits = Bits(model);
  for (float& weight : rows.weights) weight *= 8;
  EXPECT_EQ(Bits(*TrainOn(settings, rows)), bits);
}

TEST(TrainingTest, ASeparatorFallsBackToTrainingRowsForRareClasses) {
  TrainingSettings settings = BinarySettings(4);
  LabelledRows rows = BinaryRows(60, 4);
  // One row of the second class; with this seed it is not held out.
  rows.labels.assign(60, 0);
  rows.labels[1] = 1;
  const absl::StatusOr<Split> split = SplitRows(settings, rows.View());
  ASSERT_TRUE(split.ok());
  ASSERT_TRUE(split->held_out[1].empty());
  const absl::StatusOr<Model> model = TrainOn(settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(model->separator.has_value());
  EXPECT_FALSE(model->calibration.has_value());
  EXPECT_FALSE(model->classes[0].percentiles.has_value());
}

// What the trained model's experts say of some rows, plainly.
UsualVerdicts Verdicts(const Model& model, const LabelledRows& rows,
                       const std::vector<Index>& numbers, Index c) {
  const Scores scores = *Score(model, RowsOf(rows.values), {.per_expert = true},
                               Workers::Inline(), NeverInterrupt);
  return *UsualVerdicts::FromScores(
      RowMatrix<double>(
          scores.expert_log_scores[c](numbers, Eigen::indexing::all)),
      std::vector<Index>(numbers.size(), 1));
}

TEST(TrainingTest, UsualVerdictsAreThoseOfTheRowsOfTheClassHeldOut) {
  for (const auto& [settings, rows] : Cases()) {
    const Model model = *TrainOn(settings, rows);
    const Split split = *SplitRows(settings, rows.View());
    for (Index c = 0; c < 2; ++c) {
      ASSERT_TRUE(model.classes[c].usual_verdicts.has_value());
      EXPECT_EQ(model.classes[c].usual_verdicts->quantiles(),
                Verdicts(model, rows, split.held_out[c], c).quantiles());
    }
  }
}

TEST(TrainingTest, WhereNoRowIsHeldOutVerdictsAreThoseOfTrainingRows) {
  TrainingSettings settings = BinarySettings(4);
  settings.held_out_share = 0;
  const LabelledRows rows = BinaryRows(60, 4);
  const Model model = *TrainOn(settings, rows);
  const Split split = *SplitRows(settings, rows.View());
  for (Index c = 0; c < 2; ++c) {
    ASSERT_TRUE(model.classes[c].usual_verdicts.has_value());
    EXPECT_EQ(model.classes[c].usual_verdicts->quantiles(),
              Verdicts(model, rows, split.training[c], c).quantiles());
  }
}

TEST(TrainingTest, WithoutCalibrationNoVerdictIsUsual) {
  TrainingSettings settings = BinarySettings(4);
  settings.calibrate = false;
  EXPECT_FALSE(TrainOn(settings, BinaryRows(60, 4))
                   ->classes[0]
                   .usual_verdicts.has_value());
}

TEST(TrainingTest, EachClassMayHaveAProductOfItsOwn) {
  TrainingSettings settings = BinarySettings(4);
  settings.products.push_back(settings.products[0]);
  settings.products[1].groups[0].num_experts = 9;
  const Model model = *TrainOn(settings, BinaryRows(60, 4));
  EXPECT_EQ(model.classes[0].layers[0].num_experts(), 6);
  EXPECT_EQ(model.classes[1].layers[0].num_experts(), 9);
  EXPECT_EQ(model.classes[1].usual_verdicts->num_experts(), 9);
}

}  // namespace
}  // namespace poe
