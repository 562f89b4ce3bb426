#include "poe/optimizer.h"

#include <atomic>
#include <cmath>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"

namespace poe {
namespace {

using ::testing::HasSubstr;
using Kind = OptimizerSettings::Kind;
using Schedule = OptimizerSettings::Schedule;

// One visible bias, from 0.
std::unique_ptr<BernoulliBase<double>> OneParameter() {
  return *BernoulliBase<double>::Create(Vector<double>::Zero(1));
}

// Where one parameter goes under a gradient for each update.
std::vector<double> Path(const OptimizerSettings& settings,
                         const std::vector<double>& gradients,
                         int updates_per_epoch = 1) {
  const auto target = OneParameter();
  Optimizer<double> optimizer(settings,
                              static_cast<std::int64_t>(gradients.size()));
  std::vector<double> path;
  for (std::size_t u = 0; u < gradients.size(); ++u) {
    optimizer.Step(
        static_cast<std::int64_t>(u), static_cast<int>(u) / updates_per_epoch,
        Vector<double>::Constant(1, gradients[u]), Workers::Inline(), *target);
    path.push_back(target->parameters()(0));
  }
  optimizer.Finish(Workers::Inline(), *target);
  path.push_back(target->parameters()(0));
  return path;
}

OptimizerSettings Plain(double rate) {
  OptimizerSettings settings;
  settings.rate = rate;
  settings.momentum = settings.early_momentum = 0;
  return settings;
}

TEST(OptimizerTest, SettingsAtFaultAreNamed) {
  auto refused = [&](auto change) {
    OptimizerSettings settings;
    change(settings);
    const absl::Status status = Validate(settings);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_TRUE(Validate(OptimizerSettings()).ok());
  EXPECT_THAT(refused([](auto& s) { s.rate = 0; }), HasSubstr(".rate"));
  EXPECT_THAT(refused([](auto& s) { s.rate = HUGE_VAL; }), HasSubstr(".rate"));
  EXPECT_THAT(refused([](auto& s) { s.final_rate_share = 1.1; }),
              HasSubstr("final_rate_share"));
  EXPECT_THAT(refused([](auto& s) { s.momentum = 1; }), HasSubstr("momentum"));
  EXPECT_THAT(refused([](auto& s) { s.early_momentum = -0.1; }),
              HasSubstr("early_momentum"));
  EXPECT_THAT(refused([](auto& s) { s.early_epochs = -1; }),
              HasSubstr("early_epochs"));
  EXPECT_THAT(refused([](auto& s) { s.second_decay = 1; }),
              HasSubstr("second_decay"));
  EXPECT_THAT(refused([](auto& s) { s.weight_decay = std::nan(""); }),
              HasSubstr("weight_decay"));
  EXPECT_THAT(refused([](auto& s) { s.average_share = 2; }),
              HasSubstr("average_share"));
  EXPECT_THAT(refused([](auto& s) { s.rate_multipliers["bias"] = 1; }),
              HasSubstr("\"bias\""));
  EXPECT_THAT(refused([](auto& s) { s.rate_multipliers["mean"] = -1; }),
              HasSubstr("mean"));
}

TEST(OptimizerTest, MomentumCarriesPastStepsOn) {
  OptimizerSettings settings = Plain(0.1);
  settings.momentum = settings.early_momentum = 0.5;
  const std::vector<double> path = Path(settings, {2, -1, 0});
  EXPECT_NEAR(path[0], 0.2, 1e-15);
  EXPECT_NEAR(path[1], 0.2 + (0.1 - 0.1), 1e-15);
  EXPECT_NEAR(path[2], 0.2, 1e-15);
}

TEST(OptimizerTest, EarlyMomentumEndsWithItsEpochs) {
  OptimizerSettings settings = Plain(1);
  settings.early_epochs = 1;
  settings.momentum = 0.5;
  const std::vector<double> path = Path(settings, {1, 1, 1, 1}, 2);
  EXPECT_NEAR(path[1], 2, 1e-15);
  EXPECT_NEAR(path[2], 2 + 1.5, 1e-15);
  EXPECT_NEAR(path[3], 2 + 1.5 + 1.75, 1e-15);
}

TEST(OptimizerTest, SchedulesFallFromTheRateToItsFinalShare) {
  OptimizerSettings settings = Plain(2);
  settings.final_rate_share = 0.1;
  auto rates = [&](Schedule schedule) {
    settings.schedule = schedule;
    std::vector<double> path = Path(settings, {1, 1, 1, 1, 1});
    path.pop_back();
    for (std::size_t i = path.size() - 1; i > 0; --i) path[i] -= path[i - 1];
    return path;
  };
  using ::testing::DoubleNear;
  using ::testing::ElementsAre;
  auto near = [](double value) { return DoubleNear(value, 1e-14); };
  EXPECT_THAT(rates(Schedule::kConstant),
              ElementsAre(near(2), near(2), near(2), near(2), near(2)));
  EXPECT_THAT(
      rates(Schedule::kLinear),
      ElementsAre(near(2), near(1.55), near(1.1), near(0.65), near(0.2)));
  const double quarter = 0.2 + 1.8 * (1 + std::sqrt(0.5)) / 2;
  EXPECT_THAT(rates(Schedule::kCosine),
              ElementsAre(near(2), near(quarter), near(1.1),
                          near(2.2 - quarter), near(0.2)));
}

TEST(OptimizerTest, AdamStepsByTheRateUnderASteadyGradient) {
  OptimizerSettings settings;
  settings.kind = Kind::kAdam;
  settings.rate = 0.1;
  // Neither the gradient's size nor a change of the first decay matters.
  settings.early_momentum = 0.3;
  settings.early_epochs = 2;
  for (double gradient : {1e-3, 5.0, -40.0}) {
    const std::vector<double> path =
        Path(settings, std::vector<double>(5, gradient));
    for (int u = 0; u < 5; ++u)
      EXPECT_NEAR(path[u], std::copysign(0.1 * (u + 1), gradient), 1e-5);
  }
}

TEST(OptimizerTest, AdamFollowsItsFormula) {
  OptimizerSettings settings;
  settings.kind = Kind::kAdam;
  settings.rate = 0.01;
  settings.momentum = 0.9;
  settings.second_decay = 0.99;
  const std::vector<double> gradients = {1, -3, 0.5, 2};
  const std::vector<double> path = Path(settings, gradients);
  double first = 0, second = 0, expected = 0;
  for (std::size_t u = 0; u < gradients.size(); ++u) {
    const double count = static_cast<double>(u + 1);
    first = 0.9 * first + 0.1 * gradients[u];
    second = 0.99 * second + 0.01 * gradients[u] * gradients[u];
    expected += 0.01 * first / (1 - std::pow(0.9, count)) /
                (std::sqrt(second / (1 - std::pow(0.99, count))) + 1e-8);
    EXPECT_NEAR(path[u], expected, 1e-13);
  }
}

TEST(OptimizerTest, FinishPutsTheAverageOfTheLastShareInPlace) {
  OptimizerSettings settings = Plain(1);
  settings.average_share = 0.5;
  // Parameters 1, 2, 3, 4: the last two are averaged.
  EXPECT_NEAR(Path(settings, {1, 1, 1, 1}).back(), 3.5, 1e-15);
  settings.average_share = 1;
  EXPECT_NEAR(Path(settings, {1, 1, 1, 1}).back(), 2.5, 1e-15);
  settings.average_share = 0;
  EXPECT_NEAR(Path(settings, {1, 1, 1, 1}).back(), 4, 1e-15);
}

TEST(OptimizerTest, OnlyWeightsDecay) {
  const auto units = *BernoulliUnits<double>::Create(
      RowMatrix<double>::Constant(2, 3, 4), Vector<double>::Constant(3, 5));
  OptimizerSettings settings = Plain(0.1);
  settings.weight_decay = 0.5;
  Optimizer<double> optimizer(settings, 1);
  optimizer.Step(0, 0, Vector<double>::Zero(9), Workers::Inline(), *units);
  EXPECT_TRUE(units->block(0).isApproxToConstant(4 - 0.1 * 0.5 * 4));
  EXPECT_TRUE(units->block(1).isApproxToConstant(5));
}

TEST(OptimizerTest, RateMultipliersGoByTheKindOfParameter) {
  const auto units = *BernoulliUnits<double>::Create(
      RowMatrix<double>::Zero(2, 3), Vector<double>::Zero(3));
  OptimizerSettings settings = Plain(0.1);
  settings.rate_multipliers = {{"weights", 0}, {"hidden_bias", 3}};
  Optimizer<double> optimizer(settings, 1);
  optimizer.Step(0, 0, Vector<double>::Ones(9), Workers::Inline(), *units);
  EXPECT_TRUE(units->block(0).isZero(0));
  EXPECT_TRUE(units->block(1).isApproxToConstant(0.3));
}

// In coordinates u = mean / deviation the step is rate times d/du.
TEST(OptimizerTest, MeansMoveInUnitsOfTheirDeviation) {
  for (Kind kind : {Kind::kMomentum, Kind::kAdam}) {
    Unigauss<double>::Settings expert;
    expert.mean = RowMatrix<double>::Zero(1, 2);
    expert.log_variance.resize(1, 2);
    expert.log_variance << 2 * std::log(0.1), 2 * std::log(10);
    expert.mixing_logit = Vector<double>::Zero(1);
    const auto unigauss = *Unigauss<double>::Create(expert);
    OptimizerSettings settings = Plain(0.5);
    settings.kind = kind;
    Optimizer<double> optimizer(settings, 1);
    optimizer.Step(0, 0, Vector<double>::Constant(5, 2), Workers::Inline(),
                   *unigauss);
    const bool adam = kind == Kind::kAdam;
    EXPECT_NEAR(unigauss->block(0)(0, 0), adam ? 0.05 : 0.01, 1e-8);
    EXPECT_NEAR(unigauss->block(0)(0, 1), adam ? 5 : 100, 1e-6);
    EXPECT_NEAR(unigauss->block(2)(0, 0), adam ? 0.5 : 1, 1e-8);
  }
}

TEST(OptimizerTest, HasTheSameBitsAtAnyThreadCount) {
  auto trained_with = [](Kind kind, int threads) {
    const auto units = *BernoulliUnits<float>::Create(
        RowMatrix<float>::Constant(300, 200, 0.1f), Vector<float>::Zero(200));
    OptimizerSettings settings;
    settings.kind = kind;
    settings.weight_decay = 0.01;
    settings.average_share = 0.5;
    const Workers workers(threads);
    Optimizer<float> optimizer(settings, 3);
    const Vector<float> gradient =
        Vector<float>::LinSpaced(300 * 200 + 200, -1, 1);
    for (int u = 0; u < 3; ++u) optimizer.Step(u, 0, gradient, workers, *units);
    optimizer.Finish(workers, *units);
    return units->parameters();
  };
  for (Kind kind : {Kind::kMomentum, Kind::kAdam}) {
    const Vector<float> one = trained_with(kind, 1);
    EXPECT_EQ(one, trained_with(kind, 2));
    EXPECT_EQ(one, trained_with(kind, 3));
  }
}

TEST(ShareParametersTest, EachIsTakenOnceAndThreadsTakeTheSameShareOfBlocks) {
  const std::vector<ParameterBlock> blocks = {
      {ParameterKind::kMean, 0, 400, 100},
      {ParameterKind::kLogVariance, 40000, 400, 100},
      {ParameterKind::kMixingLogit, 80000, 50, 7}};
  for (int threads : {1, 2, 3}) {
    std::vector<std::atomic<int>> taken(80350);
    ShareParameters(blocks, Workers(threads),
                    [&](const ParameterBlock& block, Index begin, Index end) {
                      EXPECT_GE(begin, block.offset);
                      EXPECT_LE(end, block.offset + block.size());
                      for (Index i = begin; i < end; ++i) ++taken[i];
                      if (threads == 2)
                        EXPECT_EQ(end - begin, block.size() / 2);
                    });
    for (const std::atomic<int>& times : taken) EXPECT_EQ(times, 1);
  }
}

}  // namespace
}  // namespace poe
