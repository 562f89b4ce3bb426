#include "client/cpp/command/train_start.h"

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/train_options.h"
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

// The options after `poe train m --data x`.
TrainOptions Parse(const std::string& arguments) {
  TrainOptions options;
  CLI::App command;
  AddTrainOptions(command, options);
  command.parse("m --data x " + arguments);
  return options;
}

TEST(TrainOptionsTest, SwitchesAreLeftOpenUnlessTheyAreGiven) {
  const TrainOptions none = Parse("");
  EXPECT_EQ(none.standardize, std::nullopt);
  EXPECT_EQ(none.gaussian_factor, std::nullopt);
  EXPECT_EQ(none.adam, std::nullopt);
  const TrainOptions on = Parse("--standardize --gaussian-factor --adam");
  EXPECT_EQ(on.standardize, true);
  EXPECT_EQ(on.gaussian_factor, true);
  EXPECT_EQ(on.adam, true);
  const TrainOptions off =
      Parse("--no-standardize --no-gaussian-factor --no-adam");
  EXPECT_EQ(off.standardize, false);
  EXPECT_EQ(off.gaussian_factor, false);
  EXPECT_EQ(off.adam, false);
}

TEST(TrainOptionsTest, RealInputsNeedInputs) {
  EXPECT_TRUE(Parse("--inputs 0-2 --real-inputs").real_inputs);
  EXPECT_THROW(Parse("--real-inputs"), CLI::RequiresError);
}

TEST(TrainOptionsTest, EarlyStoppingIsNotAnAverage) {
  EXPECT_EQ(Parse("").early_stopping, std::nullopt);
  EXPECT_EQ(Parse("--early-stopping 0").early_stopping, 0);
  EXPECT_EQ(Parse("--early-stopping 5").early_stopping, 5);
  EXPECT_THROW(Parse("--early-stopping=-1"), CLI::ParseError);
  EXPECT_THROW(Parse("--early-stopping 5 --average 0.2"), CLI::ExcludesError);
}

TEST(TrainStartTest, EveryLayerStopsEarly) {
  const auto without = MakeTrainStart(Parse(""), Images(), {});
  EXPECT_FALSE(
      without->stages(0).contrastive_divergence().has_early_stopping());
  const auto start = MakeTrainStart(
      Parse("--early-stopping 3 --next-layers 30"), Images(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const auto& lowest = start->stages(0).contrastive_divergence();
  const auto& next = start->stages(1).next_layer().contrastive_divergence();
  for (const auto* stage : {&lowest, &next}) {
    ASSERT_TRUE(stage->has_early_stopping());
    EXPECT_EQ(stage->early_stopping().patience(), 3);
  }
}

TEST(TrainOptionsTest, AVersionAndItsClassesAreNamedTogether) {
  const TrainOptions options = Parse("--base 3 --keep a,b");
  const auto start = MakeTrainStart(options, Images(), {"a", "b", "c"});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->base_version(), 3);
  EXPECT_THAT(start->kept_class_names(), ElementsAre("a", "b"));
  EXPECT_THROW(Parse("--base 3"), CLI::RequiresError);
  EXPECT_THROW(Parse("--keep a"), CLI::RequiresError);
  EXPECT_EQ(MakeTrainStart(Parse(""), Images(), {"a", "b"})->base_version(), 0);
}

TEST(TrainOptionsTest, FilesOnTheServerStandInForData) {
  TrainOptions options;
  CLI::App command;
  AddTrainOptions(command, options);
  command.parse(
      "m --server-file days/x.csv --dimension 3 --server-labels y.csv "
      "--class-names a,b");
  EXPECT_EQ(options.dimension, 3);
  DataSet set;
  set.dimension = options.dimension;
  const auto start = MakeTrainStart(options, set, options.class_names);
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->data_file(), "days/x.csv");
  EXPECT_EQ(start->label_file(), "y.csv");
  EXPECT_EQ(start->expected_rows(), 0);
  EXPECT_EQ(start->data_spec().dimension(), 3);
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_GAUSSIAN);
}

TEST(TrainOptionsTest, FilesOnTheServerAreAllOrNone) {
  for (const char* arguments :
       {"m --server-file x.csv", "m --data x --dimension 3",
        "m --data x --server-labels y --class-names a,b",
        "m --server-file x --dimension 3 --server-labels y"}) {
    TrainOptions options;
    CLI::App command;
    AddTrainOptions(command, options);
    EXPECT_THROW(command.parse(arguments), CLI::RequiresError) << arguments;
  }
  TrainOptions options;
  CLI::App command;
  AddTrainOptions(command, options);
  for (const char* other : {"--data x", "--mask lower"}) {
    EXPECT_THROW(
        command.parse(absl::StrCat("m --server-file y --dimension 3 ", other)),
        CLI::ExcludesError);
  }
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

TEST(TrainStartTest, FurtherLayersComeBeforeTheSeparator) {
  const TrainOptions options =
      Parse("--next-layers 30,20 --epochs 7 --rate 0.1 --weight-scale 0.2");
  const auto start = MakeTrainStart(options, Images(), {"a", "b"});
  ASSERT_TRUE(start.ok()) << start.status();
  ASSERT_EQ(start->stages_size(), 5);
  EXPECT_TRUE(start->stages(0).has_contrastive_divergence());
  EXPECT_TRUE(start->stages(3).has_separator());
  for (int l : {1, 2}) {
    const v1::NextLayerStage& layer = start->stages(l).next_layer();
    ASSERT_EQ(layer.product().groups_size(), 1);
    EXPECT_EQ(layer.product().groups(0).num_experts(), l == 1 ? 30 : 20);
    EXPECT_EQ(
        layer.product().groups(0).bernoulli_units().initial_weight_scale(),
        0.2);
    EXPECT_EQ(layer.contrastive_divergence().epochs(), 7);
    EXPECT_EQ(layer.contrastive_divergence().optimizer().rate(), 0.1);
  }
}

TEST(TrainStartTest, LayersOnOtherExpertsLearnAsUnitsDo) {
  const TrainOptions options =
      Parse("--kind unigauss:4 --next-layers 3 --exact");
  const auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const auto& lowest = start->stages(0).contrastive_divergence();
  EXPECT_TRUE(lowest.exact());
  EXPECT_EQ(lowest.optimizer().kind(), v1::OptimizerSettings::KIND_ADAM);
  const auto& next = start->stages(1).next_layer().contrastive_divergence();
  EXPECT_FALSE(next.exact());
  EXPECT_EQ(next.optimizer().kind(), v1::OptimizerSettings::KIND_MOMENTUM);
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

TEST(TrainStartTest, RealInputsStandBesideSymbolsOrBits) {
  TrainOptions options;
  options.inputs = "0-4";
  options.real_inputs = true;
  auto start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_BERNOULLI);
  EXPECT_TRUE(start->data_spec().real_inputs());
  EXPECT_EQ(start->data_spec().preprocessing().kind(),
            v1::Preprocessing::KIND_STANDARDIZE);
  EXPECT_TRUE(start->products(0).groups(0).has_bernoulli_units());
  options.symbols = 3;
  options.standardize = false;
  start = MakeTrainStart(options, Measurements(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_CATEGORICAL);
  EXPECT_EQ(start->data_spec().preprocessing().kind(),
            v1::Preprocessing::KIND_NONE);
  EXPECT_TRUE(FormOf(options).real_inputs);
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
