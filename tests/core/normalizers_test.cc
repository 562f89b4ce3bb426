// Estimates of log Z that follow training.
#include "poe/normalizers.h"

#include <cmath>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/log_partition.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The chance of a normal deviation of so many standard errors is below 1e-7;
// the rest is for errors that are themselves estimates.
constexpr double kErrors = 6;

void IgnoreShare(Index, double) {}

absl::Status Estimate(Model& model, int threads = 1, std::uint64_t seed = 3) {
  const Workers workers(threads);
  return EstimateNormalizers({.chains = 400, .temperatures = 100}, {0}, seed,
                             workers, NeverInterrupt, IgnoreShare, model);
}

TEST(NormalizersTest, AgreeWithExactOnes) {
  Model model = BernoulliModel(8, 5, 3);
  ASSERT_TRUE(Estimate(model).ok());
  std::vector<double> exact;
  for (const ClassModel& one : model.classes) {
    exact.push_back(*ExactLogPartition(one.layers[0], model.data_spec, 0));
    ASSERT_EQ(one.log_partitions.size(), 2u);
    EXPECT_EQ(one.log_partitions[0].method, LogPartition::Method::kAisForward);
    EXPECT_EQ(one.log_partitions[1].method, LogPartition::Method::kAisReverse);
    for (const LogPartition& known : one.log_partitions) {
      EXPECT_GT(known.standard_error, 0);
      EXPECT_LT(known.standard_error, 0.05);
      EXPECT_NEAR(known.value, exact.back(), kErrors * known.standard_error);
    }
  }
  ASSERT_EQ(model.log_partition_differences.size(), 2u);
  for (const ClassPartitionDifference& known :
       model.log_partition_differences) {
    EXPECT_EQ(known.other_index, 0);
    EXPECT_GT(known.standard_error, 0);
    EXPECT_LT(known.standard_error, 0.5);
    EXPECT_NEAR(known.value, exact[known.class_index] - exact[0],
                kErrors * known.standard_error);
  }
  EXPECT_TRUE(Validate(model).ok()) << Validate(model);
}

TEST(NormalizersTest, HaveTheSameBitsAtAnyThreadCount) {
  Model one = BernoulliModel(6, 4, 2), three = one, other = one;
  ASSERT_TRUE(Estimate(one, 1).ok());
  ASSERT_TRUE(Estimate(three, 3).ok());
  ASSERT_TRUE(Estimate(other, 1, 4).ok());
  for (Index c = 0; c < 2; ++c) {
    for (int d = 0; d < 2; ++d) {
      EXPECT_EQ(one.classes[c].log_partitions[d].value,
                three.classes[c].log_partitions[d].value);
      EXPECT_NE(one.classes[c].log_partitions[d].value,
                other.classes[c].log_partitions[d].value);
    }
  }
  EXPECT_EQ(one.log_partition_differences[0].value,
            three.log_partition_differences[0].value);
}

TEST(NormalizersTest, LeaveAloneWhatIsKnown) {
  Model model = BernoulliModel(6, 4, 2);
  model.classes[0].log_partitions.push_back(
      {LogPartition::Method::kExact, 1.5, 0, 0});
  ASSERT_TRUE(Estimate(model).ok());
  EXPECT_EQ(model.classes[0].log_partitions.size(), 1u);
  EXPECT_EQ(model.classes[0].FindLogPartition(0)->value, 1.5);
  EXPECT_EQ(model.classes[1].FindLogPartition(0)->method,
            LogPartition::Method::kAisForward);
  EXPECT_THAT(model.log_partition_differences, ElementsAre());
}

// What was estimated before stays, and the rest is compared with it.
TEST(NormalizersTest, GoOnFromEarlierEstimates) {
  Model whole = BernoulliModel(6, 4, 3), rest = whole;
  ASSERT_TRUE(Estimate(whole).ok());
  rest.classes[0].log_partitions = whole.classes[0].log_partitions;
  rest.classes[0].log_partitions[0].value = 1.5;
  ASSERT_TRUE(Estimate(rest).ok());
  ASSERT_EQ(rest.classes[0].log_partitions.size(), 2u);
  EXPECT_EQ(rest.classes[0].log_partitions[0].value, 1.5);
  for (Index c : {1, 2}) {
    for (int d = 0; d < 2; ++d) {
      EXPECT_EQ(rest.classes[c].log_partitions[d].value,
                whole.classes[c].log_partitions[d].value);
    }
    const ClassPartitionDifference& known =
        rest.log_partition_differences[c - 1];
    EXPECT_EQ(known.class_index, c);
    EXPECT_EQ(known.other_index, 0);
    EXPECT_EQ(known.value, whole.log_partition_differences[c - 1].value);
  }
  // Nothing is left to do.
  ASSERT_TRUE(Estimate(rest).ok());
  EXPECT_EQ(rest.log_partition_differences.size(), 2u);
}

TEST(NormalizersTest, TellHowFarTheyAreAndStopWhenAsked) {
  Model model = BernoulliModel(6, 4, 2);
  double last = 0;
  std::vector<bool> told(2);
  ASSERT_TRUE(EstimateNormalizers(
                  {.chains = 10, .temperatures = 10}, {0}, 1, Workers::Inline(),
                  NeverInterrupt,
                  [&](Index c, double share) {
                    EXPECT_GE(share, last);
                    last = share;
                    told[c] = true;
                  },
                  model)
                  .ok());
  EXPECT_NEAR(last, 1, 1e-9);
  EXPECT_THAT(told, ElementsAre(true, true));

  // Each of the steps asks.
  int asked = 0;
  Model again = BernoulliModel(6, 4, 2);
  const absl::Status status = EstimateNormalizers(
      {.chains = 10, .temperatures = 10}, {0}, 1, Workers::Inline(),
      [&] {
        return ++asked < 25 ? absl::OkStatus()
                            : absl::DeadlineExceededError("enough");
      },
      IgnoreShare, again);
  EXPECT_EQ(status, absl::DeadlineExceededError("enough"));
  EXPECT_EQ(asked, 25);
}

TEST(NormalizersTest, RefuseWhatCannotBeEstimated) {
  Model model = BernoulliModel(6, 4, 2);
  std::vector<Index> lengths;
  for (Index length = 1; length <= 17; ++length) lengths.push_back(length);
  const absl::Status many = EstimateNormalizers(
      {}, lengths, 1, Workers::Inline(), NeverInterrupt, IgnoreShare, model);
  EXPECT_TRUE(absl::IsFailedPrecondition(many));
  EXPECT_THAT(many.message(), HasSubstr("17 different lengths"));
  EXPECT_TRUE(model.classes[0].log_partitions.empty());

  model.data_spec.input_coordinates = {1};
  const absl::Status inputs =
      CheckEstimable(model.data_spec, model.classes[0].layers[0]);
  EXPECT_TRUE(absl::IsFailedPrecondition(inputs));
  EXPECT_THAT(inputs.message(), HasSubstr("depends on its inputs"));
}

// One step from the base to experts this sharp.
TEST(NormalizersTest, ChainsThatHaveCollapsedGiveNoEstimate) {
  Model model = BernoulliModel(20, 10, 1);
  model.classes[0].layers[0].mutable_group(0).UpdateParameters(
      Workers::Inline(),
      [](Eigen::Ref<Vector<float>> parameters) { parameters *= 50; });
  const absl::Status status = EstimateNormalizers(
      {.chains = 50, .temperatures = 1}, {0}, 1, Workers::Inline(),
      NeverInterrupt, IgnoreShare, model);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("take more temperatures"));
  EXPECT_TRUE(model.classes[0].log_partitions.empty());
}

TEST(NormalizersTest, SettingsAreChecked) {
  EXPECT_TRUE(Validate(NormalizerSettings{}).ok());
  EXPECT_THAT(std::string(Validate(NormalizerSettings{.chains = 1}).message()),
              HasSubstr("chains is 1; it must be at least 2"));
  EXPECT_THAT(
      std::string(Validate(NormalizerSettings{.temperatures = 0}).message()),
      HasSubstr("temperatures is 0; it must be at least 1"));
  TrainingSettings settings = BinarySettings(5);
  settings.normalizer = NormalizerSettings{.chains = 0};
  EXPECT_TRUE(absl::IsInvalidArgument(Validate(settings)));
}

// The log probabilities of a trained density integrate to 1 over its box.
TEST(NormalizersTest, TrainedDensitiesIntegrateToOne) {
  TrainingSettings settings = RealSettings();
  settings.products[0].groups[0].num_experts = 20;  // too many to sum over
  settings.normalizer = NormalizerSettings{.chains = 500, .temperatures = 200};
  std::vector<double> fractions;
  const LabelledRows rows = RealRows(203);
  const absl::StatusOr<Model> model = Train(
      settings, rows.View(), Workers::Inline(),
      [&](const TrainingProgress& now) {
        if (now.stage == "normalizer") fractions.push_back(now.fraction);
      },
      NeverInterrupt);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_FALSE(fractions.empty());
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));

  constexpr Index kSide = 500;
  const DataSpec& spec = model->data_spec;
  double lower[2], width[2];
  for (int i = 0; i < 2; ++i) {
    lower[i] = spec.box->lower[i];
    width[i] = spec.box->upper[i] - lower[i];
  }
  RowMatrix<float> grid(kSide * kSide, 2);
  for (Index k = 0; k < grid.rows(); ++k) {
    grid(k, 0) = static_cast<float>(
        lower[0] + width[0] * (static_cast<double>(k / kSide) + 0.5) / kSide);
    grid(k, 1) = static_cast<float>(
        lower[1] + width[1] * (static_cast<double>(k % kSide) + 0.5) / kSide);
  }
  const absl::StatusOr<Scores> scores =
      Score(*model, RowsOf(grid), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(scores.ok());
  const double cell = width[0] * width[1] / (kSide * kSide);
  for (Index c = 0; c < 2; ++c) {
    const double mass =
        cell * scores->log_probabilities.col(c).array().exp().sum();
    const double error = model->classes[c].FindLogPartition(0)->standard_error;
    EXPECT_LT(error, 0.1);
    // The midpoint rule adds less than 1e-3.
    EXPECT_NEAR(std::log(mass), 0, kErrors * error + 1e-3);
  }
}

}  // namespace
}  // namespace poe
