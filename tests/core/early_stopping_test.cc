// Trainings that end with the epoch that was best on held-out rows.
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/best_epoch.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "poe/training_rows.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::ElementsAre;

std::vector<Vector<float>> ParametersOfLayer(const Model& model,
                                             std::size_t layer = 0) {
  const Product<float>& product = model.classes[0].layers[layer];
  std::vector<Vector<float>> parameters = {product.base().parameters()};
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    parameters.push_back(product.group(i).parameters());
  return parameters;
}

// A training and what it told of the epochs that it judged.
struct Judged {
  Model model;
  std::vector<TrainingProgress> epochs;

  // The first of the greatest log probability.
  int BestEpoch() const {
    std::size_t best = 0;
    for (std::size_t i = 1; i < epochs.size(); ++i)
      if (*epochs[i].held_out_log_probability >
          *epochs[best].held_out_log_probability)
        best = i;
    return epochs[best].epoch;
  }
};

Judged TrainJudged(const TrainingSettings& settings, const LabelledRows& rows) {
  Judged judged;
  auto model = Train(
      settings, rows.View(), Workers::Inline(),
      [&](const TrainingProgress& now) {
        if (now.held_out_log_probability.has_value() ||
            now.held_out_reconstruction_error.has_value())
          judged.epochs.push_back(now);
      },
      NeverInterrupt);
  EXPECT_TRUE(model.ok()) << model.status();
  judged.model = *std::move(model);
  return judged;
}

TEST(EarlyStoppingTest, EndsWithTheParametersOfTheBestEpoch) {
  auto [settings, rows] = Overfitting();
  const Model to_the_end = *TrainOn(settings, rows);
  settings.contrastive_divergence.early_stopping.emplace();
  const Judged judged = TrainJudged(settings, rows);
  ASSERT_EQ(judged.epochs.size(), 200u);
  const int best = judged.BestEpoch();
  EXPECT_EQ(judged.epochs.back().best_epoch, best);
  ASSERT_GT(best, 1);
  ASSERT_LT(best, 190);

  settings.contrastive_divergence.early_stopping.reset();
  settings.contrastive_divergence.epochs = best;
  const Model twin = *TrainOn(settings, rows);
  EXPECT_EQ(ParametersOfLayer(judged.model), ParametersOfLayer(twin));
  EXPECT_NE(ParametersOfLayer(judged.model), ParametersOfLayer(to_the_end));
}

TEST(EarlyStoppingTest, TellsTheLogProbabilityThatScoreGives) {
  auto [settings, rows] = Overfitting();
  settings.contrastive_divergence.early_stopping.emplace();
  const Judged judged = TrainJudged(settings, rows);
  const Scores scores =
      *Score(judged.model, rows.View(), {}, Workers::Inline(), NeverInterrupt);
  const Split split = *SplitRows(settings, rows.View());
  double sum = 0;
  for (Index n : split.held_out[0]) sum += scores.log_probabilities(n, 0);
  const TrainingProgress& best = judged.epochs[judged.BestEpoch() - 1];
  EXPECT_NEAR(*best.held_out_log_probability,
              sum / static_cast<double>(split.held_out[0].size()), 1e-6);
}

TEST(EarlyStoppingTest, PatienceEndsItSoManyEpochsAfterTheBest) {
  auto [settings, rows] = Overfitting();
  settings.contrastive_divergence.early_stopping = EarlyStopping{};
  const Judged patient = TrainJudged(settings, rows);
  const int best = patient.BestEpoch();
  ASSERT_LT(best, 190);
  for (const int patience : {1, 7}) {
    settings.contrastive_divergence.early_stopping->patience = patience;
    const Judged judged = TrainJudged(settings, rows);
    EXPECT_EQ(judged.epochs.back().epoch, best + patience);
    EXPECT_EQ(judged.epochs.back().best_epoch, best);
    EXPECT_EQ(ParametersOfLayer(judged.model),
              ParametersOfLayer(patient.model));
  }
}

// A product of the model that Overfitting starts with, and one that has
// learned.
class BestEpochTest : public testing::Test {
 protected:
  BestEpochTest()
      : selection_(case_.settings.data_spec, view_,
                   SplitRows(case_.settings, view_)->held_out[0]) {
    TrainingSettings settings = case_.settings;
    settings.contrastive_divergence.epochs = 1;
    settings.contrastive_divergence.optimizer.rate = 1e-60;
    untrained_ = TrainOn(settings, case_.rows)->classes[0].layers;
    settings.contrastive_divergence.epochs = 30;
    settings.contrastive_divergence.optimizer.rate = 0.5;
    better_ = TrainOn(settings, case_.rows)->classes[0].layers;
  }

  BestEpoch Start(int patience) const {
    return BestEpoch({.patience = patience}, selection_, untrained_[0],
                     Reconstruction::kMean, 1);
  }
  static bool IsSame(const Product<float>& one, const Product<float>& other) {
    return one.base().parameters() == other.base().parameters() &&
           one.group(0).parameters() == other.group(0).parameters();
  }
  // What is put in place of a product.
  Product<float> Restored(const BestEpoch& best) const {
    Product<float> product = untrained_[0];
    product.mutable_group(0).UpdateParameters(
        Workers::Inline(),
        [](Eigen::Ref<Vector<float>> all) { all.setConstant(7); });
    best.Restore(Workers::Inline(), product);
    return product;
  }
  static absl::Status Judge(BestEpoch& best, int epoch,
                            const Product<float>& product) {
    return best.Judge(epoch, product, Workers::Inline(), NeverInterrupt);
  }

  const Case case_ = Overfitting();
  const TrainingRows view_ = case_.rows.View();
  const RowSelection selection_;
  std::vector<Product<float>> untrained_, better_;
};

TEST_F(BestEpochTest, TheStartMayBeBest) {
  BestEpoch best = Start(2);
  ASSERT_TRUE(Judge(best, 0, better_[0]).ok());
  ASSERT_TRUE(Judge(best, 1, untrained_[0]).ok());
  EXPECT_FALSE(best.is_over());
  ASSERT_TRUE(Judge(best, 2, untrained_[0]).ok());
  EXPECT_TRUE(best.is_over());
  EXPECT_EQ(best.epoch(), 0);
  EXPECT_TRUE(IsSame(Restored(best), better_[0]));
}

TEST_F(BestEpochTest, OfEqualEpochsTheFirstIsBest) {
  BestEpoch best = Start(0);
  for (int epoch = 0; epoch < 4; ++epoch)
    ASSERT_TRUE(
        Judge(best, epoch, epoch == 0 ? untrained_[0] : better_[0]).ok());
  EXPECT_EQ(best.epoch(), 1);
  EXPECT_FALSE(best.is_over());
  EXPECT_TRUE(IsSame(Restored(best), better_[0]));
}

TEST_F(BestEpochTest, WhatIsNotFiniteIsNeverBest) {
  Product<float> wild = better_[0];
  wild.mutable_group(0).UpdateParameters(
      Workers::Inline(),
      [](Eigen::Ref<Vector<float>> all) { all.setConstant(3e38f); });
  BestEpoch best = Start(0);
  ASSERT_TRUE(Judge(best, 0, wild).ok());
  EXPECT_FALSE(std::isfinite(best.figure().value()));
  ASSERT_TRUE(Judge(best, 1, untrained_[0]).ok());
  EXPECT_EQ(best.epoch(), 1);
  EXPECT_TRUE(IsSame(Restored(best), untrained_[0]));
}

TEST_F(BestEpochTest, AnArchiveOfAnotherShapeIsRefused) {
  BestEpoch best = Start(0);
  ASSERT_TRUE(Judge(best, 0, better_[0]).ok());
  ArchiveWriter writer;
  best.Save(writer);
  ArchiveReader whole(writer.bytes());
  BestEpoch resumed = Start(0);
  EXPECT_TRUE(resumed.Load(whole));
  EXPECT_TRUE(whole.at_end());
  EXPECT_TRUE(IsSame(Restored(resumed), better_[0]));
  const std::string part = writer.bytes().substr(0, writer.bytes().size() - 1);
  ArchiveReader cut(part);
  EXPECT_FALSE(Start(0).Load(cut));
  ArchiveWriter other;
  other.Put<std::int32_t>(0);
  other.Put<std::int32_t>(0);
  other.Put(0.0);
  for (int i = 0; i < 2; ++i)
    other.PutMatrix(Vector<float>(Vector<float>::Zero(3)));
  ArchiveReader smaller(other.bytes());
  EXPECT_FALSE(Start(0).Load(smaller));
}

TEST(EarlyStoppingTest, UpdatesAreJudgedAtTheEndsOfEpochsAndAtTheLast) {
  auto [settings, rows] = Overfitting();
  const Split split = *SplitRows(settings, rows.View());
  ContrastiveDivergenceSettings& stage = settings.contrastive_divergence;
  stage.batch_size = 20;
  const auto of_epoch =
      static_cast<std::int64_t>((split.training[0].size() + 19) / 20);
  ASSERT_GT(of_epoch, 1);
  stage.epochs = 0;
  stage.updates = 2 * of_epoch + 1;
  stage.early_stopping.emplace();
  const Judged judged = TrainJudged(settings, rows);
  std::vector<std::int64_t> updates;
  for (const TrainingProgress& now : judged.epochs)
    updates.push_back(now.update);
  EXPECT_THAT(updates, ElementsAre(of_epoch, 2 * of_epoch, 2 * of_epoch + 1));
}

TEST(EarlyStoppingTest, FurtherLayersStopToo) {
  auto [settings, rows] = Overfitting();
  LayerSettings& layer = settings.next_layers.emplace_back();
  layer.product.groups.push_back(
      {.num_experts = 4,
       .power = 1,
       .kind = BernoulliUnitsSettings{.initial_weight_scale = 0.1}});
  layer.contrastive_divergence = settings.contrastive_divergence;
  const Model to_the_end = *TrainOn(settings, rows);
  layer.contrastive_divergence.early_stopping.emplace();
  const Judged judged = TrainJudged(settings, rows);
  ASSERT_EQ(judged.epochs.size(), 200u);
  EXPECT_EQ(judged.epochs[0].layer, 1);
  const int best = *judged.epochs.back().best_epoch;
  ASSERT_GT(best, 1);
  ASSERT_LT(best, 190);

  layer.contrastive_divergence.early_stopping.reset();
  layer.contrastive_divergence.epochs = best;
  const Model twin = *TrainOn(settings, rows);
  EXPECT_EQ(ParametersOfLayer(judged.model, 1), ParametersOfLayer(twin, 1));
  EXPECT_NE(ParametersOfLayer(judged.model, 1),
            ParametersOfLayer(to_the_end, 1));
}

TEST(EarlyStoppingTest, OtherStagesTellNothingOfIt) {
  auto [settings, rows] = Overfitting();
  settings.contrastive_divergence.epochs = 3;
  ASSERT_TRUE(Train(
                  settings, rows.View(), Workers::Inline(),
                  [](const TrainingProgress& now) {
                    EXPECT_FALSE(now.held_out_log_probability.has_value());
                    EXPECT_FALSE(now.held_out_reconstruction_error.has_value());
                    EXPECT_FALSE(now.best_epoch.has_value());
                  },
                  NeverInterrupt)
                  .ok());
}

}  // namespace
}  // namespace poe
