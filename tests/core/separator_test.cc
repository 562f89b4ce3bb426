#include "poe/separator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace poe {
namespace {

using Method = SeparatorOptions::Method;

struct Rows {
  RowMatrix<double> features;
  std::vector<std::int32_t> labels;
};

Separator Fit(const Rows& rows, Index num_classes,
              const SeparatorOptions& options = {}) {
  auto separator = FitSeparator(rows.features, rows.labels, num_classes,
                                options, NeverInterrupt);
  EXPECT_TRUE(separator.ok()) << separator.status();
  return *std::move(separator);
}

// Rows of class c have mean `gap` in feature c and 0 elsewhere; each row has a
// common shift of standard deviation `common`, and feature f the offset -50 f.
Rows Gaussians(Index size, Index num_classes, double gap, double common,
               unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  Rows rows{RowMatrix<double>(size, num_classes), {}};
  for (Index n = 0; n < size; ++n) {
    const auto label = static_cast<std::int32_t>(n % num_classes);
    const double shift = common * normal(engine);
    for (Index f = 0; f < num_classes; ++f) {
      rows.features(n, f) =
          shift + normal(engine) - 50. * f + (f == label ? gap : 0);
    }
    rows.labels.push_back(label);
  }
  return rows;
}

double ErrorShare(const std::vector<std::int32_t>& labels,
                  const std::vector<std::int32_t>& truth) {
  double errors = 0;
  for (std::size_t n = 0; n < truth.size(); ++n)
    errors += labels[n] != truth[n];
  return errors / static_cast<double>(truth.size());
}

// The best any classifier does on Gaussians(): the common shift and all
// differences are Gaussian, so the class of the greatest feature less its
// offset is the most probable.
double BayesErrorShare(const Rows& rows) {
  std::vector<std::int32_t> labels;
  for (Index n = 0; n < rows.features.rows(); ++n) {
    Index best = 0;
    for (Index f = 1; f < rows.features.cols(); ++f) {
      if (rows.features(n, f) + 50. * f > rows.features(n, best) + 50. * best) {
        best = f;
      }
    }
    labels.push_back(static_cast<std::int32_t>(best));
  }
  return ErrorShare(labels, rows.labels);
}

void ExpectSameBits(const Separator& a, const Separator& b) {
  EXPECT_EQ(a.parameters().weights, b.parameters().weights);
  EXPECT_EQ(a.parameters().biases, b.parameters().biases);
  EXPECT_EQ(a.parameters().feature_mean, b.parameters().feature_mean);
  EXPECT_EQ(a.parameters().feature_scale, b.parameters().feature_scale);
}

TEST(SeparatorTest, DecisionsFollowTheFormula) {
  SeparatorParameters parameters;
  parameters.feature_mean = Eigen::Vector2d(10, -4);
  parameters.feature_scale = Eigen::Vector2d(2, 0.5);
  parameters.weights = RowMatrix<double>(3, 2);
  parameters.weights << 1, 2, -3, 0.25, 0, 7;
  parameters.biases = Eigen::Vector3d(0.5, -1, 3);
  const auto separator = Separator::Create(parameters);
  ASSERT_TRUE(separator.ok());
  RowMatrix<double> features(1, 2);
  features << 14, -3;  // standardized: 2, 2
  const RowMatrix<double> decisions = separator->Decisions(features);
  EXPECT_EQ(decisions(0, 0), 6.5);
  EXPECT_EQ(decisions(0, 1), -6.5);
  EXPECT_EQ(decisions(0, 2), 17);
  const Classification result = separator->Classify(features);
  EXPECT_EQ(result.decisions, decisions);
  EXPECT_EQ(result.labels[0], 2);
  EXPECT_EQ(result.margins[0], 10.5);
}

TEST(SeparatorTest, LabelAndMarginAgreeWithSortedDecisions) {
  const Rows rows = Gaussians(500, 5, 1, 2, 11);
  const Separator separator = Fit(rows, 5);
  const Classification result = separator.Classify(rows.features);
  for (Index n = 0; n < 500; ++n) {
    std::vector<double> sorted;
    for (Index c = 0; c < 5; ++c) sorted.push_back(result.decisions(n, c));
    const auto greatest = std::max_element(sorted.begin(), sorted.end());
    EXPECT_EQ(result.labels[n], greatest - sorted.begin());
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(result.margins[n], sorted[4] - sorted[3]);
  }
}

TEST(SeparatorTest, TiesGoToTheLowestClass) {
  for (Index classes : {2, 3, 4}) {
    SeparatorParameters parameters;
    parameters.feature_mean = Eigen::VectorXd::Zero(1);
    parameters.feature_scale = Eigen::VectorXd::Ones(1);
    parameters.weights = RowMatrix<double>::Zero(classes, 1);
    parameters.biases = Eigen::VectorXd::Ones(classes);
    parameters.biases(0) = classes > 2 ? 0 : 1;
    const auto separator = Separator::Create(parameters);
    ASSERT_TRUE(separator.ok());
    const Classification result =
        separator->Classify(RowMatrix<double>::Zero(1, 1));
    EXPECT_EQ(result.labels[0], classes > 2 ? 1 : 0);
    EXPECT_EQ(result.margins[0], 0);
  }
}

TEST(SeparatorTest, ARowHasTheSameBitsAloneAndInABatch) {
  const Rows rows = Gaussians(37, 3, 1, 2, 12);
  const Separator separator = Fit(rows, 3);
  const Classification batch = separator.Classify(rows.features);
  for (Index n = 0; n < 37; ++n) {
    const Classification alone =
        separator.Classify(rows.features.middleRows(n, 1));
    EXPECT_EQ(alone.decisions.row(0), batch.decisions.row(n));
    EXPECT_EQ(alone.labels[0], batch.labels[n]);
    EXPECT_EQ(alone.margins[0], batch.margins[n]);
  }
}

TEST(SeparatorTest, NoRowsGiveNoLabels) {
  const Separator separator = Fit(Gaussians(20, 2, 5, 0, 13), 2);
  const Classification result = separator.Classify(RowMatrix<double>(0, 2));
  EXPECT_EQ(result.decisions.rows(), 0);
  EXPECT_TRUE(result.labels.empty());
  EXPECT_TRUE(result.margins.empty());
}

TEST(FitSeparatorTest, HyperplaneOfASquareIsItsMiddleLine) {
  // Standardized, the corners are (-1, -1), (-1, 1), (1, -1), (1, 1).
  Rows rows{RowMatrix<double>(4, 2), {0, 0, 1, 1}};
  rows.features << 90, -53, 90, -47, 110, -53, 110, -47;
  const SeparatorParameters p = Fit(rows, 2).parameters();
  EXPECT_NEAR(p.feature_mean(0), 100, 1e-9);
  EXPECT_NEAR(p.feature_mean(1), -50, 1e-9);
  EXPECT_NEAR(p.feature_scale(0), 10, 1e-9);
  EXPECT_NEAR(p.feature_scale(1), 3, 1e-9);
  EXPECT_NEAR(p.weights(0, 0), -0.5, 1e-3);
  EXPECT_NEAR(p.weights(1, 0), 0.5, 1e-3);
  EXPECT_NEAR(p.weights(0, 1), 0, 1e-3);
  EXPECT_NEAR(p.weights(1, 1), 0, 1e-3);
  EXPECT_NEAR(p.biases(0), 0, 1e-3);
  EXPECT_NEAR(p.biases(1), 0, 1e-3);
}

TEST(FitSeparatorTest, HyperplaneLiesMidwayWhicheverClassComesFirst) {
  // Mean 1, variance 2; the hyperplane is at 1.5 and |w . x + b| is 1 at 0
  // and at 3: w = 2 sqrt(2) / 3, b = -1/3.
  Rows rows{RowMatrix<double>(3, 1), {}};
  rows.features << 0, 3, 0;
  for (const std::int32_t low : {0, 1}) {
    rows.labels = {low, 1 - low, low};
    const SeparatorParameters p = Fit(rows, 2).parameters();
    const double sign = low == 0 ? 1 : -1;
    EXPECT_NEAR(p.weights(1, 0) - p.weights(0, 0), sign * std::sqrt(8.) / 3,
                1e-3);
    EXPECT_NEAR(p.biases(1) - p.biases(0), -sign / 3, 1e-3);
  }
}

TEST(FitSeparatorTest, ANarrowGapIsStillAHardMargin) {
  // Its support vectors need a cost of about 2,500.
  Rows rows{RowMatrix<double>(4, 1), {0, 0, 1, 1}};
  rows.features << -1, -0.01, 0.01, 1;
  const Classification result = Fit(rows, 2).Classify(rows.features);
  EXPECT_EQ(result.labels, rows.labels);
  EXPECT_NEAR(result.margins[1], 1, 1e-3);
  EXPECT_NEAR(result.margins[2], 1, 1e-3);
  SeparatorOptions soft;
  soft.cost = 1;
  EXPECT_LT(Fit(rows, 2, soft).Classify(rows.features).margins[1], 0.1);
}

TEST(FitSeparatorTest, MarginIsTheGreatestOverAllDirections) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    const Rows rows = Gaussians(200, 2, 8, 2, 100 + seed);
    const SeparatorParameters p = Fit(rows, 2).parameters();
    const RowMatrix<double> x =
        (rows.features.rowwise() - p.feature_mean.transpose())
            .array()
            .rowwise() /
        p.feature_scale.transpose().array();
    double greatest = 0;
    for (int step = 0; step < 50'000; ++step) {
      const double angle = 2 * M_PI * step / 50'000;
      const Eigen::VectorXd projected =
          x * Eigen::Vector2d(std::cos(angle), std::sin(angle));
      double least_one = std::numeric_limits<double>::infinity();
      double greatest_zero = -least_one;
      for (Index n = 0; n < 200; ++n) {
        if (rows.labels[n] == 1) {
          least_one = std::min(least_one, projected(n));
        } else {
          greatest_zero = std::max(greatest_zero, projected(n));
        }
      }
      greatest = std::max(greatest, (least_one - greatest_zero) / 2);
    }
    ASSERT_GT(greatest, 0) << "not separable: choose another seed";
    EXPECT_NEAR(1 / (p.weights.row(1) - p.weights.row(0)).norm(), greatest,
                1e-3 * greatest);
  }
}

TEST(FitSeparatorTest, TwoOverlappingClassesAreNearBayes) {
  const Rows train = Gaussians(2'000, 2, 1.5, 5, 21);
  const Rows test = Gaussians(50'000, 2, 1.5, 5, 22);
  const double bayes = BayesErrorShare(test);
  for (Method method : {Method::kMaximumMargin, Method::kLogistic}) {
    SeparatorOptions options;
    options.method = method;
    const Classification result =
        Fit(train, 2, options).Classify(test.features);
    EXPECT_LT(ErrorShare(result.labels, test.labels), bayes + 0.01);
  }
}

TEST(FitSeparatorTest, TenClassesAreNearBayesHoweverScoresMoveTogether) {
  for (double common : {5., 300.}) {
    const Rows train = Gaussians(5'000, 10, 3, common, 23);
    const Rows test = Gaussians(20'000, 10, 3, common, 24);
    const double bayes = BayesErrorShare(test);
    for (Method method : {Method::kMaximumMargin, Method::kLogistic}) {
      SeparatorOptions options;
      options.method = method;
      const Classification result =
          Fit(train, 10, options).Classify(test.features);
      EXPECT_LT(ErrorShare(result.labels, test.labels), bayes + 0.02);
    }
  }
}

TEST(FitSeparatorTest, LogisticDecisionsOfTwoClassesDifferByTheLogOdds) {
  // Gaussians of unit variance with means (gap, 0) and (0, gap), offset aside:
  // log odds of class 1 are gap (x_1 + 50 - x_0).
  const double gap = 1.5;
  const Rows train = Gaussians(40'000, 2, gap, 0, 25);
  SeparatorOptions options;
  options.method = Method::kLogistic;
  const RowMatrix<double> decisions =
      Fit(train, 2, options).Decisions(train.features);
  for (Index n = 0; n < 100; ++n) {
    const double log_odds =
        gap * (train.features(n, 1) + 50 - train.features(n, 0));
    EXPECT_NEAR(decisions(n, 1) - decisions(n, 0), log_odds,
                0.15 + 0.1 * std::abs(log_odds));
  }
}

TEST(FitSeparatorTest, FitsAreTheSameInAnyThreadAndAfterAnyRand) {
  const Rows rows = Gaussians(600, 4, 1.5, 2, 26);
  const Separator first = Fit(rows, 4);
  for (int i = 0; i < 7; ++i) std::rand();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { ExpectSameBits(Fit(rows, 4), first); });
  }
  for (std::thread& thread : threads) thread.join();

  const Rows two = Gaussians(600, 2, 1.5, 2, 27);
  ExpectSameBits(Fit(two, 2), Fit(two, 2));
}

TEST(FitSeparatorTest, NothingIsPrinted) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Fit(Gaussians(100, 2, 1, 0, 28), 2);
  Fit(Gaussians(100, 3, 1, 0, 29), 3);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(FitSeparatorTest, AConstantFeatureHasNoSay) {
  for (Index classes : {2, 3}) {
    for (Method method : {Method::kMaximumMargin, Method::kLogistic}) {
      Rows rows = Gaussians(100, classes, 2, 0, 30);
      rows.features.col(1).setConstant(0.1);
      SeparatorOptions options;
      options.method = method;
      const SeparatorParameters p = Fit(rows, classes, options).parameters();
      EXPECT_EQ(p.feature_mean(1), 0.1);
      EXPECT_EQ(p.feature_scale(1), 1);
      EXPECT_TRUE((p.weights.col(1).array() == 0).all());
    }
  }
}

std::string CreateError(const SeparatorParameters& parameters) {
  const auto separator = Separator::Create(parameters);
  EXPECT_EQ(separator.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(separator.status().message());
}

TEST(SeparatorTest, CreateNamesTheParameterAtFault) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const SeparatorParameters good = {
      Eigen::VectorXd::Zero(3), Eigen::VectorXd::Ones(3),
      RowMatrix<double>::Zero(2, 3), Eigen::VectorXd::Zero(2)};
  ASSERT_TRUE(Separator::Create(good).ok());
  SeparatorParameters bad = good;
  bad.weights.resize(1, 3);
  EXPECT_EQ(CreateError(bad),
            "weights are 1 x 3; a separator needs at least 2 classes and 1 "
            "feature");
  bad.weights.resize(2, 0);
  EXPECT_EQ(CreateError(bad),
            "weights are 2 x 0; a separator needs at least 2 classes and 1 "
            "feature");
  bad = good;
  bad.weights(1, 2) = nan;
  EXPECT_EQ(CreateError(bad), "weights[1][2] is nan; it must be finite");
  bad = good;
  bad.biases.resize(3);
  EXPECT_EQ(CreateError(bad),
            "biases has 3 entries; it must have 2 to fit the weights");
  bad = good;
  bad.feature_mean.resize(2);
  EXPECT_EQ(CreateError(bad),
            "feature_mean has 2 entries; it must have 3 to fit the weights");
  bad = good;
  bad.feature_mean(1) = std::numeric_limits<double>::infinity();
  EXPECT_EQ(CreateError(bad), "feature_mean[1] is inf; it must be finite");
  bad = good;
  bad.feature_scale(2) = 0;
  EXPECT_EQ(CreateError(bad), "feature_scale[2] is 0; it must be positive");
}

std::string FitError(const Rows& rows, Index num_classes,
                     const SeparatorOptions& options = {}) {
  const auto separator = FitSeparator(rows.features, rows.labels, num_classes,
                                      options, NeverInterrupt);
  EXPECT_EQ(separator.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(separator.status().message());
}

TEST(FitSeparatorTest, AnInterruptEndsTheSearchForAHardMargin) {
  // Separable, but at the first cost some rows are inside the margin.
  Rows rows{RowMatrix<double>(4, 1), {0, 0, 1, 1}};
  rows.features << -100, -0.1, 0.1, 100;
  int checks = 0;
  const auto count = [&checks] {
    ++checks;
    return absl::OkStatus();
  };
  ASSERT_TRUE(FitSeparator(rows.features, rows.labels, 2, {}, count).ok());
  ASSERT_GT(checks, 1);
  for (int last = 1; last <= checks; ++last) {
    int asked = 0;
    const auto interrupt = [&asked, last] {
      return ++asked == last ? absl::CancelledError("enough")
                             : absl::OkStatus();
    };
    EXPECT_EQ(FitSeparator(rows.features, rows.labels, 2, {}, interrupt)
                  .status()
                  .code(),
              absl::StatusCode::kCancelled);
    EXPECT_EQ(asked, last);
  }
}

TEST(FitSeparatorTest, ErrorsSayWhatIsWrongWhere) {
  const Rows good = Gaussians(6, 3, 1, 0, 31);
  EXPECT_EQ(FitError(good, 1), "a separator of 1 classes; it needs at least 2");
  EXPECT_EQ(FitError({RowMatrix<double>(0, 3), {}}, 3),
            "features are 0 x 3; a separator needs at least one row and one "
            "column");
  EXPECT_EQ(FitError({RowMatrix<double>(6, 0), good.labels}, 3),
            "features are 6 x 0; a separator needs at least one row and one "
            "column");
  EXPECT_EQ(FitError(good, 4),
            "class 3 has no rows; a separator needs rows of every class");
  Rows bad = good;
  bad.labels.pop_back();
  EXPECT_EQ(FitError(bad, 3),
            "5 labels for 6 rows of features; there must be one for each row");
  bad = good;
  bad.labels[4] = 3;
  EXPECT_EQ(FitError(bad, 3), "labels[4] is 3; it must be in [0, 3)");
  bad.labels[4] = -1;
  EXPECT_EQ(FitError(bad, 3), "labels[4] is -1; it must be in [0, 3)");
  bad = good;
  bad.features(5, 1) = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(FitError(bad, 3), "features[5][1] is -inf; it must be finite");
  bad = good;
  bad.features(2, 0) = 1e300;
  EXPECT_EQ(FitError(bad, 3),
            "features are too large: their variance is not finite");
  SeparatorOptions options;
  options.cost = 0;
  EXPECT_EQ(FitError(good, 3, options),
            "cost is 0; it must be positive and finite");
}

}  // namespace
}  // namespace poe
