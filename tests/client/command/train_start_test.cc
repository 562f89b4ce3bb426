#include "client/cpp/command/train_start.h"

#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;

DataSet Images() {
  DataSet set;
  set.rows = 100;
  set.dimension = 784;
  set.grey_levels = true;
  set.image_height = 28;
  set.image_width = 28;
  return set;
}

DataSet Measurements() {
  DataSet set;
  set.rows = 100;
  set.dimension = 6;
  return set;
}

TEST(TrainStartTest, GreyLevelsGetBernoulliUnits) {
  TrainOptions options;
  options.model = "digits";
  const auto start = MakeTrainStart(options, Images(), {"a", "b"});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->model_name(), "digits");
  EXPECT_THAT(start->class_names(), ElementsAre("a", "b"));
  EXPECT_EQ(start->expected_rows(), 100);
  EXPECT_EQ(start->held_out_share(), 0.1);
  EXPECT_FALSE(start->has_seed());
  const v1::DataSpec& spec = start->data_spec();
  EXPECT_EQ(spec.family(), v1::FAMILY_BERNOULLI);
  EXPECT_EQ(spec.dimension(), 784);
  EXPECT_EQ(spec.image_height(), 28);
  EXPECT_EQ(spec.preprocessing().kind(), v1::Preprocessing::KIND_NONE);
  ASSERT_EQ(start->products_size(), 1);
  EXPECT_TRUE(start->products(0).groups(0).has_bernoulli_units());
  EXPECT_EQ(start->products(0).groups(0).num_experts(), 100);
  EXPECT_FALSE(start->products(0).base().gaussian_factor());
}

TEST(TrainStartTest, OtherNumbersGetStandardizedUnigauss) {
  TrainOptions options;
  options.experts = 15;
  const auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_GAUSSIAN);
  EXPECT_EQ(start->data_spec().preprocessing().kind(),
            v1::Preprocessing::KIND_STANDARDIZE);
  EXPECT_TRUE(start->products(0).groups(0).has_unigauss());
  EXPECT_EQ(start->products(0).groups(0).num_experts(), 15);
  EXPECT_FALSE(start->products(0).base().gaussian_factor());
  EXPECT_EQ(start->stages(0).contrastive_divergence().optimizer().kind(),
            v1::OptimizerSettings::KIND_ADAM);
}

TEST(TrainStartTest, UnitsOfRealNumbersHaveAGaussianBeside) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kUnits}};
  options.standardize = false;
  auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_TRUE(start->products(0).base().gaussian_factor());
  EXPECT_EQ(start->data_spec().preprocessing().kind(),
            v1::Preprocessing::KIND_NONE);
  options.gaussian_factor = false;
  start = MakeTrainStart(options, Measurements(), {});
  EXPECT_FALSE(start->products(0).base().gaussian_factor());
}

TEST(TrainStartTest, StagesAreDivergenceSeparatorAndCalibration) {
  const auto two = MakeTrainStart({}, Images(), {"a", "b"});
  ASSERT_EQ(two->stages_size(), 3);
  EXPECT_TRUE(two->stages(0).has_contrastive_divergence());
  EXPECT_TRUE(two->stages(1).has_separator());
  EXPECT_TRUE(two->stages(2).has_calibration());
  const auto one = MakeTrainStart({}, Images(), {});
  ASSERT_EQ(one->stages_size(), 2);
  EXPECT_TRUE(one->stages(1).has_calibration());
}

TEST(TrainStartTest, OptionsArriveInTheirFields) {
  TrainOptions options;
  options.epochs = 7;
  options.batch = 50;
  options.steps = 3;
  options.rate = 0.25;
  options.momentum = 0.5;
  options.adam = true;
  options.schedule = "cosine";
  options.final_rate = 0.01;
  options.weight_decay = 0.002;
  options.average = 0.3;
  options.separator = "logistic";
  options.separator_cost = 4;
  options.seed = 11;
  options.detach = true;
  const auto start = MakeTrainStart(options, Images(), {"a", "b"});
  ASSERT_TRUE(start.ok()) << start.status();
  const auto& stage = start->stages(0).contrastive_divergence();
  EXPECT_EQ(stage.epochs(), 7);
  EXPECT_EQ(stage.batch_size(), 50);
  EXPECT_EQ(stage.gibbs_steps(), 3);
  const v1::OptimizerSettings& optimizer = stage.optimizer();
  EXPECT_EQ(optimizer.kind(), v1::OptimizerSettings::KIND_ADAM);
  EXPECT_EQ(optimizer.rate(), 0.25);
  EXPECT_EQ(optimizer.momentum(), 0.5);
  EXPECT_EQ(optimizer.schedule(), v1::OptimizerSettings::SCHEDULE_COSINE);
  EXPECT_EQ(optimizer.final_rate_share(), 0.01);
  EXPECT_EQ(optimizer.weight_decay(), 0.002);
  EXPECT_EQ(optimizer.average_share(), 0.3);
  const v1::SeparatorStage& separator = start->stages(1).separator();
  EXPECT_EQ(separator.method(), v1::SeparatorStage::METHOD_LOGISTIC);
  EXPECT_EQ(separator.cost(), 4);
  EXPECT_EQ(start->seed(), 11);
  EXPECT_TRUE(start->detach());
}

TEST(TrainStartTest, SymbolsSequencesAndInputsAreInTheSpec) {
  TrainOptions options;
  options.symbols = 4;
  options.sequences = true;
  options.inputs = "0-1,5";
  EXPECT_TRUE(FormOf(options).symbols);
  EXPECT_TRUE(FormOf(options).sequential);
  const auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const v1::DataSpec& spec = start->data_spec();
  EXPECT_EQ(spec.family(), v1::FAMILY_CATEGORICAL);
  EXPECT_EQ(spec.num_symbols(), 4);
  EXPECT_TRUE(spec.sequential());
  EXPECT_THAT(spec.input_coordinates(), ElementsAre(0, 1, 5));
  EXPECT_EQ(spec.preprocessing().kind(), v1::Preprocessing::KIND_NONE);
  EXPECT_TRUE(start->products(0).groups(0).has_hidden_markov());
}

TEST(TrainStartTest, StructuredRealsAreStandardized) {
  TrainOptions options;
  options.family = "structured-gaussian";
  const auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_STRUCTURED_GAUSSIAN);
  EXPECT_EQ(start->data_spec().preprocessing().kind(),
            v1::Preprocessing::KIND_STANDARDIZE);
  EXPECT_FALSE(FormOf(options).symbols);
  EXPECT_TRUE(start->products(0).groups(0).has_gaussian_tree());
}

TEST(TrainStartTest, KindsSayWhatTheDataAre) {
  TrainOptions options;
  for (const ExpertKind kind : {ExpertKind::kMarkov, ExpertKind::kDynamics}) {
    options.kinds = {{kind}};
    EXPECT_TRUE(FormOf(options).sequential);
    const auto start = MakeTrainStart(options, Measurements(), {});
    ASSERT_TRUE(start.ok()) << start.status();
    EXPECT_TRUE(start->data_spec().sequential());
    EXPECT_EQ(start->data_spec().family(), v1::FAMILY_STRUCTURED_GAUSSIAN);
    EXPECT_EQ(start->data_spec().preprocessing().kind(),
              v1::Preprocessing::KIND_STANDARDIZE);
    EXPECT_EQ(start->products(0).groups(0).num_experts(), 3);
  }
  options.kinds = {{ExpertKind::kTree}};
  auto start = MakeTrainStart(options, Measurements(), {});
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_STRUCTURED_GAUSSIAN);
  EXPECT_FALSE(start->data_spec().sequential());
  options.kinds = {{ExpertKind::kMixture}};
  start = MakeTrainStart(options, Images(), {});
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_GAUSSIAN);
  options.kinds = {{ExpertKind::kMarkov}};
  options.symbols = 4;
  start = MakeTrainStart(options, Measurements(), {});
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_CATEGORICAL);
}

TEST(TrainStartTest, ShapesArriveInTheirKinds) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kMixture}};
  options.components = 7;
  options.initial_deviation = 0.5;
  auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const auto& mixture = start->products(0).groups(0).gaussian_mixture();
  EXPECT_EQ(mixture.num_components(), 7);
  EXPECT_EQ(mixture.initial_standard_deviation(), 0.5);
  EXPECT_EQ(start->stages(0).contrastive_divergence().optimizer().kind(),
            v1::OptimizerSettings::KIND_ADAM);

  options = {};
  options.kinds = {{ExpertKind::kMarkov}};
  options.states = 6;
  start = MakeTrainStart(options, Measurements(), {});
  EXPECT_EQ(start->products(0).groups(0).hidden_markov().num_states(), 6);

  options = {};
  options.kinds = {{ExpertKind::kDynamics}};
  options.latent = 4;
  start = MakeTrainStart(options, Measurements(), {});
  EXPECT_EQ(start->products(0).groups(0).linear_dynamical().num_latent(), 4);

  options = {};
  options.kinds = {{ExpertKind::kTree}};
  options.trees = 2;
  options.uniform = true;
  start = MakeTrainStart(options, Measurements(), {});
  EXPECT_EQ(start->products(0).groups(0).gaussian_tree().num_trees(), 2);
  EXPECT_TRUE(start->products(0).groups(0).gaussian_tree().with_uniform());
}

TEST(TrainStartTest, KindsAreMixedEachWithItsNumber) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kMixture, 20}, {ExpertKind::kUnits}};
  options.experts = 50;
  const auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  ASSERT_EQ(start->products(0).groups_size(), 2);
  EXPECT_TRUE(start->products(0).groups(0).has_gaussian_mixture());
  EXPECT_EQ(start->products(0).groups(0).num_experts(), 20);
  EXPECT_TRUE(start->products(0).groups(1).has_bernoulli_units());
  EXPECT_EQ(start->products(0).groups(1).num_experts(), 50);
  EXPECT_TRUE(start->products(0).base().gaussian_factor());
}

TEST(TrainStartTest, FittedApartAloneOrBeforeTheRest) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kMarkov}};
  options.fit_apart = true;
  options.exact = true;
  auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  ASSERT_EQ(start->stages_size(), 3);
  EXPECT_TRUE(start->stages(0).has_initialize());
  EXPECT_TRUE(start->stages(1).contrastive_divergence().exact());
  EXPECT_FALSE(start->products(0).base().fixed_variance());
  options.no_together = true;
  start = MakeTrainStart(options, Measurements(), {});
  ASSERT_EQ(start->stages_size(), 2);
  EXPECT_TRUE(start->stages(0).has_initialize());
  EXPECT_TRUE(start->stages(1).has_calibration());
  EXPECT_TRUE(start->products(0).base().fixed_variance());
}

TEST(TrainStartTest, OptionsMustBelongToAKindThatIsThere) {
  const auto refused = [](auto change) {
    TrainOptions options;
    change(options);
    return IsUsageError(MakeTrainStart(options, Measurements(), {}).status());
  };
  EXPECT_TRUE(refused([](TrainOptions& o) { o.components = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.states = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.latent = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.trees = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.uniform = true; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.weight_scale = 1; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.fit_apart = true; }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}};
    o.circular = true;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kUnits}};
    o.initial_deviation = 1;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}};
    o.no_together = true;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}, {ExpertKind::kUnits}};
    o.fit_apart = o.no_together = true;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMarkov}, {ExpertKind::kUnits}};
  }));
}

TEST(TrainStartTest, KindsAreReadWithAndWithoutANumber) {
  const auto alone = ParseExperts("lds");
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->kind, ExpertKind::kDynamics);
  EXPECT_EQ(alone->count, 0);
  const auto counted = ParseExperts("mixture:20");
  ASSERT_TRUE(counted.ok()) << counted.status();
  EXPECT_EQ(counted->kind, ExpertKind::kMixture);
  EXPECT_EQ(counted->count, 20);
  for (const char* text :
       {"", "rbm", "units:", "units:0", "units:-1", "units:2:3", "units:x"}) {
    EXPECT_TRUE(IsUsageError(ParseExperts(text).status())) << text;
  }
}

TEST(TrainStartTest, FamilyAndSymbolsMustFit) {
  TrainOptions options;
  options.family = "categorical";
  EXPECT_TRUE(
      IsUsageError(MakeTrainStart(options, Measurements(), {}).status()));
  options.family = "gaussian";
  options.symbols = 3;
  EXPECT_TRUE(
      IsUsageError(MakeTrainStart(options, Measurements(), {}).status()));
  options.family.clear();
  options.inputs = "6";
  EXPECT_TRUE(
      IsUsageError(MakeTrainStart(options, Measurements(), {}).status()));
}

TEST(TrainStartTest, OneSideOfAnImageGivesTheOther) {
  TrainOptions options;
  options.image_width = 3;
  const auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->data_spec().image_height(), 2);
  options.image_width = 4;
  EXPECT_TRUE(
      IsUsageError(MakeTrainStart(options, Measurements(), {}).status()));
}

}  // namespace
}  // namespace poe::client
