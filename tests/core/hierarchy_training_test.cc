// Training of further layers.
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/class_trainer.h"
#include "poe/hierarchy.h"
#include "poe/initialization.h"
#include "poe/layer_training.h"
#include "poe/log_partition.h"
#include "poe/scoring.h"
#include "poe/training_rows.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

// Two more layers of 5 and 4 units.
TrainingSettings Layered(TrainingSettings settings) {
  for (Index experts : {5, 4}) {
    LayerSettings& layer = settings.next_layers.emplace_back();
    layer.product.groups.push_back(
        {.num_experts = experts, .power = 1, .kind = BernoulliUnitsSettings{}});
    layer.contrastive_divergence = settings.contrastive_divergence;
  }
  return settings;
}

std::vector<Vector<float>> Parameters(const Product<float>& product) {
  std::vector<Vector<float>> parameters = {product.base().parameters()};
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    parameters.push_back(product.group(i).parameters());
  return parameters;
}

TEST(HierarchyTrainingTest, HasTheSameBitsAtAnyThreadCount) {
  for (const auto& [settings, rows] : Cases()) {
    const Model one = *TrainOn(Layered(settings), rows, 1);
    const Model three = *TrainOn(Layered(settings), rows, 3);
    for (Index c = 0; c < 2; ++c) {
      ASSERT_EQ(one.classes[c].layers.size(), 3u);
      for (std::size_t l = 0; l < 3; ++l)
        EXPECT_EQ(Parameters(one.classes[c].layers[l]),
                  Parameters(three.classes[c].layers[l]));
    }
    EXPECT_EQ(one.separator->parameters().weights,
              three.separator->parameters().weights);
    EXPECT_EQ(one.separator->num_features(), 6);
    TrainingSettings other = Layered(settings);
    other.seed += 1;
    EXPECT_NE(Parameters(TrainOn(other, rows)->classes[0].layers[2]),
              Parameters(one.classes[0].layers[2]));
  }
}

TEST(HierarchyTrainingTest, LayersBelowAreAsWithoutThoseAbove) {
  for (const auto& [settings, rows] : Cases()) {
    const Model alone = *TrainOn(settings, rows);
    const Model layered = *TrainOn(Layered(settings), rows);
    for (Index c = 0; c < 2; ++c)
      EXPECT_EQ(Parameters(alone.classes[c].layers[0]),
                Parameters(layered.classes[c].layers[0]));
  }
}

// The second layer is what training on the hidden probabilities, written down
// as data, gives.
TEST(HierarchyTrainingTest, ALayerLearnsWhatTheOneBelowHides) {
  const TrainingSettings settings = Layered(BinarySettings(7));
  const LabelledRows rows = BinaryRows(203, 7);
  const Model model = *TrainOn(settings, rows);
  const Split split = *SplitRows(settings, rows.View());
  for (Index c = 0; c < 2; ++c) {
    const Product<float>& below = model.classes[c].layers[0];
    LabelledRows hidden;
    hidden.values = (rows.values * below.group(0).block(0)).rowwise() +
                    below.group(0).block(1).row(0);
    for (float& value : hidden.values.reshaped())
      value = 1 / (1 + std::exp(-value));
    const DataSpec spec = HiddenSpec(6);
    const TrainingRows view = hidden.View();
    const RowSelection training(spec, view, split.training[c]);
    const std::uint64_t seed =
        DeriveSeed(DeriveSeed(settings.seed, static_cast<std::uint64_t>(c)), 1);
    Product<float> expected = *InitializeProduct(
        settings.next_layers[0].product, spec,
        InitialRows(training, seed, Workers::Inline()), seed, NeverInterrupt);
    std::optional<std::int64_t> kept_update;
    ASSERT_TRUE(TrainProduct(
                    settings.next_layers[0].contrastive_divergence, training,
                    RowSelection(spec, view, {}), seed, Workers::Inline(),
                    [](const TrainingProgress&) {}, NeverInterrupt, expected,
                    kept_update)
                    .ok());
    // The last bits of the probabilities differ, and so may a draw; with this
    // seed none does.
    const Product<float>& found = model.classes[c].layers[1];
    for (std::size_t p = 0; p < 2; ++p)
      EXPECT_LT((Parameters(found)[p] - Parameters(expected)[p])
                    .cwiseAbs()
                    .maxCoeff(),
                1e-4f);
  }
}

// The mean exact log probability of hidden states, bits drawn from what the
// second layer sees: summed over all of them.
TEST(HierarchyTrainingTest, RaisesTheExactLikelihoodOfHiddenStates) {
  constexpr Index kHidden = 6;
  RowMatrix<float> states(64, kHidden);
  for (Index s = 0; s < 64; ++s)
    for (Index i = 0; i < kHidden; ++i)
      states(s, i) = static_cast<float>(s >> i & 1);
  const DataSpec spec = HiddenSpec(kHidden);
  LabelledRows rows = BinaryRows(400, 6);
  rows.labels.clear();
  TrainingSettings settings = Layered(BinarySettings(6));
  settings.class_names = {"all"};
  settings.separator.reset();
  settings.next_layers.pop_back();
  settings.contrastive_divergence.epochs = 60;
  auto mean_log_probability = [&](int epochs) {
    settings.next_layers[0].contrastive_divergence.epochs = epochs;
    const Model model = *TrainOn(settings, rows);
    const Layers layers = model.classes[0].layers;
    const double log_z = *ExactLogPartition(layers[1], spec, 0);
    const std::vector<double> scores = layers[1].LogScores(
        Preprocess(spec, RowsOf(states), 0, 64), Workers::Inline());
    const Observations<float> hidden =
        Climb(layers.first(1), Preprocess(model.data_spec, rows.View(), 0, 400),
              Workers::Inline());
    double sum = 0;
    for (Index n = 0; n < 400; ++n) {
      for (Index s = 0; s < 64; ++s) {
        double probability = 1;
        for (Index i = 0; i < kHidden; ++i)
          probability *=
              states(s, i) == 1 ? hidden.values(n, i) : 1 - hidden.values(n, i);
        sum += probability * (scores[s] - log_z);
      }
    }
    return sum / 400;
  };
  EXPECT_GT(mean_log_probability(60), mean_log_probability(1) + 1);
}

TEST(HierarchyTrainingTest, ProgressTellsTheLayerAndRises) {
  const TrainingSettings settings = Layered(BinarySettings(4));
  double before = 0;
  std::set<std::pair<Index, Index>> seen;
  ASSERT_TRUE(Train(
                  settings, BinaryRows(100, 4).View(), Workers::Inline(),
                  [&](const TrainingProgress& now) {
                    EXPECT_GE(now.fraction, before);
                    before = now.fraction;
                    if (now.stage == "contrastive divergence")
                      seen.insert({now.class_index, now.layer});
                  },
                  NeverInterrupt)
                  .ok());
  EXPECT_LE(before, 1);
  EXPECT_EQ(seen.size(), 6u);
}

TEST(HierarchyTrainingTest, ACheckpointIsAsHighAsItsLastClass) {
  const LabelledRows rows = BinaryRows(203, 7);
  TrainingSettings settings = Layered(BinarySettings(7));
  // Parameters of the second layer grow beyond all bounds.
  ContrastiveDivergenceSettings& wild =
      settings.next_layers[0].contrastive_divergence;
  wild.optimizer.momentum = wild.optimizer.early_momentum = 0;
  wild.optimizer.rate = 0.05;
  wild.optimizer.weight_decay = 60;
  wild.epochs = 10000;
  std::optional<Checkpoint> checkpoint;
  const absl::Status status =
      Train(
          settings, rows.View(), Workers::Inline(),
          [](const TrainingProgress&) {}, NeverInterrupt, &checkpoint)
          .status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  ASSERT_TRUE(checkpoint.has_value());
  EXPECT_TRUE(Validate(checkpoint->model).ok());
  EXPECT_EQ(checkpoint->model.num_classes(), 1);
  EXPECT_EQ(checkpoint->model.num_layers(), 2);
}

TEST(HierarchyTrainingTest, SettingsThatHaveNoNextLayerAreNamed) {
  auto refusal = [](const TrainingSettings& settings) {
    const absl::Status status = Validate(settings);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  const TrainingSettings good = Layered(BinarySettings(4));
  ASSERT_TRUE(Validate(good).ok());

  TrainingSettings wrong = good;
  wrong.data_spec.input_coordinates = {1};
  EXPECT_THAT(refusal(wrong),
              HasSubstr("data_spec.input_coordinates are given"));
  wrong = good;
  wrong.next_layers[1].product.groups.clear();
  EXPECT_THAT(refusal(wrong),
              HasSubstr("next_layers[1].product has no groups of experts"));
  wrong = good;
  wrong.next_layers[0].product.groups[0].kind = UnigaussSettings{};
  EXPECT_THAT(refusal(wrong),
              HasSubstr("next_layers[0].product.groups[0]: unigauss experts "
                        "need real-valued data"));
  wrong = good;
  wrong.next_layers[0].contrastive_divergence.gibbs_steps = 0;
  EXPECT_THAT(
      refusal(wrong),
      HasSubstr("next_layers[0].contrastive_divergence.gibbs_steps is 0"));
  wrong = Layered(RealSettings());
  wrong.data_spec.family = Family::kStructuredGaussian;
  wrong.products[0].gaussian_factor = false;
  GaussianTreeSettings tree;
  tree.num_trees = 1;
  wrong.products[0].groups = {{.num_experts = 2, .power = 1, .kind = tree}};
  EXPECT_THAT(refusal(wrong), HasSubstr("products[0].groups[0] has no hidden"));
}

// What can be hidden: each expert's choice.
TEST(HierarchyTrainingTest, LayersStandOnEveryKindWithChoices) {
  TrainingSettings settings = Layered(RealSettings());
  GaussianMixtureSettings mixture;
  mixture.num_components = 3;
  settings.products[0].groups.push_back(
      {.num_experts = 2, .power = 1, .kind = mixture});
  const LabelledRows rows = RealRows(203);
  const absl::StatusOr<Model> model = TrainOn(settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->classes[0].layers[1].dimension(), 5 + 3 + 6);
  const Scores scores = *Score(*model, RowsOf(rows.values), {},
                               Workers::Inline(), NeverInterrupt);
  EXPECT_EQ(scores.log_scores.cols(), 6);
}

}  // namespace
}  // namespace poe
