// A training that is interrupted and resumed ends with the same bits.
#include "poe/training_snapshots.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/training.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

// All parameters of a model, class by class.
std::vector<float> ParametersOf(const Model& model) {
  std::vector<float> all;
  const auto add = [&all](const Vector<float>& parameters) {
    all.insert(all.end(), parameters.begin(), parameters.end());
  };
  for (const ClassModel& one : model.classes) {
    for (const Product<float>& layer : one.layers) {
      add(layer.base().parameters());
      for (std::size_t i = 0; i < layer.num_groups(); ++i)
        add(layer.group(i).parameters());
    }
  }
  return all;
}

absl::StatusOr<Model> TrainWith(const TrainingSettings& settings,
                                const TrainingRows& rows,
                                const Resumption& resumption) {
  const Workers workers(2);
  return Train(
      settings, rows, workers, [](const TrainingProgress&) {}, NeverInterrupt,
      nullptr, &resumption);
}

// Every snapshot of an undisturbed training.
std::vector<std::string> SnapshotsOf(const TrainingSettings& settings,
                                     const TrainingRows& rows,
                                     std::vector<float>& parameters) {
  std::vector<std::string> snapshots;
  const auto model =
      TrainWith(settings, rows,
                {.from = "",
                 .is_due = [] { return true; },
                 .keep = [&](const std::string& bytes,
                             std::int64_t) { snapshots.push_back(bytes); }});
  EXPECT_TRUE(model.ok()) << model.status();
  if (model.ok()) parameters = ParametersOf(*model);
  return snapshots;
}

void ExpectTheSameFromEverywhere(const TrainingSettings& settings,
                                 const TrainingRows& rows) {
  std::vector<float> wanted;
  const std::vector<std::string> snapshots =
      SnapshotsOf(settings, rows, wanted);
  ASSERT_GT(snapshots.size(), 5u);
  const std::size_t step = std::max<std::size_t>(1, snapshots.size() / 12);
  for (std::size_t i = 0; i < snapshots.size(); i += step) {
    const auto model =
        TrainWith(settings, rows,
                  {.from = snapshots[i],
                   .is_due = [] { return false; },
                   .keep = [](const std::string&, std::int64_t) {}});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(ParametersOf(*model), wanted) << "from snapshot " << i;
  }
}

TEST(TrainingSnapshotsTest, MomentumEpochsAndTwoClasses) {
  TrainingSettings settings = BinarySettings(7);
  settings.contrastive_divergence.optimizer.early_momentum = 0.5;
  settings.contrastive_divergence.optimizer.early_epochs = 2;
  settings.contrastive_divergence.optimizer.average_share = 0.5;
  ExpectTheSameFromEverywhere(settings, BinaryRows(203, 7).View());
}

TEST(TrainingSnapshotsTest, AdamOnRealRows) {
  TrainingSettings settings = RealSettings();
  settings.contrastive_divergence.optimizer.kind =
      OptimizerSettings::Kind::kAdam;
  settings.contrastive_divergence.optimizer.rate = 0.01;
  ExpectTheSameFromEverywhere(settings, RealRows(203).View());
}

// The base of such a product has no parameters.
TEST(TrainingSnapshotsTest, RealRowsWithoutAGaussianFactor) {
  TrainingSettings settings = RealSettings();
  settings.products[0].groups.resize(1);
  settings.products[0].gaussian_factor = false;
  settings.contrastive_divergence.early_stopping = EarlyStopping{};
  ExpectTheSameFromEverywhere(settings, RealRows(203).View());
}

TEST(TrainingSnapshotsTest, UnlearningAndAnotherLayer) {
  TrainingSettings settings = BinarySettings(7);
  settings.contrastive_divergence.epochs = 2;
  settings.unlearning = settings.contrastive_divergence;
  settings.unlearning->chains.emplace();
  settings.unlearning->chains->chains = 5;
  settings.unlearning->chains->steps = 7;
  LayerSettings layer;
  layer.product.groups = {
      {.num_experts = 3, .power = 1, .kind = BernoulliUnitsSettings{}}};
  layer.contrastive_divergence.epochs = 2;
  settings.next_layers = {layer};
  ExpectTheSameFromEverywhere(settings, BinaryRows(203, 7).View());
}

TEST(TrainingSnapshotsTest, MissingValuesAndFitsApart) {
  TrainingSettings settings = BinarySettings(7);
  LabelledRows binary = BinaryRows(203, 7);
  TrainingRows rows = binary.View();
  std::vector<std::uint8_t> observed(203 * 7, 1);
  // Of every third row.
  for (std::size_t i = 0; i < observed.size(); i += 3 * 7) observed[i] = 0;
  rows.observed = observed;
  ExpectTheSameFromEverywhere(settings, rows);

  TrainingSettings real = RealSettings();
  GaussianMixtureSettings mixture;
  mixture.num_components = 2;
  real.products[0].groups = {{.num_experts = 3, .power = 1, .kind = mixture}};
  real.fit_apart.emplace();
  real.fit_apart->row_share = 0.5;
  ExpectTheSameFromEverywhere(real, RealRows(203).View());
}

// Most snapshots are of epochs after the best one.
TEST(TrainingSnapshotsTest, EarlyStoppingBeforeAndAfterTheBestEpoch) {
  auto [settings, rows] = Overfitting();
  settings.contrastive_divergence.early_stopping = EarlyStopping{};
  ExpectTheSameFromEverywhere(settings, rows.View());
  settings.contrastive_divergence.early_stopping->patience = 10;
  ExpectTheSameFromEverywhere(settings, rows.View());
}

TEST(TrainingSnapshotsTest, EarlyStoppingByReconstructions) {
  TrainingSettings settings = BinarySettings(13);
  settings.products[0].groups[0].num_experts = 20;
  settings.contrastive_divergence.early_stopping = EarlyStopping{.patience = 1};
  ExpectTheSameFromEverywhere(settings, BinaryRows(203, 13).View());
}

TEST(TrainingSnapshotsTest, SeveralStagesAndUnlearning) {
  TrainingSettings settings = BinarySettings(7);
  settings.contrastive_divergence.epochs = 2;
  ContrastiveDivergenceSettings further = settings.contrastive_divergence;
  further.gibbs_steps = 3;
  further.early_stopping.emplace();
  settings.further_divergence = {settings.contrastive_divergence, further};
  settings.unlearning = settings.contrastive_divergence;
  settings.unlearning->chains.emplace();
  settings.unlearning->chains->chains = 5;
  settings.unlearning->chains->steps = 7;
  ExpectTheSameFromEverywhere(settings, BinaryRows(203, 7).View());
}

TEST(TrainingSnapshotsTest, WhatDoesNotFitIsRefused) {
  const TrainingSettings settings = BinarySettings(7);
  const LabelledRows rows = BinaryRows(203, 7);
  std::vector<float> parameters;
  const std::string good =
      SnapshotsOf(settings, rows.View(), parameters).back();
  const auto refusal = [&](const std::string& from,
                           const TrainingSettings& asked) {
    const auto model =
        TrainWith(asked, rows.View(),
                  {.from = from,
                   .is_due = [] { return false; },
                   .keep = [](const std::string&, std::int64_t) {}});
    EXPECT_EQ(model.status().code(), absl::StatusCode::kDataLoss);
    return std::string(model.status().message());
  };
  EXPECT_THAT(refusal("nonsense", settings), HasSubstr("damaged"));
  for (const std::size_t size : {9u, 40u, 100u})
    EXPECT_THAT(refusal(good.substr(0, size), settings), HasSubstr("snapshot"));
  EXPECT_THAT(refusal(good.substr(0, good.size() - 1), settings),
              HasSubstr("does not fit its optimizer"));
  EXPECT_THAT(refusal(good + "x", settings),
              HasSubstr("does not fit its optimizer"));
  TrainingSettings wider = settings;
  wider.products[0].groups[0].num_experts = 7;
  EXPECT_THAT(refusal(good, wider), HasSubstr("does not fit layer 0"));
}

}  // namespace
}  // namespace poe
