// What separator and percentiles of conditional models compare.
#include <algorithm>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/reconstruction.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

// Two classes of rows of bits, all but the last `outputs` of which are inputs.
TrainingSettings Conditional(Index dimension, Index outputs) {
  TrainingSettings settings = BinarySettings(dimension);
  for (Index i = 0; i < dimension - outputs; ++i)
    settings.data_spec.input_coordinates.push_back(i);
  return settings;
}

TEST(ConditionalComparisonTest, IsByTheProbabilityGivenTheInputs) {
  const LabelledRows rows = BinaryRows(400, 8);
  const auto model = TrainOn(Conditional(8, 3), rows);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto scores =
      Score(*model, rows.View(), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(scores.ok()) << scores.status();
  ASSERT_EQ(scores->log_probabilities.rows(), 400);
  EXPECT_EQ(Comparable(*model, rows.View(), *scores),
            scores->log_probabilities);
  EXPECT_EQ(scores->labels,
            model->separator->Classify(scores->log_probabilities).labels);

  std::vector<Index> order(400);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](Index a, Index b) {
    return scores->log_probabilities(a, 0) < scores->log_probabilities(b, 0);
  });
  for (std::size_t i = 1; i < order.size(); ++i)
    EXPECT_LE(scores->percentiles(order[i - 1], 0),
              scores->percentiles(order[i], 0));
  EXPECT_LT(scores->percentiles(order.front(), 0), 10);
  EXPECT_GT(scores->percentiles(order.back(), 0), 90);
}

TEST(ConditionalComparisonTest, IsRefusedWhereOutputsAreTooManyToList) {
  TrainingSettings settings = Conditional(20, 15);
  const auto status =
      Train(
          settings, BinaryRows(40, 20).View(), Workers::Inline(),
          [](const TrainingProgress&) { FAIL() << "no work was due"; },
          NeverInterrupt)
          .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("normalizers depend on the inputs"));
  EXPECT_THAT(status.message(), HasSubstr("without a separator"));

  settings.separator.reset();
  const LabelledRows rows = BinaryRows(40, 20);
  const auto model = TrainOn(settings, rows);
  ASSERT_TRUE(model.ok()) << model.status();
  for (const ClassModel& one : model->classes)
    EXPECT_FALSE(one.percentiles.has_value());
  const auto scores =
      Score(*model, rows.View(), {}, Workers::Inline(), NeverInterrupt);
  EXPECT_TRUE(scores->log_scores.allFinite());
}

}  // namespace
}  // namespace poe
