// What training refuses, and how it fails.
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/group_settings.h"
#include "poe/training.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(TrainingErrorsTest, SettingsAtFaultAreNamed) {
  auto refused = [](const TrainingSettings& good, auto change) {
    EXPECT_TRUE(Validate(good).ok()) << Validate(good);
    TrainingSettings settings = good;
    change(settings);
    const absl::Status status = Validate(settings);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  const TrainingSettings binary = BinarySettings(4), real = RealSettings();
  EXPECT_THAT(refused(binary, [](auto& s) { s.class_names.clear(); }),
              HasSubstr("class names"));
  EXPECT_THAT(refused(binary, [](auto& s) { s.class_names[1] = "even"; }),
              HasSubstr("\"even\""));
  EXPECT_THAT(refused(binary, [](auto& s) { s.class_names[0] = ""; }),
              HasSubstr("empty"));
  EXPECT_THAT(refused(binary, [](auto& s) { s.data_spec.dimension = 0; }),
              HasSubstr("dimension"));
  EXPECT_THAT(refused(binary, [](auto& s) { s.products.clear(); }),
              HasSubstr("0 products for 2 classes"));
  EXPECT_THAT(refused(binary, [](auto& s) { s.products[0].groups.clear(); }),
              HasSubstr("products[0]"));
  EXPECT_THAT(
      refused(binary, [](auto& s) { s.products[0].groups[0].num_experts = 0; }),
      HasSubstr("products[0].groups[0]: num_experts"));
  EXPECT_THAT(
      refused(binary, [](auto& s) { s.products[0].groups[0].power = 0; }),
      HasSubstr("power"));
  EXPECT_THAT(refused(binary,
                      [](auto& s) {
                        s.products[0].groups[0].kind = UnigaussSettings{};
                      }),
              HasSubstr("real-valued"));
  EXPECT_THAT(
      refused(binary, [](auto& s) { s.products[0].gaussian_factor = true; }),
      HasSubstr("Gaussian factor"));
  EXPECT_THAT(refused(binary, [](auto& s) { s.held_out_share = 1; }),
              HasSubstr("held_out_share"));
  EXPECT_THAT(refused(binary,
                      [](auto& s) {
                        s.contrastive_divergence.early_stopping.emplace();
                        s.held_out_share = 0;
                      }),
              HasSubstr("held_out_share is 0; early_stopping"));
  EXPECT_THAT(
      refused(binary,
              [](auto& s) {
                s.further_divergence.emplace_back().early_stopping.emplace();
                s.held_out_share = 0;
              }),
      HasSubstr("held_out_share is 0; early_stopping"));
  EXPECT_THAT(
      refused(binary,
              [](auto& s) { s.further_divergence.emplace_back().epochs = 0; }),
      HasSubstr("epochs"));
  EXPECT_THAT(refused(binary, [](auto& s) { s.class_names = {"one"}; }),
              HasSubstr("separator"));
  EXPECT_THAT(
      refused(binary, [](auto& s) { s.contrastive_divergence.epochs = 0; }),
      HasSubstr("epochs"));
  EXPECT_THAT(refused(real,
                      [](auto& s) {
                        std::get<UnigaussSettings>(s.products[0].groups[0].kind)
                            .initial_standard_deviation = -1;
                      }),
              HasSubstr("products[0].groups[0]"));
  EXPECT_THAT(refused(real,
                      [](auto& s) {
                        auto& unigauss = std::get<UnigaussSettings>(
                            s.products[0].groups[0].kind);
                        unigauss.least_standard_deviation = 2;
                        unigauss.greatest_standard_deviation = 1;
                      }),
              HasSubstr("out of order"));
}

TEST(TrainingErrorsTest, RowsThatDoNotFitTheSettingsAreRefused) {
  const TrainingSettings settings = BinarySettings(4);
  const LabelledRows good = BinaryRows(40, 4);
  auto refused = [&](auto change) {
    LabelledRows rows = good;
    change(rows);
    const absl::Status status = TrainOn(settings, rows).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](auto& r) { r.labels[7] = 2; }),
              HasSubstr("labels[7] is 2; there are 2 classes"));
  EXPECT_THAT(refused([](auto& r) { r.labels[7] = -1; }),
              HasSubstr("labels[7] is -1"));
  EXPECT_THAT(refused([](auto& r) { r.labels.pop_back(); }),
              HasSubstr("39 labels for 40 rows"));
  EXPECT_THAT(refused([](auto& r) { r.labels.clear(); }),
              HasSubstr("0 labels for 40 rows"));
  EXPECT_THAT(refused([](auto& r) { r.values(5, 2) = std::nanf(""); }),
              HasSubstr("values[5][2]"));
  EXPECT_THAT(refused([](auto& r) { r.values(5, 2) = 1.5f; }),
              HasSubstr("values[5][2]"));
  EXPECT_THAT(refused([](auto& r) { r.values.conservativeResize(40, 3); }),
              HasSubstr("3 values"));
  EXPECT_THAT(refused([](auto& r) { r.weights.assign(39, 1); }),
              HasSubstr("39 weights for 40 rows"));
  EXPECT_THAT(refused([](auto& r) {
                r.weights.assign(40, 1);
                r.weights[3] = -1;
              }),
              HasSubstr("weights[3] is -1"));
}

TEST(TrainingErrorsTest, AClassWithoutRowsIsAFailedPrecondition) {
  LabelledRows rows = BinaryRows(40, 4);
  rows.labels.assign(40, 0);
  const absl::Status status = TrainOn(BinarySettings(4), rows).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("\"odd\""));
}

TEST(TrainingErrorsTest, ARealCoordinateThatNeverVariesNeedsABox) {
  TrainingSettings settings = RealSettings();
  LabelledRows rows = RealRows(100);
  rows.values.col(1).setConstant(0.3f);
  const absl::Status status = TrainOn(settings, rows).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(status.message(), HasSubstr("coordinate 1"));
  settings.data_spec.box = Box{{-2, 0}, {12, 1}};
  const absl::StatusOr<Model> model = TrainOn(settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->data_spec.preprocessing.scale[1], 1);
}

TEST(TrainingErrorsTest, ABinaryCoordinateMayNeverVary) {
  LabelledRows rows = BinaryRows(60, 4);
  rows.values.col(2).setZero();
  for (Preprocessing::Kind kind :
       {Preprocessing::Kind::kNone, Preprocessing::Kind::kUnitInterval}) {
    TrainingSettings settings = BinarySettings(4);
    settings.data_spec.preprocessing.kind = kind;
    const absl::StatusOr<Model> model = TrainOn(settings, rows);
    EXPECT_TRUE(model.ok()) << model.status();
  }
}

TEST(TrainingErrorsTest, DivergenceIsAnInternalErrorThatNamesTheUpdate) {
  for (auto& [settings, rows] : Cases()) {
    for (const auto optimizer :
         {OptimizerSettings::Kind::kMomentum, OptimizerSettings::Kind::kAdam}) {
      TrainingSettings wild = settings;
      wild.contrastive_divergence.optimizer.kind = optimizer;
      wild.contrastive_divergence.optimizer.rate = 3e38;
      const absl::Status status = TrainOn(wild, rows).status();
      EXPECT_TRUE(absl::IsInternal(status)) << status;
      EXPECT_THAT(status.message(),
                  AllOf(HasSubstr("\"even\""), HasSubstr("by update"),
                        HasSubstr("optimizer.rate")));
    }
  }
}

// Weights change their sign and double at every update.
void LetWeightsGrow(ContrastiveDivergenceSettings& settings) {
  settings.optimizer.kind = OptimizerSettings::Kind::kMomentum;
  settings.optimizer.momentum = settings.optimizer.early_momentum = 0;
  settings.optimizer.rate = 0.05;
  settings.optimizer.weight_decay = 60;
}

std::optional<Checkpoint> CheckpointOf(const TrainingSettings& settings,
                                       const LabelledRows& rows) {
  std::optional<Checkpoint> checkpoint;
  const absl::Status status =
      Train(
          settings, rows.View(), Workers::Inline(),
          [](const TrainingProgress&) {}, NeverInterrupt, &checkpoint)
          .status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  return checkpoint;
}

void ExpectSameProduct(const Model& a, const Model& b, Index c) {
  const Product<float>& one = a.classes[c].layers[0];
  const Product<float>& two = b.classes[c].layers[0];
  EXPECT_EQ(one.base().parameters(), two.base().parameters());
  for (std::size_t g = 0; g < one.num_groups(); ++g)
    EXPECT_EQ(one.group(g).parameters(), two.group(g).parameters());
}

TEST(TrainingErrorsTest, ACheckpointIsTheModelAfterSoManyUpdates) {
  for (auto& [settings, rows] : Cases()) {
    TrainingSettings wild = settings;
    LetWeightsGrow(wild.contrastive_divergence);
    wild.contrastive_divergence.updates = 10000;
    wild.contrastive_divergence.epochs = 0;
    wild.class_names = {"only"};
    wild.separator.reset();
    rows.labels.clear();
    const std::optional<Checkpoint> checkpoint = CheckpointOf(wild, rows);
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_TRUE(Validate(checkpoint->model).ok());
    ASSERT_EQ(checkpoint->model.num_classes(), 1);
    EXPECT_EQ(checkpoint->model.classes[0].name, "only");
    ASSERT_GT(checkpoint->update, 0);
    wild.contrastive_divergence.updates = checkpoint->update;
    const absl::StatusOr<Model> shorter = TrainOn(wild, rows);
    ASSERT_TRUE(shorter.ok()) << shorter.status();
    ExpectSameProduct(*shorter, checkpoint->model, 0);
  }
}

TEST(TrainingErrorsTest, ACheckpointHasTheClassesTrainedBefore) {
  const LabelledRows rows = BinaryRows(203, 7);
  TrainingSettings good = BinarySettings(7);
  LetWeightsGrow(good.contrastive_divergence);
  TrainingSettings wild = good;
  wild.products.push_back(good.products[0]);
  std::get<BernoulliUnitsSettings>(wild.products[1].groups[0].kind)
      .initial_weight_scale = 1e37;
  const std::optional<Checkpoint> checkpoint = CheckpointOf(wild, rows);
  ASSERT_TRUE(checkpoint.has_value());
  ASSERT_EQ(checkpoint->model.num_classes(), 2);
  EXPECT_FALSE(checkpoint->model.separator.has_value());
  ExpectSameProduct(*TrainOn(good, rows), checkpoint->model, 0);
  EXPECT_TRUE(
      checkpoint->model.classes[1].layers[0].group(0).parameters().allFinite());
}

TEST(TrainingErrorsTest, ASeparatorOnHeldOutRowsNeedsSomeOfEveryClass) {
  LabelledRows rows = BinaryRows(60, 4);
  TrainingSettings settings = BinarySettings(4);
  settings.held_out_share = 0;
  settings.separator->rows = SeparatorSettings::Rows::kHeldOut;
  bool progressed = false;
  const absl::Status status =
      Train(
          settings, rows.View(), Workers::Inline(),
          [&](const TrainingProgress&) { progressed = true; }, NeverInterrupt)
          .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("held_out_share"));
  EXPECT_FALSE(progressed);
}

TEST(TrainingErrorsTest, EarlyStoppingNeedsHeldOutRowsOfEveryClass) {
  TrainingSettings settings = BinarySettings(4);
  settings.contrastive_divergence.early_stopping.emplace();
  const LabelledRows rows = BinaryRows(60, 4);
  EXPECT_TRUE(TrainOn(settings, rows).ok());
  const auto refused = [&](const TrainingRows& given) {
    const absl::Status status =
        Train(
            settings, given, Workers::Inline(),
            [](const TrainingProgress&) { FAIL() << "no work was due"; },
            NeverInterrupt)
            .status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(status.message());
  };
  // Of the second class, one row; with this seed it is not held out.
  LabelledRows rare = rows;
  rare.labels.assign(60, 0);
  rare.labels[1] = 1;
  EXPECT_THAT(refused(rare.View()),
              HasSubstr("class \"odd\" has no held-out rows"));
  LabelledRows weightless = rows;
  for (std::int32_t label : rows.labels)
    weightless.weights.push_back(label == 0 ? 1 : 0);
  EXPECT_THAT(refused(weightless.View()), HasSubstr("\"odd\""));
  settings.separator.reset();
  TrainingRows incomplete = rows.View();
  std::vector<std::uint8_t> observed(60 * 4, 1);
  for (std::size_t i = 0; i < observed.size(); i += 4) observed[i] = 0;
  incomplete.observed = observed;
  EXPECT_THAT(refused(incomplete), HasSubstr("missing values"));
}

TEST(TrainingErrorsTest, MoreComponentsThanRowsAreRefusedBeforeAnyWork) {
  TrainingSettings settings = RealSettings();
  const LabelledRows rows = RealRows(200);
  GaussianMixtureSettings mixture;
  mixture.num_components = 4000;
  settings.products[0].groups = {{.num_experts = 1, .kind = mixture}};
  const absl::Status status =
      Train(
          settings, rows.View(), Workers::Inline(),
          [](const TrainingProgress&) { FAIL() << "no work was due"; },
          NeverInterrupt)
          .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST(TrainingErrorsTest, NoExpertHasMoreStatesThanThereAreFrames) {
  for (const decltype(GroupSettings::kind)& kind :
       {decltype(GroupSettings::kind)(GaussianMixtureSettings{{}, 4}),
        decltype(GroupSettings::kind)(HiddenMarkovSettings{{}, 4}),
        decltype(GroupSettings::kind)(LinearDynamicalSettings{{}, 4}),
        decltype(GroupSettings::kind)(GaussianTreeSettings{{}, 4})}) {
    const GroupSettings group = {.num_experts = 1, .kind = kind};
    EXPECT_TRUE(CheckEnoughFrames(group, 4).ok());
    const absl::Status status = CheckEnoughFrames(group, 3);
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_THAT(status.message(), HasSubstr("3 frames to learn 4 states"));
  }
}

}  // namespace
}  // namespace poe
