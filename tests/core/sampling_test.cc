#include "poe/sampling.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

using ::testing::ElementsAre;

std::vector<SampledChains> RunChains(
    const Model& model, const SampleOptions& options,
    const RawRows* start = nullptr, bool clamp = false,
    const Workers& workers = Workers::Inline()) {
  std::vector<SampledChains> emitted;
  const absl::Status status = Sample(
      model, options, start, clamp, workers,
      [&](const SampledChains& chains) {
        emitted.push_back(chains);
        return absl::OkStatus();
      },
      NeverInterrupt);
  EXPECT_TRUE(status.ok()) << status;
  return emitted;
}

SampleOptions Options(Index chains, int steps) {
  SampleOptions options;
  options.chains = chains;
  options.steps = steps;
  options.seed = 110;
  return options;
}

std::vector<int> StepsOf(const std::vector<SampledChains>& emitted) {
  std::vector<int> steps;
  for (const SampledChains& chains : emitted) steps.push_back(chains.step);
  return steps;
}

TEST(SamplingTest, EmitsEveryThinningStepsAndTheLast) {
  const Model model = BernoulliModel(3, 2, 1);
  SampleOptions options = Options(2, 10);
  EXPECT_THAT(StepsOf(RunChains(model, options)), ElementsAre(10));
  options.thinning = 4;
  EXPECT_THAT(StepsOf(RunChains(model, options)), ElementsAre(4, 8, 10));
  options.thinning = 20;
  EXPECT_THAT(StepsOf(RunChains(model, options)), ElementsAre(10));
}

TEST(SamplingTest, TellsTheInverseTemperatureReached) {
  const Model model = BernoulliModel(3, 2, 1);
  SampleOptions options = Options(1, 6);
  options.annealing_steps = 4;
  options.thinning = 2;
  std::vector<double> betas;
  for (const SampledChains& chains : RunChains(model, options))
    betas.push_back(chains.inverse_temperature);
  EXPECT_THAT(betas, ElementsAre(0.5, 1, 1));
}

TEST(SamplingTest, ThinningAndMeansLeaveTheChainsAlone) {
  for (const Model& model : {BernoulliModel(5, 4, 1), UnigaussModel(2, 4, 1)}) {
    const SampledChains last = RunChains(model, Options(7, 12)).back();
    SampleOptions thinned = Options(7, 12);
    thinned.thinning = 5;
    EXPECT_EQ(RunChains(model, thinned).back().values, last.values);

    SampleOptions mean = Options(7, 12);
    mean.mean = true;
    const std::vector<SampledChains> whole = RunChains(model, mean);
    mean.thinning = 5;
    const std::vector<SampledChains> parts = RunChains(model, mean);
    EXPECT_EQ(parts.back().values, whole.back().values);
    EXPECT_NE(whole.back().values, last.values);
  }
}

// In three binary coordinates, frequencies against enumeration.
TEST(SamplingTest, ChainsFollowTheModel) {
  const Model model = BernoulliModel(3, 4, 2);
  RowMatrix<float> states(8, 3);
  for (Index s = 0; s < 8; ++s) states.row(s) << s / 4, s / 2 % 2, s % 2;
  const Scores scores =
      *Score(model, RowsOf(states), {}, Workers::Inline(), NeverInterrupt);
  Vector<double> shares = scores.log_scores.col(1).array().exp().matrix();
  shares /= shares.sum();
  constexpr Index kChains = 20000;
  SampleOptions options = Options(kChains, 60);
  options.annealing_steps = 20;
  options.class_index = 1;
  const RowMatrix<float> drawn = RunChains(model, options).back().values;
  Vector<double> counts = Vector<double>::Zero(8);
  for (Index n = 0; n < kChains; ++n)
    counts(static_cast<Index>(4 * drawn(n, 0) + 2 * drawn(n, 1) +
                              drawn(n, 2))) += 1;
  for (Index s = 0; s < 8; ++s)
    EXPECT_NEAR(counts(s) / kChains, shares(s),
                6 * std::sqrt(shares(s) * (1 - shares(s)) / kChains));
}

TEST(SamplingTest, RealValuesComeInRawUnitsAndInSupport) {
  const Model model = UnigaussModel(3, 5, 1);
  const RowMatrix<float> drawn =
      RunChains(model, Options(500, 5)).back().values;
  EXPECT_GT(drawn.maxCoeff(), 4);
  EXPECT_TRUE(Score(model, RowsOf(drawn), {}, Workers::Inline(), NeverInterrupt)
                  ->out_of_support.empty());
}

TEST(SamplingTest, ClampedChainsKeepTheBitsTheyStartFrom) {
  for (const Model& model : {BernoulliModel(5, 4, 1), UnigaussModel(5, 4, 1)}) {
    const RowMatrix<float> given = UniformMatrix(6, 5, 0.1f, 0.9f, 111);
    std::vector<std::uint8_t> observed(30);
    for (std::size_t i = 0; i < observed.size(); ++i) observed[i] = i % 4 != 0;
    RawRows start = RowsOf(given);
    start.observed = observed;
    for (bool mean : {false, true}) {
      SampleOptions options = Options(6, 9);
      options.thinning = 4;
      options.mean = mean;
      for (const SampledChains& chains :
           RunChains(model, options, &start, true))
        for (Index i = 0; i < 30; ++i)
          EXPECT_EQ(chains.values.data()[i] == given.data()[i],
                    observed[i] != 0);
      // Otherwise they only start there.
      EXPECT_NE(RunChains(model, options, &start).back().values(0, 1),
                given(0, 1));
    }
  }
}

TEST(SamplingTest, AChainHasTheSameBitsWhateverRunsBesideIt) {
  const Workers three(3);
  for (const Model& model : {BernoulliModel(9, 4, 1), UnigaussModel(4, 4, 1)}) {
    const RowMatrix<float> many =
        RunChains(model, Options(100, 8), nullptr, false, three).back().values;
    const RowMatrix<float> few = RunChains(model, Options(3, 8)).back().values;
    EXPECT_EQ(many.topRows(3), few);
    SampleOptions other = Options(3, 8);
    other.seed = 112;
    EXPECT_NE(RunChains(model, other).back().values, few);
  }
}

TEST(SamplingTest, StopsWithTheStatusOfEmitAndOfTheCheck) {
  const Model model = BernoulliModel(3, 2, 1);
  SampleOptions options = Options(1, 100);
  options.thinning = 10;
  int emitted = 0;
  EXPECT_TRUE(absl::IsUnavailable(Sample(
      model, options, nullptr, false, Workers::Inline(),
      [&](const SampledChains&) {
        return ++emitted == 2 ? absl::UnavailableError("nobody listens")
                              : absl::OkStatus();
      },
      NeverInterrupt)));
  EXPECT_EQ(emitted, 2);

  emitted = 0;
  int asked = 0;
  EXPECT_TRUE(absl::IsCancelled(Sample(
      model, options, nullptr, false, Workers::Inline(),
      [&](const SampledChains&) {
        ++emitted;
        return absl::OkStatus();
      },
      [&] {
        return ++asked == 35 ? absl::CancelledError("gone") : absl::OkStatus();
      })));
  EXPECT_EQ(emitted, 3);
  EXPECT_EQ(asked, 35);
}

}  // namespace
}  // namespace poe
