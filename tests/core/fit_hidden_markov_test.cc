#include "poe/experts/fit_hidden_markov.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using Settings = HiddenMarkov<double>::Settings;

FitHiddenMarkovOptions Steps(int iterations) {
  FitHiddenMarkovOptions options;
  options.max_iterations = iterations;
  options.tolerance = 0;
  return options;
}

FittedHiddenMarkov<double> Fit(const Observations<double>& x,
                               const std::vector<double>& weights,
                               const Settings& start,
                               const FitHiddenMarkovOptions& options) {
  auto fit = FitHiddenMarkov<double>(x, weights, start, options,
                                     Workers::Inline(), NeverInterrupt);
  EXPECT_TRUE(fit.ok()) << fit.status();
  return *std::move(fit);
}

double MeanLogLikelihood(const Settings& settings,
                         const Observations<double>& x,
                         const std::vector<double>& weights) {
  const auto group = *HiddenMarkov<double>::Create(settings);
  auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> scores(x.size, 0);
  group->AddLogScores(*posterior, absl::MakeSpan(scores));
  double sum = 0, total = 0;
  for (Index n = 0; n < x.size; ++n) {
    sum += weights[n] * scores[n];
    total += weights[n] * static_cast<double>(x.length(n));
  }
  return sum / total;
}

void ExpectLikelihoodNeverFalls(const Observations<double>& x,
                                const Settings& start) {
  std::vector<double> weights(x.size);
  for (Index n = 0; n < x.size; ++n)
    weights[n] = n % 5 == 0 ? 0 : 0.5 + 0.1 * static_cast<double>(n % 3);
  double before = -HUGE_VAL;
  for (int iterations = 0; iterations < 30; ++iterations) {
    const auto fit = Fit(x, weights, start, Steps(iterations));
    EXPECT_GE(fit.log_likelihood, before - 1e-12);
    EXPECT_NEAR(fit.log_likelihood, MeanLogLikelihood(fit.settings, x, weights),
                1e-12);
    before = fit.log_likelihood;
  }
}

TEST(FitHiddenMarkovTest, LikelihoodOfRealSequencesNeverFalls) {
  const Observations<double> x = AsRagged(UniformRows(120, 2, -3, 4, 80), 40);
  const std::vector<double> all(x.size, 1);
  ExpectLikelihoodNeverFalls(x, *RandomHiddenMarkov<double>(x, all, 4, 0, 81));
}

TEST(FitHiddenMarkovTest, LikelihoodOfSymbolsNeverFalls) {
  // The last symbol never occurs: its probability goes to the bound.
  Observations<double> x = AsRagged(SymbolRows(120, 2, 4, 82), 40);
  for (Index f = 0, frames = x.frames(); f < frames; ++f)
    if (x.values(f, 3) == 1) x.values.row(f).head(4) << 1, 0, 0, 0;
  const std::vector<double> all(x.size, 1);
  ExpectLikelihoodNeverFalls(x, *RandomHiddenMarkov<double>(x, all, 3, 4, 83));
}

// One step from given settings, by the posterior of every path.
TEST(FitHiddenMarkovTest, OneStepMatchesEnumerationOfPaths) {
  constexpr Index kStates = 2, kLength = 3;
  const Observations<double> x =
      AsSequences(UniformRows(4 * kLength, 1, -2, 2, 84), kLength);
  const std::vector<double> weights = {1, 0.5, 2, 0};
  Settings start;
  start.initial_logit = RandomMatrix(1, kStates, 1, 85);
  start.transition_logit = RandomMatrix(kStates, kStates, 1, 86);
  start.mean = RandomMatrix(kStates, 1, 1, 87);
  start.log_variance = RandomMatrix(kStates, 1, 0.3, 88);
  const RowMatrix<double> initial = LogSoftmax(start.initial_logit, kStates);
  const RowMatrix<double> transition =
      LogSoftmax(start.transition_logit, kStates);
  RowMatrix<double> first = RowMatrix<double>::Zero(1, kStates);
  RowMatrix<double> steps = RowMatrix<double>::Zero(kStates, kStates);
  RowMatrix<double> sums = RowMatrix<double>::Zero(kStates, 3);
  for (Index n = 0; n < x.size; ++n) {
    std::vector<double> joint;
    for (Index z = 0; z < 8; ++z) {
      double sum = 0;
      for (Index t = 0; t < kLength; ++t) {
        const Index k = z >> t & 1;
        const double distance = x.values(n * kLength + t, 0) - start.mean(k, 0);
        sum += t == 0 ? initial(0, k) : transition(z >> (t - 1) & 1, k);
        sum -= (distance * distance * std::exp(-start.log_variance(k, 0)) +
                start.log_variance(k, 0)) /
               2;
      }
      joint.push_back(sum);
    }
    for (Index z = 0; z < 8; ++z) {
      const double share = weights[n] * std::exp(joint[z] - LogSumExp(joint));
      first(0, z & 1) += share;
      for (Index t = 0; t < kLength; ++t) {
        const Index k = z >> t & 1;
        const double value = x.values(n * kLength + t, 0);
        if (t > 0) steps(z >> (t - 1) & 1, k) += share;
        sums.row(k) += share * Eigen::RowVector3d(1, value, value * value);
      }
    }
  }
  const Settings next = Fit(x, weights, start, Steps(1)).settings;
  for (Index k = 0; k < kStates; ++k) {
    const double mean = sums(k, 1) / sums(k, 0);
    EXPECT_NEAR(next.mean(k, 0), mean, 1e-12);
    EXPECT_NEAR(std::exp(next.log_variance(k, 0)),
                sums(k, 2) / sums(k, 0) - mean * mean, 1e-12);
    EXPECT_NEAR(std::exp(LogSoftmax(next.initial_logit, 2)(0, k)),
                first(0, k) / first.sum(), 1e-12);
    for (Index j = 0; j < kStates; ++j)
      EXPECT_NEAR(std::exp(LogSoftmax(next.transition_logit, 2)(j, k)),
                  steps(j, k) / steps.row(j).sum(), 1e-12);
  }
}

// Sequences of a chain that stays with probability 0.9 in state 0 and 0.7 in
// state 1.
std::vector<std::vector<Index>> SimplePaths(Index size, Index length) {
  std::vector<std::vector<Index>> paths;
  std::vector<double> uniform(length);
  for (Index n = 0; n < size; ++n) {
    FillUniform({89, Purpose::kTest, 0, 0}, static_cast<std::uint64_t>(n),
                absl::MakeSpan(uniform));
    std::vector<Index> path;
    for (Index t = 0; t < length; ++t) {
      const double one = t == 0 ? 0.25 : (path.back() == 0 ? 0.1 : 0.7);
      path.push_back(uniform[t] < one ? 1 : 0);
    }
    paths.push_back(path);
  }
  return paths;
}

// Estimates from 20000 frames, or 400 first ones, within 6 standard errors.
TEST(FitHiddenMarkovTest, RecoversASimpleChain) {
  constexpr Index kSize = 400, kLength = 50;
  const auto paths = SimplePaths(kSize, kLength);
  Observations<float> x =
      MakeSequences<float>(std::vector<Index>(kSize, kLength), 1);
  std::vector<double> noise(kLength);
  for (Index n = 0; n < kSize; ++n) {
    FillNormal({90, Purpose::kTest, 0, 0}, static_cast<std::uint64_t>(n),
               absl::MakeSpan(noise));
    for (Index t = 0; t < kLength; ++t)
      x.values(n * kLength + t, 0) = static_cast<float>(
          paths[n][t] == 0 ? -2 + 0.5 * noise[t] : 3 + noise[t]);
  }
  const std::vector<float> weights(kSize, 1);
  const auto start = RandomHiddenMarkov<float>(x, weights, 2, 0, 91);
  ASSERT_TRUE(start.ok());
  const Workers two(2);
  const auto fit =
      FitHiddenMarkov<float>(x, weights, *start, {}, two, NeverInterrupt);
  ASSERT_TRUE(fit.ok());
  EXPECT_TRUE(fit->converged);
  EXPECT_GT(fit->iterations, 1);
  const auto& settings = fit->settings;
  const Index low = settings.mean(0, 0) < settings.mean(1, 0) ? 0 : 1;
  EXPECT_NEAR(settings.mean(low, 0), -2, 0.03);
  EXPECT_NEAR(settings.mean(1 - low, 0), 3, 0.1);
  EXPECT_NEAR(settings.log_variance(low, 0), std::log(0.25), 0.08);
  EXPECT_NEAR(settings.log_variance(1 - low, 0), 0, 0.13);
  const RowMatrix<double> initial =
      LogSoftmax(settings.initial_logit.cast<double>(), 2);
  const RowMatrix<double> transition =
      LogSoftmax(settings.transition_logit.cast<double>(), 2);
  EXPECT_NEAR(std::exp(initial(0, 1 - low)), 0.25, 0.13);
  EXPECT_NEAR(std::exp(transition(low, low)), 0.9, 0.016);
  EXPECT_NEAR(std::exp(transition(1 - low, 1 - low)), 0.7, 0.042);
}

TEST(FitHiddenMarkovTest, RecoversSymbols) {
  constexpr Index kSize = 400, kLength = 50;
  const auto paths = SimplePaths(kSize, kLength);
  Observations<double> x =
      MakeSequences<double>(std::vector<Index>(kSize, kLength), 3);
  // State 0 says 0 or 2, state 1 says 1 or 2: 2 once in five frames.
  std::vector<double> uniform(kLength);
  for (Index n = 0; n < kSize; ++n) {
    FillUniform({92, Purpose::kTest, 0, 0}, static_cast<std::uint64_t>(n),
                absl::MakeSpan(uniform));
    for (Index t = 0; t < kLength; ++t)
      x.values(n * kLength + t, uniform[t] < 0.2 ? 2 : paths[n][t]) = 1;
  }
  const std::vector<double> weights(kSize, 1);
  const auto start = RandomHiddenMarkov<double>(x, weights, 2, 3, 93);
  ASSERT_TRUE(start.ok());
  FitHiddenMarkovOptions options;
  options.max_iterations = 500;
  options.tolerance = 1e-9;
  const auto fit = Fit(x, weights, *start, options);
  const RowMatrix<double> emission =
      LogSoftmax(fit.settings.emission_logit, 3).array().exp();
  const Index zero = emission(0, 0) > emission(0, 1) ? 0 : 1;
  EXPECT_NEAR(emission(zero, 0), 0.8, 0.03);
  EXPECT_NEAR(emission(1 - zero, 1), 0.8, 0.06);
  const RowMatrix<double> transition =
      LogSoftmax(fit.settings.transition_logit, 2).array().exp();
  EXPECT_NEAR(transition(zero, zero), 0.9, 0.025);
  EXPECT_NEAR(transition(1 - zero, 1 - zero), 0.7, 0.06);
}

TEST(FitHiddenMarkovTest, WeightsCountSequencesSeveralTimes) {
  const Observations<double> rows =
      AsSequences(UniformRows(20, 1, -3, 4, 94), 4);
  Observations<double> doubled =
      MakeSequences<double>(std::vector<Index>(6, 4), 1);
  doubled.values.topRows(20) = rows.values;
  doubled.values.bottomRows(4) = rows.values.topRows(4);
  const std::vector<double> weights = {2, 1, 1, 1, 1};
  const auto start = *RandomHiddenMarkov<double>(rows, weights, 2, 0, 95);
  const auto once = Fit(rows, weights, start, Steps(5));
  const auto twice = Fit(doubled, std::vector<double>(6, 1), start, Steps(5));
  EXPECT_NEAR(once.log_likelihood, twice.log_likelihood, 1e-12);
  EXPECT_LT((once.settings.mean - twice.settings.mean).norm(), 1e-10);
}

// A state for each frame would raise the likelihood without bound.
TEST(FitHiddenMarkovTest, VariancesStayAboveTheirShare) {
  const Observations<double> x = AsSequences(UniformRows(8, 2, -3, 4, 96), 4);
  const std::vector<double> weights = {1, 1};
  auto start = *RandomHiddenMarkov<double>(x, weights, 8, 0, 97);
  start.power = 0.25;
  FitHiddenMarkovOptions options = Steps(100);
  options.least_variance_share = 0.01;
  const auto fit = Fit(x, weights, start, options);
  for (Index i = 0; i < 2; ++i) {
    const double mean = x.values.col(i).mean();
    const double variance = (x.values.col(i).array() - mean).square().mean();
    EXPECT_NEAR(std::exp(fit.settings.log_variance.col(i).minCoeff()),
                0.01 * variance, 1e-9);
  }
  EXPECT_EQ(fit.settings.power, 0.25);
}

TEST(FitHiddenMarkovTest, ConstantDataStayFinite) {
  Observations<double> x = MakeSequences<double>({5, 1}, 1);
  x.values.topRows(6).setConstant(7);
  const std::vector<double> weights = {1, 1};
  const auto start = *RandomHiddenMarkov<double>(x, weights, 2, 0, 98);
  const auto fit = Fit(x, weights, start, Steps(5));
  EXPECT_NEAR(fit.settings.mean(0, 0), 7, 1e-9);
  EXPECT_TRUE(fit.settings.log_variance.allFinite());
}

TEST(FitHiddenMarkovTest, SaysWhatIsWrong) {
  const Observations<double> x = AsSequences(UniformRows(12, 1, -3, 4, 99), 4);
  const std::vector<double> weights = {1, 1, 1};
  const auto start = *RandomHiddenMarkov<double>(x, weights, 3, 0, 100);
  const auto code = [&](const Observations<double>& rows,
                        const std::vector<double>& counts, const Settings& from,
                        const FitHiddenMarkovOptions& options) {
    return FitHiddenMarkov<double>(rows, counts, from, options,
                                   Workers::Inline(), NeverInterrupt)
        .status()
        .code();
  };
  using enum absl::StatusCode;
  EXPECT_EQ(code(x, weights, start, {}), kOk);
  // Too few frames of positive weight.
  Observations<double> two = MakeSequences<double>({2, 4}, 1);
  EXPECT_EQ(code(two, {1, 0}, start, {}), kFailedPrecondition);
  EXPECT_EQ(RandomHiddenMarkov<double>(x, weights, 13, 0, 1).status().code(),
            kFailedPrecondition);
  Observations<double> infinite = x;
  infinite.values.topRows(12).setConstant(std::numeric_limits<double>::max());
  EXPECT_EQ(code(infinite, weights, start, {}), kFailedPrecondition);
  infinite.values(0, 0) = NAN;
  EXPECT_EQ(code(infinite, weights, start, {}), kInvalidArgument);
  EXPECT_EQ(code(x, {1, 1}, start, {}), kInvalidArgument);
  EXPECT_EQ(code(x, {1, -1, 1}, start, {}), kInvalidArgument);
  EXPECT_EQ(code(x, weights, {}, {}), kInvalidArgument);
  EXPECT_EQ(
      code(AsSequences(UniformRows(6, 2, -3, 4, 1), 2), weights, start, {}),
      kInvalidArgument);
  Settings several = start;
  several.initial_logit = RandomMatrix(2, 3, 1, 1);
  several.transition_logit = RandomMatrix(6, 3, 1, 1);
  several.mean = several.log_variance = RandomMatrix(6, 1, 1, 1);
  EXPECT_EQ(code(x, weights, several, {}), kInvalidArgument);
  FitHiddenMarkovOptions options;
  options.least_probability = 0.5;
  EXPECT_EQ(code(x, weights, start, options), kInvalidArgument);
  options = {};
  options.least_variance_share = 0;
  EXPECT_EQ(code(x, weights, start, options), kInvalidArgument);
  EXPECT_EQ(RandomHiddenMarkov<double>(x, weights, 2, 3, 1).status().code(),
            kInvalidArgument);
}

}  // namespace
}  // namespace poe
