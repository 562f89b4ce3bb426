#include "poe/experts/fit_gaussian_mixture.h"

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using testing::HasSubstr;

Observations<double> RowsOf(const RowMatrix<double>& values) {
  Observations<double> x = MakeDense<double>(values.rows(), values.cols());
  x.values.topRows(values.rows()) = values;
  return x;
}

Observations<double> OverlappingRows(Index size) {
  RowMatrix<double> values = RandomMatrix(size, 3, 1, 51);
  for (Index n = 0; n < size; ++n) values(n, n % 3) += 1.5;
  return RowsOf(values);
}

absl::StatusOr<FittedGaussianMixture<double>> Fit(
    const Observations<double>& x, const FitGaussianMixtureOptions& options,
    absl::Span<const double> weights = {}, int threads = 1) {
  const Workers workers(threads);
  return FitGaussianMixture<double>(x, weights, options, workers,
                                    NeverInterrupt);
}

TEST(FitGaussianMixtureTest, RecoversWellSeparatedComponents) {
  const double means[3][2] = {{0, 0}, {6, 0}, {0, 8}};
  const double deviations[3][2] = {{0.5, 0.5}, {0.3, 0.9}, {0.6, 0.4}};
  const Index counts[3] = {1500, 900, 600};
  RowMatrix<double> values = RandomMatrix(3000, 2, 1, 52);
  Index n = 0;
  for (Index c = 0; c < 3; ++c)
    for (Index row = 0; row < counts[c]; ++row, ++n)
      for (Index i = 0; i < 2; ++i)
        values(n, i) = means[c][i] + deviations[c][i] * values(n, i);
  for (std::uint64_t seed : {1, 2, 3}) {
    const auto fit =
        Fit(RowsOf(values), {.num_components = 3, .seed = seed}).value();
    EXPECT_TRUE(fit.converged);
    const RowMatrix<double> shares = fit.settings.mixing_logit.array().exp();
    for (Index c = 0; c < 3; ++c) {
      Index k = 0;
      for (Index other = 1; other < 3; ++other)
        if (std::abs(shares(0, other) * 3000 - counts[c]) <
            std::abs(shares(0, k) * 3000 - counts[c]))
          k = other;
      EXPECT_NEAR(shares(0, k), counts[c] / 3000.0, 1e-6);
      const double root = std::sqrt(counts[c]);
      for (Index i = 0; i < 2; ++i) {
        EXPECT_NEAR(fit.settings.mean(k, i), means[c][i],
                    5.5 * deviations[c][i] / root);
        EXPECT_NEAR(fit.settings.log_variance(k, i),
                    2 * std::log(deviations[c][i]), 5.5 * std::sqrt(2) / root);
      }
    }
  }
}

TEST(FitGaussianMixtureTest, OneComponentHasTheMomentsOfTheRows) {
  const Observations<double> x = OverlappingRows(50);
  const auto fit = Fit(x, {}).value();
  for (Index i = 0; i < 3; ++i) {
    const auto column = x.values.col(i).head(50).array();
    EXPECT_NEAR(fit.settings.mean(0, i), column.mean(), 1e-13);
    EXPECT_NEAR(fit.settings.log_variance(0, i),
                std::log((column - column.mean()).square().mean()), 1e-12);
  }
  EXPECT_TRUE(fit.converged);
  EXPECT_EQ(fit.log_likelihoods.size(), 2u);
}

TEST(FitGaussianMixtureTest, LogLikelihoodNeverFalls) {
  const Observations<double> x = OverlappingRows(300);
  std::vector<double> weights(x.size);
  for (Index n = 0; n < x.size; ++n) weights[n] = static_cast<double>(n % 4);
  for (std::uint64_t seed : {1, 2, 3, 4, 5}) {
    const auto fit =
        Fit(x, {.num_components = 5, .tolerance = 1e-9, .seed = seed}, weights)
            .value();
    ASSERT_GT(fit.log_likelihoods.size(), 10u);
    for (std::size_t i = 1; i < fit.log_likelihoods.size(); ++i)
      EXPECT_GE(fit.log_likelihoods[i], fit.log_likelihoods[i - 1] - 1e-12);
  }
}

// One step of expectation maximization, densities and sums written out.
GaussianMixture<double>::Settings PlainStep(
    const GaussianMixture<double>::Settings& from,
    const RowMatrix<double>& values, const std::vector<double>& weights) {
  const Index components = from.mean.rows(), width = from.mean.cols();
  RowMatrix<double> shares(values.rows(), components);
  double total_weight = 0;
  for (Index n = 0; n < values.rows(); ++n) {
    for (Index k = 0; k < components; ++k) {
      shares(n, k) = std::exp(from.mixing_logit(0, k));
      for (Index i = 0; i < width; ++i) {
        const double variance = std::exp(from.log_variance(k, i));
        const double distance = values(n, i) - from.mean(k, i);
        shares(n, k) *= std::exp(-distance * distance / (2 * variance)) /
                        std::sqrt(2 * std::numbers::pi * variance);
      }
    }
    shares.row(n) *= weights[n] / shares.row(n).sum();
    total_weight += weights[n];
  }
  auto to = from;
  for (Index k = 0; k < components; ++k) {
    const double total = shares.col(k).sum();
    to.mixing_logit(0, k) = std::log(total / total_weight);
    for (Index i = 0; i < width; ++i) {
      double mean = 0, variance = 0;
      for (Index n = 0; n < values.rows(); ++n)
        mean += shares(n, k) * values(n, i) / total;
      for (Index n = 0; n < values.rows(); ++n)
        variance += shares(n, k) * std::pow(values(n, i) - mean, 2) / total;
      to.mean(k, i) = mean;
      to.log_variance(k, i) = std::log(variance);
    }
  }
  return to;
}

TEST(FitGaussianMixtureTest, AnIterationIsAStepOfExpectationMaximization) {
  const Observations<double> x = OverlappingRows(12);
  const RowMatrix<double> values = x.values.topRows(12);
  const std::vector<double> weights = {1, 2, 0.5, 1, 1, 3, 1, 0.1, 1, 2, 1, 1};
  FitGaussianMixtureOptions options = {
      .num_components = 2, .tolerance = 0, .seed = 3};
  for (int iterations : {0, 1, 4}) {
    options.max_iterations = iterations;
    const auto before = Fit(x, options, weights).value();
    options.max_iterations = iterations + 1;
    const auto after = Fit(x, options, weights).value();
    const auto expected = PlainStep(before.settings, values, weights);
    EXPECT_LT((after.settings.mean - expected.mean).cwiseAbs().maxCoeff(),
              1e-12);
    EXPECT_LT((after.settings.log_variance - expected.log_variance)
                  .cwiseAbs()
                  .maxCoeff(),
              1e-11);
    EXPECT_LT((after.settings.mixing_logit - expected.mixing_logit)
                  .cwiseAbs()
                  .maxCoeff(),
              1e-12);
  }
}

TEST(FitGaussianMixtureTest, LogLikelihoodIsTheExpertsMeanLogScore) {
  const Observations<double> x = OverlappingRows(41);
  const auto fit = Fit(x, {.num_components = 3, .max_iterations = 7}).value();
  EXPECT_EQ(fit.log_likelihoods.size(), 8u);
  EXPECT_EQ(fit.iterations, 7);
  EXPECT_EQ(fit.last_gain, fit.log_likelihoods[7] - fit.log_likelihoods[6]);
  EXPECT_FALSE(fit.converged);
  const auto expert = *GaussianMixture<double>::Create(fit.settings);
  auto posterior = expert->NewPosterior();
  expert->Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> scores(x.size, 0);
  expert->AddLogScores(*posterior, absl::MakeSpan(scores));
  double mean = 0;
  for (double score : scores) mean += score / static_cast<double>(x.size);
  EXPECT_NEAR(fit.log_likelihoods.back(), mean, 1e-12);
}

TEST(FitGaussianMixtureTest, AWeightCountsLikeCopiesOfARow) {
  const Observations<double> x = OverlappingRows(30);
  std::vector<double> weights;
  std::vector<Index> copies;
  for (Index n = 0; n < x.size; ++n) {
    weights.push_back(static_cast<double>(n % 3));
    for (Index copy = 0; copy < n % 3; ++copy) copies.push_back(n);
  }
  Observations<double> copied =
      MakeDense<double>(static_cast<Index>(copies.size()), 3);
  for (Index n = 0; n < copied.size; ++n)
    copied.values.row(n) = x.values.row(copies[n]);
  const FitGaussianMixtureOptions options = {.num_components = 3,
                                             .max_iterations = 10};
  const auto weighted = Fit(x, options, weights).value();
  const auto plain = Fit(copied, options).value();
  EXPECT_LT(
      (weighted.settings.mean - plain.settings.mean).cwiseAbs().maxCoeff(),
      1e-10);
  EXPECT_NEAR(weighted.log_likelihoods.back(), plain.log_likelihoods.back(),
              1e-11);
}

// More rows than are held at a time.
TEST(FitGaussianMixtureTest, HasTheSameBitsAtAnyThreadCount) {
  const Observations<double> x = OverlappingRows(9001);
  const FitGaussianMixtureOptions options = {.num_components = 4,
                                             .max_iterations = 3};
  const auto one = Fit(x, options).value();
  for (int threads : {2, 3}) {
    const auto many = Fit(x, options, {}, threads).value();
    EXPECT_EQ(one.settings.mean, many.settings.mean);
    EXPECT_EQ(one.settings.log_variance, many.settings.log_variance);
    EXPECT_EQ(one.log_likelihoods, many.log_likelihoods);
  }
}

TEST(FitGaussianMixtureTest, FramesOfSequencesAreRows) {
  const Observations<double> x = OverlappingRows(60);
  const FitGaussianMixtureOptions options = {.num_components = 2};
  EXPECT_EQ(Fit(x, options)->settings.mean,
            Fit(AsSequences(x, 5), options)->settings.mean);
}

TEST(FitGaussianMixtureTest, NeedsAsManyDistinctRowsAsComponents) {
  RowMatrix<double> values(6, 2);
  values << 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 1, 2;
  const Observations<double> x = RowsOf(values);
  FitGaussianMixtureOptions options = {.num_components = 4};
  auto fit = Fit(x, options);
  EXPECT_EQ(fit.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(fit.status().message(), HasSubstr("only 3 distinct rows"));
  // A row without weight does not count.
  options.num_components = 3;
  EXPECT_TRUE(Fit(x, options).ok());
  fit = Fit(x, options, {1, 1, 1, 1, 0, 1});
  EXPECT_THAT(fit.status().message(), HasSubstr("only 2 distinct rows"));
  EXPECT_EQ(Fit(MakeDense<double>(0, 2), {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(FitGaussianMixtureTest, VariancesStopAtTheFloor) {
  RowMatrix<double> values(4, 2);
  values << 1, 2, 3, 4, 1, 7, -3, 4;
  const Observations<double> x = RowsOf(values);
  auto fit = Fit(x, {.num_components = 4, .least_variance = 0.01}).value();
  EXPECT_LT(
      (fit.settings.log_variance.array() - std::log(0.01)).abs().maxCoeff(),
      1e-12);
  EXPECT_EQ(fit.settings.least_log_variance, std::log(0.01));
  EXPECT_TRUE(GaussianMixture<double>::Create(fit.settings).ok());
  // Rows that are all alike have no variance to take a share of.
  fit = Fit(RowsOf(RowMatrix<double>::Constant(9, 2, 4.5)), {}).value();
  EXPECT_DOUBLE_EQ(fit.settings.mean(0, 0), 4.5);
  EXPECT_NEAR(fit.settings.log_variance(0, 0), std::log(1e-6), 1e-12);
  EXPECT_TRUE(GaussianMixture<double>::Create(fit.settings).ok());
}

TEST(FitGaussianMixtureTest, FloatRowsGiveNearlyTheSameExpert) {
  const Observations<double> x = OverlappingRows(200);
  Observations<float> narrow = MakeDense<float>(200, 3);
  narrow.values = x.values.cast<float>();
  const FitGaussianMixtureOptions options = {.num_components = 2,
                                             .max_iterations = 5};
  const auto fit = FitGaussianMixture<float>(narrow, {}, options,
                                             Workers::Inline(), NeverInterrupt)
                       .value();
  EXPECT_TRUE(GaussianMixture<float>::Create(fit.settings).ok());
  EXPECT_LT(
      (fit.settings.mean.cast<double>() - Fit(x, options).value().settings.mean)
          .cwiseAbs()
          .maxCoeff(),
      1e-5);
}

TEST(FitGaussianMixtureTest, RefusesWhatItCannotFit) {
  const Observations<double> x = OverlappingRows(5);
  const auto refusal = [&](const FitGaussianMixtureOptions& options,
                           std::vector<double> weights = {}) {
    const auto fit = Fit(x, options, weights);
    EXPECT_EQ(fit.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(fit.status().message());
  };
  EXPECT_THAT(refusal({.num_components = 0}), HasSubstr("at least 1"));
  EXPECT_THAT(refusal({.max_iterations = -1}), HasSubstr("negative"));
  EXPECT_THAT(refusal({.tolerance = -1}), HasSubstr("negative"));
  EXPECT_THAT(refusal({.least_variance = 0}), HasSubstr("positive"));
  EXPECT_THAT(refusal({}, {1, 2}), HasSubstr("2 weights for 5 rows"));
  EXPECT_THAT(refusal({}, {1, 2, -1, 1, 1}), HasSubstr("weights[2] is -1"));
  Observations<double> bad = x;
  bad.values(3, 1) = HUGE_VAL;
  EXPECT_THAT(Fit(bad, {}).status().message(), HasSubstr("not finite"));
  bad.values(3, 1) = 1e300;
  EXPECT_EQ(Fit(bad, {.num_components = 2}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace poe
