#include "poe/experts/fit_linear_dynamical.h"

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/linear_dense.h"

namespace poe {
namespace {

using SystemSettings = LinearDynamical<double>::Settings;
using ::testing::HasSubstr;

// A noisy point on a slowly turning circle.
SystemSettings Oscillator() {
  SystemSettings settings;
  const double angle = 0.35, damping = 0.99;
  settings.initial_mean.setZero(1, 2);
  settings.initial_mean << 1.5, 0;
  settings.initial_log_cholesky.setZero(1, 3);
  settings.initial_log_cholesky << -1, 0, -1;
  settings.transition.resize(2, 2);
  settings.transition << std::cos(angle), -std::sin(angle), std::sin(angle),
      std::cos(angle);
  settings.transition *= damping;
  settings.transition_log_cholesky.setZero(1, 3);
  settings.transition_log_cholesky << -1.5, 0, -1.5;
  settings.emission.resize(2, 2);
  settings.emission << 1, 0, 0.3, 0.8;
  settings.emission_offset.resize(1, 2);
  settings.emission_offset << 0.5, -1;
  settings.emission_log_variance.resize(1, 2);
  settings.emission_log_variance << -2.5, -2;
  return settings;
}

Observations<double> Generate(const SystemSettings& settings,
                              std::vector<Index> lengths, std::uint64_t seed) {
  const auto group = *LinearDynamical<double>::Create(settings);
  const LinearSystem& system = group->system(0);
  const Index latents = system.latents(), dimension = system.dimension();
  Observations<double> x = MakeSequences<double>(std::move(lengths), dimension);
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n) {
    Vector<double> state = system.initial_mean;
    for (Index t = 0; t < x.length(n); ++t, ++frame) {
      Vector<double> noise(latents + dimension);
      FillNormal({seed, Purpose::kTest, 0, 0},
                 static_cast<std::uint64_t>(frame),
                 absl::MakeSpan(noise.data(), noise.size()));
      if (t == 0)
        state += system.initial_factor * noise.head(latents);
      else
        state = system.transition * state +
                system.transition_factor * noise.head(latents);
      x.values.row(frame) = (system.emission * state + system.offset +
                             (system.log_variance / 2)
                                 .array()
                                 .exp()
                                 .matrix()
                                 .cwiseProduct(noise.tail(dimension)))
                                .transpose();
    }
  }
  return x;
}

double LogLikelihood(const SystemSettings& settings,
                     const Observations<double>& x,
                     const std::vector<double>& weights) {
  const auto group = *LinearDynamical<double>::Create(settings);
  auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> scores(x.size, 0);
  group->AddLogScores(*posterior, absl::MakeSpan(scores));
  double sum = 0;
  for (Index n = 0; n < x.size; ++n) sum += weights[n] * scores[n];
  return sum;
}

TEST(FitLinearDynamicalTest, LogLikelihoodNeverFalls) {
  const Observations<double> x = Generate(Oscillator(), {9, 1, 30, 4, 17}, 1);
  const std::vector<double> weights = {1, 2, 0.5, 0, 1.5};
  for (Index latents : {1, 2, 3}) {
    FitLinearDynamicalOptions options;
    options.num_latent = latents;
    options.seed = 5;
    options.tolerance = 0;
    options.max_iterations = 60;
    const auto fitted = FitLinearDynamical(x, weights, options,
                                           Workers::Inline(), NeverInterrupt);
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    // A step that falls would have ended it early.
    EXPECT_FALSE(fitted->converged);
    EXPECT_EQ(fitted->iterations, 60);
    constexpr double kFrames = 51.5;  // by weight
    EXPECT_NEAR(fitted->last_gain * kFrames,
                fitted->log_likelihoods[60] - fitted->log_likelihoods[59],
                1e-10);
    EXPECT_EQ(fitted->log_likelihoods.size(), 61u);
    for (std::size_t i = 1; i < fitted->log_likelihoods.size(); ++i)
      EXPECT_GE(fitted->log_likelihoods[i], fitted->log_likelihoods[i - 1]);
    EXPECT_EQ(fitted->log_likelihoods.back(), fitted->log_likelihood);
    EXPECT_NEAR(LogLikelihood(fitted->settings, x, weights),
                fitted->log_likelihood, 1e-8);
  }
}

TEST(FitLinearDynamicalTest, EndsOnceAnIterationGainsLittle) {
  const Observations<double> x = Generate(Oscillator(), {20, 30}, 11);
  FitLinearDynamicalOptions options;
  options.num_latent = 2;
  options.tolerance = 1000;
  const auto fitted =
      FitLinearDynamical(x, {}, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(fitted->converged);
  EXPECT_EQ(fitted->iterations, 1);
}

// The maximum lies above the truth, but no higher than chance puts it: twice
// the gain is chi-square with one degree for each of some 20 free parameters.
TEST(FitLinearDynamicalTest, RecoversTheLikelihoodOfAnOscillator) {
  const SystemSettings truth = Oscillator();
  const std::vector<Index> lengths(40, 50);
  const Observations<double> x = Generate(truth, lengths, 2);
  const std::vector<double> weights(x.size, 1);
  const double expected = LogLikelihood(truth, x, weights);
  FitLinearDynamicalOptions options;
  options.num_latent = 2;
  options.seed = 3;
  options.max_iterations = 400;
  options.tolerance = 1e-7;
  const auto fitted =
      FitLinearDynamical(x, {}, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_GT(fitted->log_likelihood, expected - 2);
  EXPECT_LT(fitted->log_likelihood, expected + 40);
  // New sequences are as likely as to the truth, nearly.
  const Observations<double> other = Generate(truth, lengths, 4);
  EXPECT_NEAR(LogLikelihood(fitted->settings, other, weights),
              LogLikelihood(truth, other, weights), 60);
}

TEST(FitLinearDynamicalTest, StartsFromGivenSettings) {
  const SystemSettings truth = Oscillator();
  const Observations<double> x = Generate(truth, std::vector<Index>(10, 30), 5);
  const std::vector<double> weights(x.size, 1);
  FitLinearDynamicalOptions options;
  options.start = truth;
  options.start->power = 0.5;
  options.max_iterations = 3;
  options.tolerance = 0;
  const auto fitted = FitLinearDynamical(x, weights, options, Workers::Inline(),
                                         NeverInterrupt);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_NEAR(fitted->log_likelihoods[0], LogLikelihood(truth, x, weights),
              1e-8);
  EXPECT_GT(fitted->log_likelihood, fitted->log_likelihoods[0]);
  EXPECT_EQ(fitted->settings.power, 0.5);
}

TEST(FitLinearDynamicalTest, WeightsCountAsCopies) {
  const Observations<double> x = Generate(Oscillator(), {12, 20}, 6);
  Observations<double> copied = MakeSequences<double>({12, 20, 20}, 2);
  copied.values.topRows(32) = x.values.topRows(32);
  copied.values.middleRows(32, 20) = x.values.middleRows(12, 20);
  FitLinearDynamicalOptions options;
  options.num_latent = 2;
  options.start = Oscillator();
  options.max_iterations = 5;
  options.tolerance = 0;
  const std::vector<double> weights = {1, 2};
  const auto weighted = FitLinearDynamical(x, weights, options,
                                           Workers::Inline(), NeverInterrupt);
  const auto plain = FitLinearDynamical(copied, {}, options, Workers::Inline(),
                                        NeverInterrupt);
  ASSERT_TRUE(weighted.ok() && plain.ok());
  EXPECT_NEAR(weighted->log_likelihood, plain->log_likelihood, 1e-8);
}

TEST(FitLinearDynamicalTest, UnitsOfTheDataDoNotMatter) {
  const Observations<double> x = Generate(Oscillator(), {40, 40, 40}, 9);
  Observations<double> small = x;
  small.values *= 1e-4;
  FitLinearDynamicalOptions options;
  options.num_latent = 2;
  options.max_iterations = 20;
  options.tolerance = 0;
  const auto plain =
      FitLinearDynamical(x, {}, options, Workers::Inline(), NeverInterrupt);
  const auto scaled =
      FitLinearDynamical(small, {}, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(plain.ok() && scaled.ok());
  // 120 frames of 2 coordinates.
  EXPECT_NEAR(scaled->log_likelihood + 240 * std::log(1e-4),
              plain->log_likelihood, 1e-3);
}

// One sequence says P_1 = 0, constant frames say R = 0 and Q = 0.
TEST(FitLinearDynamicalTest, VariancesStopAtTheirFloor) {
  Observations<double> x = MakeSequences<double>({30}, 2);
  x.values.topRows(30).col(0).setConstant(1.25);
  x.values.topRows(30).col(1).setConstant(-3);
  FitLinearDynamicalOptions options;
  options.num_latent = 2;
  options.least_variance = options.least_latent_variance = 1e-4;
  const auto fitted =
      FitLinearDynamical(x, {}, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_GE(fitted->settings.emission_log_variance.minCoeff(),
            std::log(1e-4) - 1e-12);
  const auto group = *LinearDynamical<double>::Create(fitted->settings);
  for (const RowMatrix<double>& factor :
       {group->system(0).initial_factor, group->system(0).transition_factor})
    EXPECT_GE(factor.diagonal().minCoeff(), 1e-2 * (1 - 1e-9));
}

TEST(FitLinearDynamicalTest, TheSameBitsAtAnyThreadCount) {
  const Observations<double> x =
      Generate(Oscillator(), std::vector<Index>(50, 7), 7);
  FitLinearDynamicalOptions options;
  options.num_latent = 2;
  options.max_iterations = 4;
  const auto one =
      FitLinearDynamical(x, {}, options, Workers::Inline(), NeverInterrupt);
  const auto three =
      FitLinearDynamical(x, {}, options, Workers(3), NeverInterrupt);
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(one->log_likelihoods, three->log_likelihoods);
  EXPECT_EQ(one->settings.transition, three->settings.transition);
}

TEST(FitLinearDynamicalTest, RefusesWhatMakesNoSense) {
  const Observations<double> x = Generate(Oscillator(), {3, 6}, 8);
  const auto status =
      [&](
          std::vector<double> weights,
          std::function<void(FitLinearDynamicalOptions&)> spoil = [](auto&) {
          }) {
        FitLinearDynamicalOptions options;
        options.num_latent = 2;
        spoil(options);
        return FitLinearDynamical(x, weights, options, Workers::Inline(),
                                  NeverInterrupt)
            .status();
      };
  using absl::StatusCode;
  EXPECT_TRUE(status({1, 1}).ok());
  EXPECT_EQ(status({1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status({1, -1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status({}, [](auto& o) { o.num_latent = 0; }).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(status({}, [](auto& o) { o.least_variance = 0; }).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(status({}, [](auto& o) { o.max_iterations = 0; }).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(status({}, [](auto& o) { o.tolerance = -1; }).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      status({}, [](auto& o) { o.start = RandomSystems<double>(1, 2, 3); })
          .code(),
      StatusCode::kInvalidArgument);
}

TEST(FitLinearDynamicalTest, SaysWhereThereIsTooLittleToFit) {
  const auto fit = [](const Observations<double>& x,
                      std::vector<double> weights) {
    FitLinearDynamicalOptions options;
    options.num_latent = 2;
    return FitLinearDynamical(x, weights, options, Workers::Inline(),
                              NeverInterrupt)
        .status();
  };
  const Observations<double> x = Generate(Oscillator(), {2, 10}, 9);
  const absl::Status few = fit(x, {1, 0});
  EXPECT_EQ(few.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(few.message(), HasSubstr("2 frames and 1 transitions"));
  EXPECT_EQ(fit(x, {0, 0}).code(), absl::StatusCode::kFailedPrecondition);
  // Frames enough, but none follows another.
  EXPECT_EQ(
      fit(Generate(Oscillator(), std::vector<Index>(20, 1), 10), {}).code(),
      absl::StatusCode::kFailedPrecondition);
  Observations<double> far = x;
  far.values *= 1e200;
  EXPECT_EQ(fit(far, {}).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace poe
