// More than one stage of contrastive divergence for the lowest layer.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/class_trainer.h"
#include "poe/initialization.h"
#include "poe/layer_training.h"
#include "poe/training_rows.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::ElementsAre;

// One class, of which no row is held out.
TrainingSettings OneClass(Index dimension) {
  TrainingSettings settings = BinarySettings(dimension);
  settings.class_names = {"all"};
  settings.separator.reset();
  settings.held_out_share = 0;
  return settings;
}

LabelledRows UnlabelledRows(Index size, Index dimension) {
  LabelledRows rows = BinaryRows(size, dimension);
  rows.labels.clear();
  return rows;
}

double Distance(const Product<float>& one, const Product<float>& other) {
  double distance = (one.base().parameters() - other.base().parameters())
                        .cwiseAbs()
                        .maxCoeff();
  for (std::size_t i = 0; i < one.num_groups(); ++i)
    distance = std::max<double>(
        distance, (one.group(i).parameters() - other.group(i).parameters())
                      .cwiseAbs()
                      .maxCoeff());
  return distance;
}

// The exact gradient on all rows draws nothing but the order that they are
// summed in, so that the last bits alone differ.
TEST(TrainingStagesTest, GoOnOneAfterAnotherEachByItsOwnSettings) {
  TrainingSettings settings = OneClass(7);
  settings.products[0].groups[0].kind =
      BernoulliUnitsSettings{.initial_weight_scale = 0.5};
  ContrastiveDivergenceSettings& first = settings.contrastive_divergence;
  first.exact = true;
  first.epochs = 3;
  first.batch_size = -1;
  first.optimizer.rate = 0.5;
  ContrastiveDivergenceSettings second = first;
  second.epochs = 4;
  second.optimizer.rate = 0.2;
  second.optimizer.momentum = second.optimizer.early_momentum = 0.5;
  second.optimizer.schedule = OptimizerSettings::Schedule::kLinear;
  settings.further_divergence = {second};
  const LabelledRows rows = UnlabelledRows(203, 7);
  const absl::StatusOr<Model> model = TrainOn(settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();

  const TrainingRows view = rows.View();
  const Split split = *SplitRows(settings, view);
  const RowSelection training(settings.data_spec, view, split.training[0]);
  const RowSelection held_out(settings.data_spec, view, {});
  const std::uint64_t seed = DeriveSeed(settings.seed, 0);
  Product<float> twin = *InitializeProduct(
      settings.products[0], settings.data_spec,
      InitialRows(training, seed, Workers::Inline()), seed, NeverInterrupt);
  const auto train = [&](const ContrastiveDivergenceSettings& stage) {
    std::optional<std::int64_t> kept_update;
    const absl::Status status = TrainProduct(
        stage, training, held_out, 17, Workers::Inline(),
        [](const TrainingProgress&) {}, NeverInterrupt, twin, kept_update);
    ASSERT_TRUE(status.ok()) << status;
  };
  const Product<float>& found = model->classes[0].layers[0];
  train(first);
  EXPECT_GT(Distance(found, twin), 1e-2);
  train(second);
  EXPECT_LT(Distance(found, twin), 1e-4);
}

TEST(TrainingStagesTest, EachHasGibbsStepsAndDrawsOfItsOwn) {
  const LabelledRows rows = UnlabelledRows(203, 7);
  const auto trained = [&](const ContrastiveDivergenceSettings& first,
                           const ContrastiveDivergenceSettings& second) {
    TrainingSettings settings = OneClass(7);
    settings.contrastive_divergence = first;
    settings.further_divergence = {second};
    return TrainOn(settings, rows)->classes[0].layers[0];
  };
  ContrastiveDivergenceSettings one;
  one.epochs = 2;
  one.batch_size = 20;
  ContrastiveDivergenceSettings more_steps = one;
  more_steps.gibbs_steps = 5;
  ContrastiveDivergenceSettings still = one;
  still.optimizer.rate = 1e-60;
  EXPECT_EQ(Distance(trained(one, one), trained(one, one)), 0);
  EXPECT_GT(Distance(trained(one, one), trained(one, more_steps)), 0);
  EXPECT_GT(Distance(trained(one, still), trained(still, one)), 0);
}

TEST(TrainingStagesTest, ProgressIsOfTheStageAndRises) {
  TrainingSettings settings = OneClass(4);
  settings.contrastive_divergence.epochs = 2;
  ContrastiveDivergenceSettings further = settings.contrastive_divergence;
  further.epochs = 3;
  further.early_stopping.emplace();
  settings.held_out_share = 0.2;
  settings.further_divergence = {further};
  std::vector<int> epochs;
  double before = 0;
  ASSERT_TRUE(Train(
                  settings, UnlabelledRows(100, 4).View(), Workers::Inline(),
                  [&](const TrainingProgress& now) {
                    EXPECT_GE(now.fraction, before);
                    before = now.fraction;
                    if (!now.free_energy_gap.has_value()) return;
                    epochs.push_back(now.epoch);
                    EXPECT_EQ(now.epochs, epochs.size() <= 2 ? 2 : 3);
                    EXPECT_EQ(now.best_epoch.has_value(), epochs.size() > 2);
                  },
                  NeverInterrupt)
                  .ok());
  EXPECT_THAT(epochs, ElementsAre(1, 2, 1, 2, 3));
}

}  // namespace
}  // namespace poe
