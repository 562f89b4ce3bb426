#include "poe/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

struct Rows {
  RowMatrix<double> decisions;
  std::vector<std::int32_t> labels;
};

// Labels drawn from softmax(slope * decisions + offsets).
Rows Draw(Index size, double slope, const Eigen::VectorXd& offsets,
          unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  Rows rows{RowMatrix<double>(size, offsets.size()), {}};
  for (Index n = 0; n < size; ++n) {
    std::vector<double> weights;
    for (Index c = 0; c < offsets.size(); ++c) {
      rows.decisions(n, c) = normal(engine);
      weights.push_back(std::exp(slope * rows.decisions(n, c) + offsets(c)));
    }
    rows.labels.push_back(std::discrete_distribution<std::int32_t>(
        weights.begin(), weights.end())(engine));
  }
  return rows;
}

ProbabilityCalibration Fit(const Rows& rows) {
  auto calibration = FitProbabilityCalibration(rows.decisions, rows.labels);
  EXPECT_TRUE(calibration.ok()) << calibration.status();
  return *std::move(calibration);
}

// The documented log posterior, written plainly.
double LogPosterior(const Rows& rows, double slope,
                    const Eigen::VectorXd& offsets) {
  double squares = 0, value = 0;
  for (Index n = 0; n < rows.decisions.rows(); ++n) {
    const double mean = rows.decisions.row(n).mean();
    double sum = 0;
    for (Index c = 0; c < offsets.size(); ++c) {
      squares += std::pow(rows.decisions(n, c) - mean, 2);
      sum += std::exp(slope * (rows.decisions(n, c) - mean) + offsets(c));
    }
    const std::int32_t label = rows.labels[n];
    value += slope * (rows.decisions(n, label) - mean) + offsets(label) -
             std::log(sum);
  }
  const double r =
      std::sqrt(squares / static_cast<double>(rows.decisions.size()));
  return value + std::log(r * slope) - r * slope -
         offsets.squaredNorm() / (2 * 10 * 10);
}

TEST(ScorePercentilesTest, InterpolatesBetweenQuantiles) {
  const auto percentiles = ScorePercentiles::Create({-10, -8, 0, 4, 30});
  ASSERT_TRUE(percentiles.ok());
  EXPECT_EQ(percentiles->Percentile(-10), 0);
  EXPECT_EQ(percentiles->Percentile(-9.5), 6.25);
  EXPECT_EQ(percentiles->Percentile(-8), 25);
  EXPECT_EQ(percentiles->Percentile(-4), 37.5);
  EXPECT_EQ(percentiles->Percentile(0), 50);
  EXPECT_EQ(percentiles->Percentile(3), 68.75);
  EXPECT_EQ(percentiles->Percentile(30), 100);
}

TEST(ScorePercentilesTest, OutsideTheTableIsNoneOrAll) {
  const auto percentiles = ScorePercentiles::Create({-10, 4});
  ASSERT_TRUE(percentiles.ok());
  EXPECT_EQ(percentiles->Percentile(-10.001), 0);
  EXPECT_EQ(percentiles->Percentile(-kInfinity), 0);
  EXPECT_EQ(percentiles->Percentile(kNan), 0);
  EXPECT_EQ(percentiles->Percentile(4.001), 100);
  EXPECT_EQ(percentiles->Percentile(kInfinity), 100);
}

TEST(ScorePercentilesTest, EqualQuantilesGiveTheMiddleOfTheirRun) {
  const auto percentiles = ScorePercentiles::Create({1, 2, 2, 2, 3});
  ASSERT_TRUE(percentiles.ok());
  EXPECT_EQ(percentiles->Percentile(2), 50);
  EXPECT_EQ(percentiles->Percentile(1.5), 12.5);
  const auto one = ScorePercentiles::Create({7});
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->Percentile(6), 0);
  EXPECT_EQ(one->Percentile(7), 50);
  EXPECT_EQ(one->Percentile(8), 100);
}

TEST(ScorePercentilesTest, AFullSpanOfDoublesIsInterpolated) {
  const double greatest = std::numeric_limits<double>::max();
  const auto percentiles = ScorePercentiles::Create({-greatest, greatest});
  ASSERT_TRUE(percentiles.ok());
  EXPECT_EQ(percentiles->Percentile(0), 50);
}

TEST(ScorePercentilesTest, FewScoresAreKeptSorted) {
  const auto percentiles =
      ScorePercentiles::FromScores({3, -kInfinity, 1, 2, kNan});
  ASSERT_TRUE(percentiles.has_value());
  EXPECT_EQ(percentiles->quantiles(), std::vector<double>({1, 2, 3}));
}

TEST(ScorePercentilesTest, NoFiniteScoreGivesNoTable) {
  EXPECT_FALSE(ScorePercentiles::FromScores({}).has_value());
  EXPECT_FALSE(ScorePercentiles::FromScores({-kInfinity}).has_value());
}

TEST(ScorePercentilesTest, ManyScoresKeepTheirRanksToATenthOfAPercent) {
  std::mt19937_64 engine(1);
  std::normal_distribution<double> normal(-200, 30);
  std::vector<double> scores(12'345);
  for (double& score : scores) score = normal(engine);
  const auto percentiles = ScorePercentiles::FromScores(scores);
  ASSERT_TRUE(percentiles.has_value());
  EXPECT_EQ(percentiles->quantiles().size(), 1'001);
  EXPECT_TRUE(ScorePercentiles::Create(percentiles->quantiles()).ok());
  std::sort(scores.begin(), scores.end());
  EXPECT_EQ(percentiles->quantiles().front(), scores.front());
  EXPECT_EQ(percentiles->quantiles().back(), scores.back());
  for (std::size_t rank = 0; rank < scores.size(); ++rank) {
    EXPECT_NEAR(percentiles->Percentile(scores[rank]), 100. * rank / 12'344,
                0.1);
  }
}

TEST(ScorePercentilesTest, CreateNamesTheQuantileAtFault) {
  const auto error = [](std::vector<double> quantiles) {
    const auto percentiles = ScorePercentiles::Create(std::move(quantiles));
    EXPECT_EQ(percentiles.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(percentiles.status().message());
  };
  EXPECT_EQ(error({}), "quantiles are empty; there must be at least one");
  EXPECT_EQ(error({1, kInfinity}), "quantiles[1] is inf; it must be finite");
  EXPECT_EQ(error({1, 3, 2}),
            "quantiles[2] is 2, less than 3 before it; they must ascend");
}

TEST(ProbabilityCalibrationTest, ProbabilitiesAreTheSoftmax) {
  const auto calibration =
      ProbabilityCalibration::Create(2, Eigen::Vector3d(0.5, -1, 0.5));
  ASSERT_TRUE(calibration.ok());
  RowMatrix<double> decisions(2, 3);
  decisions << 0.1, 0.7, -0.3, 1, 2, 3;
  const RowMatrix<double> probabilities = calibration->Probabilities(decisions);
  for (Index n = 0; n < 2; ++n) {
    const double e0 = std::exp(2 * decisions(n, 0) + 0.5);
    const double e1 = std::exp(2 * decisions(n, 1) - 1);
    const double e2 = std::exp(2 * decisions(n, 2) + 0.5);
    EXPECT_NEAR(probabilities(n, 0), e0 / (e0 + e1 + e2), 1e-15);
    EXPECT_NEAR(probabilities(n, 1), e1 / (e0 + e1 + e2), 1e-15);
    EXPECT_NEAR(probabilities(n, 2), e2 / (e0 + e1 + e2), 1e-15);
    EXPECT_EQ(calibration->Probabilities(decisions.middleRows(n, 1)).row(0),
              probabilities.row(n));
  }
}

TEST(ProbabilityCalibrationTest, HugeDecisionsGiveCertainty) {
  const auto calibration =
      ProbabilityCalibration::Create(1e10, Eigen::Vector2d(0, 0));
  ASSERT_TRUE(calibration.ok());
  RowMatrix<double> decisions(2, 2);
  decisions << 1e308, -1e308, 1e308, 1e308;
  const RowMatrix<double> probabilities = calibration->Probabilities(decisions);
  EXPECT_EQ(probabilities(0, 0), 1);
  EXPECT_EQ(probabilities(0, 1), 0);
  EXPECT_EQ(probabilities(1, 0), 0.5);
  EXPECT_EQ(probabilities(1, 1), 0.5);
}

TEST(ProbabilityCalibrationTest, CreateNamesTheValueAtFault) {
  const auto error = [](double slope, Eigen::VectorXd offsets) {
    const auto calibration =
        ProbabilityCalibration::Create(slope, std::move(offsets));
    EXPECT_EQ(calibration.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(calibration.status().message());
  };
  EXPECT_EQ(error(0, Eigen::Vector2d(0, 0)),
            "slope is 0; it must be positive and finite");
  EXPECT_EQ(error(kNan, Eigen::Vector2d(0, 0)),
            "slope is nan; it must be positive and finite");
  EXPECT_EQ(error(1, Eigen::VectorXd::Zero(1)),
            "offsets have 1 entries; there must be one for each of at least 2 "
            "classes");
  EXPECT_EQ(error(1, Eigen::Vector2d(0, -kInfinity)),
            "offsets[1] is -inf; it must be finite");
}

TEST(FitProbabilityCalibrationTest, GradientVanishesByFiniteDifferences) {
  Eigen::VectorXd four(4);
  four << 1, -2, 0.5, 0.5;
  for (const Rows& rows : {Draw(300, 1.5, Eigen::Vector2d(0.4, -0.4), 2),
                           Draw(300, 0.3, four, 3), Draw(5, 2, four, 4)}) {
    const ProbabilityCalibration fit = Fit(rows);
    EXPECT_NEAR(fit.offsets().sum(), 0, 1e-12);
    const double h = 1e-4;
    EXPECT_NEAR((LogPosterior(rows, fit.slope() + h, fit.offsets()) -
                 LogPosterior(rows, fit.slope() - h, fit.offsets())) /
                    (2 * h),
                0, 1e-5);
    for (Index c = 0; c < fit.offsets().size(); ++c) {
      const Eigen::VectorXd step =
          h * Eigen::VectorXd::Unit(fit.offsets().size(), c);
      EXPECT_NEAR((LogPosterior(rows, fit.slope(), fit.offsets() + step) -
                   LogPosterior(rows, fit.slope(), fit.offsets() - step)) /
                      (2 * h),
                  0, 1e-5);
    }
  }
}

TEST(FitProbabilityCalibrationTest, RecoversWhatLabelsWereDrawnFrom) {
  // Standard errors are below 0.025.
  const Eigen::Vector3d offsets(0.8, -0.5, -0.3);
  const ProbabilityCalibration fit = Fit(Draw(40'000, 1.7, offsets, 5));
  EXPECT_NEAR(fit.slope(), 1.7, 0.13);
  for (Index c = 0; c < 3; ++c) EXPECT_NEAR(fit.offsets()(c), offsets(c), 0.13);
}

TEST(FitProbabilityCalibrationTest, UnitsAndRowShiftsOfDecisionsCancel) {
  const Rows rows = Draw(500, 1.2, Eigen::Vector3d(0.3, 0, -0.3), 6);
  Rows other = rows;
  other.decisions *= 1e-6;
  for (Index n = 0; n < 500; ++n) {
    other.decisions.row(n).array() += 1e-3 * std::sin(static_cast<double>(n));
  }
  const RowMatrix<double> probabilities =
      Fit(rows).Probabilities(rows.decisions);
  const RowMatrix<double> of_other = Fit(other).Probabilities(other.decisions);
  EXPECT_LT((probabilities - of_other).cwiseAbs().maxCoeff(), 1e-6);
}

TEST(FitProbabilityCalibrationTest, SeparatedRowsGiveFiniteConfidentSlope) {
  Rows rows{RowMatrix<double>(1'000, 2), {}};
  for (Index n = 0; n < 1'000; ++n) {
    rows.labels.push_back(static_cast<std::int32_t>(n % 2));
    rows.decisions(n, n % 2) = 1;
    rows.decisions(n, 1 - n % 2) = -1;
  }
  const RowMatrix<double> probabilities =
      Fit(rows).Probabilities(rows.decisions);
  EXPECT_GT(probabilities(0, 0), 0.99);
  EXPECT_LT(probabilities(0, 0), 1);
}

TEST(FitProbabilityCalibrationTest, SlopeStaysPositiveWhereDecisionsMislead) {
  Rows rows = Draw(1'000, 2, Eigen::Vector2d(0, 0), 7);
  rows.decisions = -rows.decisions;
  const ProbabilityCalibration fit = Fit(rows);
  EXPECT_GT(fit.slope(), 0);
  EXPECT_LT(fit.slope(), 0.01);
}

TEST(FitProbabilityCalibrationTest, EqualDecisionsGiveFrequencies) {
  Rows rows{RowMatrix<double>::Constant(1'000, 3, 4.5), {}};
  for (int n = 0; n < 1'000; ++n) {
    rows.labels.push_back(n < 700 ? 0 : n < 900 ? 1 : 2);
  }
  const RowMatrix<double> probabilities =
      Fit(rows).Probabilities(rows.decisions.topRows(1));
  EXPECT_NEAR(probabilities(0, 0), 0.7, 1e-3);
  EXPECT_NEAR(probabilities(0, 1), 0.2, 1e-3);
  EXPECT_NEAR(probabilities(0, 2), 0.1, 1e-3);
}

TEST(FitProbabilityCalibrationTest, AClassWithoutRowsIsImprobable) {
  Rows rows = Draw(300, 1, Eigen::Vector3d(0, 0, 0), 8);
  for (std::int32_t& label : rows.labels) label %= 2;
  const RowMatrix<double> probabilities =
      Fit(rows).Probabilities(RowMatrix<double>::Zero(1, 3));
  EXPECT_GT(probabilities(0, 2), 0);
  EXPECT_LT(probabilities(0, 2), 0.01);
}

TEST(FitProbabilityCalibrationTest, IsDeterministic) {
  const Rows rows = Draw(400, 1, Eigen::Vector3d(0.3, 0, -0.3), 9);
  EXPECT_EQ(Fit(rows).slope(), Fit(rows).slope());
  EXPECT_EQ(Fit(rows).offsets(), Fit(rows).offsets());
}

TEST(FitProbabilityCalibrationTest, ErrorsSayWhatIsWrongWhere) {
  const auto error = [](const Rows& rows) {
    const auto fit = FitProbabilityCalibration(rows.decisions, rows.labels);
    EXPECT_EQ(fit.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(fit.status().message());
  };
  const Rows good{RowMatrix<double>::Ones(2, 2), {0, 1}};
  EXPECT_EQ(error({RowMatrix<double>(0, 2), {}}),
            "decisions are 0 x 2; a calibration needs at least one row and 2 "
            "classes");
  EXPECT_EQ(error({RowMatrix<double>::Ones(2, 1), {0, 0}}),
            "decisions are 2 x 1; a calibration needs at least one row and 2 "
            "classes");
  Rows bad = good;
  bad.labels.pop_back();
  EXPECT_EQ(error(bad),
            "1 labels for 2 rows of decisions; there must be one for each row");
  bad = good;
  bad.labels[1] = 2;
  EXPECT_EQ(error(bad), "labels[1] is 2; it must be in [0, 2)");
  bad.labels[1] = -1;
  EXPECT_EQ(error(bad), "labels[1] is -1; it must be in [0, 2)");
  bad = good;
  bad.decisions(1, 0) = kNan;
  EXPECT_EQ(error(bad), "decisions[1][0] is nan; it must be finite");
  bad = good;
  bad.decisions << 1e308, -1.7e308, 1.7e308, -1.7e308;
  EXPECT_EQ(error(bad),
            "decisions are too large: their differences are not finite");
}

}  // namespace
}  // namespace poe
