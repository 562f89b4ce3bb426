// Classes of an earlier model that a training keeps.
#include "poe/kept_classes.h"

#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/log_partition.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> ParametersOf(const Model& model, const std::string& name) {
  std::vector<float> all;
  const auto add = [&all](const Vector<float>& parameters) {
    all.insert(all.end(), parameters.begin(), parameters.end());
  };
  const ClassModel* one = model.FindClass(name);
  EXPECT_NE(one, nullptr) << name;
  if (one == nullptr) return all;
  for (const Product<float>& layer : one->layers) {
    add(layer.base().parameters());
    for (std::size_t i = 0; i < layer.num_groups(); ++i)
      add(layer.group(i).parameters());
  }
  return all;
}

TrainingSettings Keeping(TrainingSettings settings, const Model& earlier,
                         std::vector<Index> kept) {
  settings.data_spec = earlier.data_spec;
  settings.kept_classes = std::move(kept);
  return settings;
}

absl::StatusOr<Model> TrainBeside(const Model* earlier,
                                  const TrainingSettings& settings,
                                  const LabelledRows& rows,
                                  const Resumption* resumption = nullptr) {
  return Train(
      settings, rows.View(), Workers::Inline(), [](const TrainingProgress&) {},
      NeverInterrupt, nullptr, resumption, earlier);
}

// Of a family, with a data spec that does not depend on the seed.
std::vector<Case> CasesOfOneSpec() {
  std::vector<Case> cases = Cases();
  for (Case& one : cases) one.settings.held_out_share = 0;
  return cases;
}

TEST(KeptClassesTest, KeptOnesHaveTheirBitsAndOthersThoseOfATrainingOfAll) {
  for (const auto& [settings, rows] : CasesOfOneSpec()) {
    const absl::StatusOr<Model> plain = TrainOn(settings, rows);
    ASSERT_TRUE(plain.ok()) << plain.status();
    TrainingSettings other = settings;
    other.seed = 2;
    const absl::StatusOr<Model> earlier = TrainOn(other, rows);
    ASSERT_TRUE(earlier.ok()) << earlier.status();
    ASSERT_EQ(earlier->data_spec, plain->data_spec);
    const absl::StatusOr<Model> model =
        TrainBeside(&*earlier, Keeping(settings, *earlier, {0}), rows);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->data_spec, earlier->data_spec);
    EXPECT_EQ(ParametersOf(*model, "even"), ParametersOf(*earlier, "even"));
    EXPECT_EQ(ParametersOf(*model, "odd"), ParametersOf(*plain, "odd"));
    EXPECT_NE(ParametersOf(*plain, "odd"), ParametersOf(*earlier, "odd"));
    EXPECT_TRUE(model->separator.has_value());
  }
}

TEST(KeptClassesTest, ANewClassJoinsInAnyPlace) {
  TrainingSettings settings = BinarySettings(7);
  LabelledRows rows = BinaryRows(203, 7);
  const absl::StatusOr<Model> earlier = TrainOn(settings, rows);
  ASSERT_TRUE(earlier.ok()) << earlier.status();
  settings.class_names = {"odd", "third", "even"};
  for (Index n = 0; n < 203; ++n) {
    if (n % 3 == 0) rows.values.row(n).setConstant(n % 2 == 0 ? 0.25f : 1);
    rows.labels[n] = n % 3 == 0 ? 1 : (n % 2 == 0 ? 2 : 0);
  }
  const absl::StatusOr<Model> model =
      TrainBeside(&*earlier, Keeping(settings, *earlier, {0, 2}), rows);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->num_classes(), 3);
  EXPECT_EQ(model->classes[0].name, "odd");
  EXPECT_EQ(model->classes[1].name, "third");
  for (const char* name : {"odd", "even"})
    EXPECT_EQ(ParametersOf(*model, name), ParametersOf(*earlier, name));
  EXPECT_EQ(model->separator->num_classes(), 3);
  for (const ClassModel& one : model->classes) {
    EXPECT_TRUE(one.percentiles.has_value());
    EXPECT_TRUE(one.usual_verdicts.has_value());
    EXPECT_EQ(one.log_partitions.size(), 1u);
  }
}

TEST(KeptClassesTest, RowsOfKeptClassesAreNotTrainedOn) {
  TrainingSettings settings = BinarySettings(7);
  LabelledRows rows = BinaryRows(203, 7);
  const Model earlier = *TrainOn(settings, rows);
  settings = Keeping(settings, earlier, {0});
  settings.seed = 2;
  settings.separator.reset();
  settings.calibrate = false;
  const std::vector<float> odd =
      ParametersOf(*TrainBeside(&earlier, settings, rows), "odd");
  for (Index n = 0; n < 203; ++n)
    if (rows.labels[n] == 0) rows.values.row(n).setConstant(0.5f);
  EXPECT_EQ(ParametersOf(*TrainBeside(&earlier, settings, rows), "odd"), odd);
  for (Index n = 0; n < 203; ++n)
    if (rows.labels[n] == 1) rows.values.row(n).setConstant(0.5f);
  EXPECT_NE(ParametersOf(*TrainBeside(&earlier, settings, rows), "odd"), odd);
}

TEST(KeptClassesTest, TheirRowsAreForSeparatorAndCalibrationAlone) {
  TrainingSettings settings = BinarySettings(7);
  LabelledRows rows = BinaryRows(203, 7);
  const Model earlier = *TrainOn(settings, rows);
  settings = Keeping(settings, earlier, {0});
  rows.labels.assign(203, 1);
  settings.calibrate = false;
  for (const bool separator : {true, false}) {
    if (!separator) {
      settings.separator.reset();
      settings.calibrate = true;
    }
    const absl::Status status = TrainBeside(&earlier, settings, rows).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("\"even\""));
  }
  settings.calibrate = false;
  const absl::StatusOr<Model> model = TrainBeside(&earlier, settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(ParametersOf(*model, "even"), ParametersOf(earlier, "even"));
  EXPECT_FALSE(model->classes[0].percentiles.has_value());
  EXPECT_FALSE(model->classes[0].usual_verdicts.has_value());
}

TEST(KeptClassesTest, KeepingAllRefitsTheSeparator) {
  for (const auto& [settings, rows] : Cases()) {
    TrainingSettings plain = settings;
    plain.separator->options.method = SeparatorOptions::Method::kLogistic;
    const absl::StatusOr<Model> wanted = TrainOn(plain, rows);
    ASSERT_TRUE(wanted.ok()) << wanted.status();
    Model earlier = *wanted;
    earlier.separator.reset();
    earlier.calibration.reset();
    TrainingSettings refit = Keeping(plain, earlier, {0, 1});
    refit.products.clear();
    const absl::StatusOr<Model> model = TrainBeside(&earlier, refit, rows);
    ASSERT_TRUE(model.ok()) << model.status();
    for (const char* name : {"even", "odd"})
      EXPECT_EQ(ParametersOf(*model, name), ParametersOf(earlier, name));
    EXPECT_EQ(model->separator->parameters().weights,
              wanted->separator->parameters().weights);
    EXPECT_EQ(model->calibration->offsets(), wanted->calibration->offsets());
  }
}

TEST(KeptClassesTest, AnInterruptedTrainingEndsWithTheSameBits) {
  TrainingSettings settings = BinarySettings(7);
  const LabelledRows rows = BinaryRows(203, 7);
  settings.class_names = {"odd", "even"};
  const Model earlier = *TrainOn(settings, rows);
  settings = Keeping(settings, earlier, {0});
  settings.seed = 2;
  std::vector<std::string> snapshots;
  const auto is_due = [] { return true; };
  const auto keep = [&](const std::string& bytes, std::int64_t) {
    snapshots.push_back(bytes);
  };
  const Resumption undisturbed = {"", is_due, keep};
  const auto wanted = TrainBeside(&earlier, settings, rows, &undisturbed);
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  ASSERT_GT(snapshots.size(), 5u);
  const auto never_due = [] { return false; };
  const auto ignore = [](const std::string&, std::int64_t) {};
  const Resumption from = {snapshots[snapshots.size() / 2], never_due, ignore};
  const auto resumed = TrainBeside(&earlier, settings, rows, &from);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  for (const char* name : {"odd", "even"})
    EXPECT_EQ(ParametersOf(*resumed, name), ParametersOf(*wanted, name));
}

TEST(KeptClassesTest, LogZAndItsDifferencesStay) {
  TrainingSettings settings = BinarySettings(7);
  LabelledRows rows = BinaryRows(203, 7);
  Model earlier = *TrainOn(settings, rows);
  using Method = LogPartition::Method;
  for (ClassModel& one : earlier.classes)
    one.log_partitions = {{Method::kAisForward, 3, 0.25, 0},
                          {Method::kAisReverse, 4, 0.5, 0}};
  earlier.log_partition_differences = {{1, 0, -2, 0.125, 0}};
  settings.class_names = {"third", "odd", "even"};
  for (Index n = 0; n < 203; ++n) rows.labels[n] = static_cast<int>(n % 3);
  // That of the class that is trained is exact, so that nothing is estimated.
  settings.normalizer.emplace();
  const absl::StatusOr<Model> model =
      TrainBeside(&earlier, Keeping(settings, earlier, {1, 2}), rows);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->classes[0].FindLogPartition(0)->method, Method::kExact);
  for (Index c : {1, 2}) {
    ASSERT_EQ(model->classes[c].log_partitions.size(), 2u);
    EXPECT_EQ(model->classes[c].log_partitions[0].value, 3);
    EXPECT_EQ(model->classes[c].log_partitions[1].value, 4);
  }
  ASSERT_EQ(model->log_partition_differences.size(), 1u);
  EXPECT_EQ(model->log_partition_differences[0].class_index, 1);
  EXPECT_EQ(model->log_partition_differences[0].other_index, 2);
  EXPECT_EQ(model->log_partition_differences[0].value, -2);

  const TrainingSettings one_of_them = Keeping(BinarySettings(7), earlier, {1});
  EXPECT_THAT(KeptDifferences(one_of_them, earlier), ElementsAre());
}

// With the estimates of its log Z a class gets its differences.
TEST(KeptClassesTest, DifferencesOfClassesWithoutLogZAreLeftOut) {
  const TrainingSettings settings = BinarySettings(7);
  Model earlier = *TrainOn(settings, BinaryRows(203, 7));
  earlier.log_partition_differences = {{1, 0, -2, 0.125, 0}};
  const TrainingSettings kept = Keeping(settings, earlier, {0, 1});
  ASSERT_EQ(KeptDifferences(kept, earlier).size(), 1u);
  for (ClassModel& one : earlier.classes) {
    const std::vector<LogPartition> known =
        std::exchange(one.log_partitions, {});
    ASSERT_TRUE(Validate(earlier).ok());
    EXPECT_TRUE(KeptDifferences(kept, earlier).empty()) << one.name;
    one.log_partitions = known;
  }
}

TEST(KeptClassesTest, ExactLogZIsAddedWhereItIsMissing) {
  const Model earlier = BernoulliModel(6, 4, 1);
  const std::vector<Index> lengths = {0}, more = {0, 5};
  ASSERT_THAT(earlier.classes[0].log_partitions, ElementsAre());
  const ClassModel kept =
      KeepClass(earlier.classes[0], earlier.data_spec, lengths);
  ASSERT_EQ(kept.log_partitions.size(), 1u);
  EXPECT_EQ(
      kept.log_partitions[0].value,
      *ExactLogPartition(earlier.classes[0].layers[0], earlier.data_spec, 0));
  EXPECT_TRUE(KnowsLogPartitions(kept, lengths));
  EXPECT_FALSE(KnowsLogPartitions(kept, more));
}

TEST(KeptClassesTest, WhatDoesNotFitTheEarlierModelIsRefused) {
  const TrainingSettings plain = BinarySettings(4);
  const LabelledRows rows = BinaryRows(60, 4);
  const Model earlier = *TrainOn(plain, rows);
  const TrainingSettings good = Keeping(plain, earlier, {0});
  auto refused = [&](auto change, const Model* model) {
    TrainingSettings settings = good;
    change(settings);
    const absl::Status status = TrainBeside(model, settings, rows).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  auto same = [](TrainingSettings&) {};
  EXPECT_THAT(refused(same, nullptr), HasSubstr("no model"));
  EXPECT_THAT(refused([](auto& s) { s.kept_classes.clear(); }, &earlier),
              HasSubstr("no class of it is kept"));
  EXPECT_THAT(refused([](auto& s) { s.kept_classes = {2}; }, &earlier),
              HasSubstr("kept_classes[0] is 2"));
  EXPECT_THAT(refused(
                  [](auto& s) {
                    s.kept_classes = {1, 0};
                  },
                  &earlier),
              HasSubstr("kept_classes[1] is 0"));
  EXPECT_THAT(refused([](auto& s) { s.class_names[0] = "new"; }, &earlier),
              HasSubstr("\"new\""));
  EXPECT_THAT(refused(
                  [](auto& s) {
                    s.data_spec.image_width = s.data_spec.image_height = 2;
                  },
                  &earlier),
              HasSubstr("data_spec"));
  EXPECT_THAT(refused(
                  [](auto& s) {
                    s.kept_classes = {0, 1};
                    s.separator.reset();
                  },
                  &earlier),
              HasSubstr("all classes are kept"));
  EXPECT_THAT(refused([](auto& s) { s.products.clear(); }, &earlier),
              HasSubstr("0 products"));
  EXPECT_THAT(refused(
                  [](auto& s) {
                    LayerSettings& layer = s.next_layers.emplace_back();
                    layer.product.groups = {
                        {.num_experts = 3, .kind = BernoulliUnitsSettings{}}};
                    layer.contrastive_divergence.epochs = 1;
                  },
                  &earlier),
              HasSubstr("\"even\", which is kept, has 1 layers"));
}

TEST(KeptClassesTest, AClassBeyondTheBoxIsRefused) {
  const TrainingSettings settings = RealSettings();
  LabelledRows rows = RealRows(203);
  const Model earlier = *TrainOn(settings, rows);
  for (Index n = 0; n < 203; ++n)
    if (rows.labels[n] == 1) rows.values(n, 1) += 1000;
  const absl::Status status =
      TrainBeside(&earlier, Keeping(settings, earlier, {0}), rows).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"odd\""));
}

TEST(KeptClassesTest, OneRowWithinTheBoxIsEnoughWhereverItStands) {
  constexpr Index kRows = 2500;
  LabelledRows rows = RealRows(kRows);
  const Model earlier = *TrainOn(RealSettings(), RealRows(203));
  const Box& box = *earlier.data_spec.box;
  rows.values.col(1).array() += 1000;
  std::vector<Index> numbers(kRows);
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto check = [&](absl::Span<const std::uint8_t> observed) {
    TrainingRows view = rows.View();
    view.observed = observed;
    const RowSelection training(earlier.data_spec, view, numbers);
    return CheckSomeInSupport("odd", training, earlier.classes[1].layers[0],
                              Workers::Inline(), NeverInterrupt);
  };
  const absl::Status none = check({});
  EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  EXPECT_THAT(std::string(none.message()), HasSubstr("\"odd\" has no row"));
  const Index last = kRows - 1;
  for (Index i = 0; i < 2; ++i)
    rows.values(last, i) =
        static_cast<float>((box.lower[i] + box.upper[i]) / 2);
  EXPECT_TRUE(check({}).ok()) << check({});
  // What is missing is no hindrance; what is observed is.
  std::vector<std::uint8_t> observed(2 * kRows, 1);
  rows.values(last, 1) += 1000;
  observed[2 * last] = 0;
  EXPECT_TRUE(absl::IsFailedPrecondition(check(observed))) << check(observed);
  observed[2 * last] = 1;
  observed[2 * last + 1] = 0;
  EXPECT_TRUE(check(observed).ok()) << check(observed);
}

}  // namespace
}  // namespace poe
