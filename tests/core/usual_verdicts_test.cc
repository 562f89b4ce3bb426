#include "poe/usual_verdicts.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

RowMatrix<double> NormalScores(Index rows, Index experts) {
  std::mt19937_64 engine(1);
  std::normal_distribution<double> normal;
  RowMatrix<double> scores(rows, experts);
  for (Index n = 0; n < rows; ++n)
    for (Index m = 0; m < experts; ++m)
      scores(n, m) = 10.0 * static_cast<double>(m) +
                     (1.0 + static_cast<double>(m)) * normal(engine);
  return scores;
}

std::vector<Index> Dense(Index rows) { return std::vector<Index>(rows, 1); }

Index CountBelow(const Eigen::Ref<const Eigen::VectorXd>& scores,
                 double bound) {
  return (scores.array() < bound).count();
}

TEST(UsualVerdictsTest, OneScoreInFourIsBelowTheQuartileAndHalfBelowTheMedian) {
  const RowMatrix<double> scores = NormalScores(2001, 3);
  const auto usual = UsualVerdicts::FromScores(scores, Dense(2001));
  ASSERT_TRUE(usual.has_value());
  ASSERT_EQ(usual->num_experts(), 3);
  for (Index m = 0; m < 3; ++m) {
    const Eigen::VectorXd column = scores.col(m);
    EXPECT_EQ(CountBelow(column, usual->quantiles()(m, 0)), 500);
    EXPECT_EQ(CountBelow(column, usual->quantiles()(m, 1)), 1000);
  }
}

TEST(UsualVerdictsTest, ASingleRowIsBothQuantiles) {
  const auto usual = UsualVerdicts::FromScores(
      RowMatrix<double>::Constant(1, 2, -3), Dense(1));
  ASSERT_TRUE(usual.has_value());
  EXPECT_EQ(usual->quantiles(), RowMatrix<double>::Constant(2, 2, -3));
}

TEST(UsualVerdictsTest, RowsOutOfSupportAreLeftOut) {
  RowMatrix<double> scores = NormalScores(50, 2);
  const auto without = UsualVerdicts::FromScores(scores, Dense(50));
  RowMatrix<double> more(53, 2);
  more << Eigen::RowVector2d::Constant(kNan), scores,
      Eigen::RowVector2d(-kInfinity, 0), Eigen::RowVector2d(0, kInfinity);
  const auto with = UsualVerdicts::FromScores(more, Dense(53));
  ASSERT_TRUE(without.has_value() && with.has_value());
  EXPECT_EQ(with->quantiles(), without->quantiles());
  EXPECT_FALSE(
      UsualVerdicts::FromScores(more.topRows(1), Dense(1)).has_value());
  EXPECT_FALSE(
      UsualVerdicts::FromScores(RowMatrix<double>(0, 2), {}).has_value());
}

// The definition, value by value.
TEST(UsualVerdictsTest, ObjectionsAreDistancesToTheUsualInItsOwnSpread) {
  RowMatrix<double> quantiles(3, 2);
  quantiles << -2, 6, -0.25, 0.25, 3, 3;
  const auto usual = UsualVerdicts::Create(quantiles);
  ASSERT_TRUE(usual.ok()) << usual.status();
  RowMatrix<double> scores(3, 3);
  scores << 6, 0.25, 3,  //
      -2, -1.75, 5,      //
      -18, kNan, -4;
  const RowMatrix<float> objections = usual->Objections(scores, Dense(3));
  RowMatrix<float> wanted(3, 3);
  wanted << 0, 0, 0,  //
      1, 2, -2,       //
      3, 0, 7;
  EXPECT_TRUE(std::isnan(objections(2, 1)));
  wanted(2, 1) = objections(2, 1);
  EXPECT_THAT(
      objections.reshaped(),
      testing::Pointwise(testing::NanSensitiveFloatEq(), wanted.reshaped()));
}

TEST(UsualVerdictsTest, OneRowInFourIsObjectedToByMoreThanOne) {
  const RowMatrix<double> scores = 100 * NormalScores(2001, 2);
  const auto usual = UsualVerdicts::FromScores(scores, Dense(2001));
  const RowMatrix<float> objections = usual->Objections(scores, Dense(2001));
  for (Index m = 0; m < 2; ++m) {
    EXPECT_EQ((objections.col(m).array() > 1).count(), 500);
    EXPECT_EQ((objections.col(m).array() > 0).count(), 1000);
  }
}

// Scores that are the same for each frame are as usual at any length.
TEST(UsualVerdictsTest, SequencesAreJudgedByTheFrame) {
  RowMatrix<double> quantiles(1, 2);
  quantiles << -4, -2;
  const auto usual = UsualVerdicts::Create(quantiles);
  const std::vector<Index> lengths = {1, 5, 40, 5};
  RowMatrix<double> scores(4, 1);
  scores << -2, -2 * 5, -2 * 40, -4 * 5;
  const RowMatrix<float> objections = usual->Objections(scores, lengths);
  EXPECT_EQ(objections.col(0), Eigen::Vector4f(0, 0, 0, 1));
  const auto learned =
      UsualVerdicts::FromScores(scores.topRows(3), {lengths.data(), 3});
  ASSERT_TRUE(learned.has_value());
  EXPECT_EQ(learned->quantiles(), RowMatrix<double>::Constant(1, 2, -2));
}

TEST(UsualVerdictsTest, BadQuantilesAreNamed) {
  const auto message = [](std::initializer_list<double> values, Index columns) {
    RowMatrix<double> quantiles(static_cast<Index>(values.size()) / columns,
                                columns);
    std::copy(values.begin(), values.end(), quantiles.data());
    const absl::Status status =
        UsualVerdicts::Create(std::move(quantiles)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(message({}, 2), HasSubstr("are 0 x 2"));
  EXPECT_THAT(message({1, 2, 3}, 3), HasSubstr("are 1 x 3"));
  EXPECT_THAT(message({1, 2, kNan, 4}, 2), HasSubstr("quantiles[1][0] is nan"));
  EXPECT_THAT(message({1, kInfinity}, 2), HasSubstr("quantiles[0][1] is inf"));
  EXPECT_THAT(message({1, 2, 5, 4}, 2),
              HasSubstr("quantiles[1][1] is 4, less than 5 before it"));
}

}  // namespace
}  // namespace poe
