#include "poe/gibbs.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "boost/math/special_functions/gamma.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/core_models.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr double kLeastPValue = 1e-7;

GibbsOptions Steps(int steps) {
  GibbsOptions options;
  options.seed = 50;
  options.inverse_temperatures = AnnealingSchedule(steps, 0);
  return options;
}

void RunChains(const Product<double>& product, const GibbsOptions& options,
               Observations<double>& x,
               const Workers& workers = Workers::Inline()) {
  ASSERT_TRUE(RunGibbs(product, options, workers, NeverInterrupt, x).ok());
}

TEST(AnnealingScheduleTest, RisesLinearlyToOneAndStaysThere) {
  EXPECT_THAT(AnnealingSchedule(6, 4), ElementsAre(0.25, 0.5, 0.75, 1, 1, 1));
  EXPECT_THAT(AnnealingSchedule(3, 0), Each(1.0));
  EXPECT_THAT(AnnealingSchedule(2, 4), ElementsAre(0.25, 0.5));
  EXPECT_TRUE(AnnealingSchedule(0, 0).empty());
}

TEST(GibbsTest, AStepAtInverseTemperatureZeroDrawsFromTheBase) {
  for (const OracleKind& kind :
       {BernoulliUnitsOnBinaryData(), CircularUnigauss()}) {
    const Product<double> product = ProductOf(kind);
    Observations<double> x = MakeDense<double>(20000, kind.dimension);
    x.values.topRows(x.size).setConstant(1);
    GibbsOptions options = Steps(1);
    options.inverse_temperatures = {0};
    RunChains(product, options, x);
    EXPECT_GT(ExactDistribution(product, 0).PValue(x), kLeastPValue);
  }
}

// From the base up to beta 1, slowly enough to arrive.
TEST(GibbsTest, AnnealingEndsInTheProduct) {
  for (const OracleKind& kind :
       {BernoulliUnitsOnBinaryData(), CircularUnigauss()}) {
    const Product<double> product = ProductOf(kind);
    Observations<double> x = MakeDense<double>(20000, kind.dimension);
    product.base().SampleStart({51, Purpose::kStart, 0, 0}, x);
    GibbsOptions options = Steps(0);
    options.inverse_temperatures = AnnealingSchedule(60, 30);
    RunChains(product, options, x);
    EXPECT_GT(ExactDistribution(product, 1).PValue(x), kLeastPValue);
  }
}

// Independent draws by rejection: proposed by the base, and taken with a chance
// of f over the greatest f of all states.
Observations<double> RejectionSample(const Product<double>& product,
                                     const Observations<double>& states,
                                     Index size, std::uint64_t seed) {
  const auto log_experts = [&](const Observations<double>& x) {
    return Vector<double>(
        product.ExpertLogScores(x, Workers::Inline()).rowwise().sum());
  };
  const double greatest = log_experts(states).maxCoeff();
  Observations<double> x = Repeat(states, 0, size), proposals = x;
  const Index length = x.length(0);
  Index taken = 0;
  for (std::uint32_t trial = 0; taken < size; ++trial) {
    product.base().SampleStart({seed, Purpose::kTest, 0, trial}, proposals);
    const Vector<double> scores = log_experts(proposals);
    std::vector<double> uniform(size);
    FillUniform({seed, Purpose::kTest, 1, trial}, 0, absl::MakeSpan(uniform));
    for (Index n = 0; n < size && taken < size; ++n)
      if (std::log(uniform[n]) < scores(n) - greatest)
        x.values.middleRows(length * taken++, length) =
            proposals.values.middleRows(length * n, length);
  }
  return x;
}

// How often each state occurs.
std::map<std::vector<double>, double> Counts(const Observations<double>& x) {
  std::map<std::vector<double>, double> counts;
  for (Index n = 0; n < x.size; ++n) {
    const RowMatrix<double> frames = FramesOf(x, n);
    ++counts[{frames.data(), frames.data() + frames.size()}];
  }
  return counts;
}

// The chance that two equally large samples of one distribution differ more, by
// the chi-square test of homogeneity.
double SameDistribution(const Observations<double>& x,
                        const Observations<double>& y) {
  auto of_x = Counts(x), of_y = Counts(y);
  for (const auto& [state, count] : of_y) of_x[state];
  double statistic = 0;
  for (const auto& [state, count] : of_x) {
    const double other = of_y[state];
    statistic += (count - other) * (count - other) / (count + other);
  }
  return boost::math::gamma_q((static_cast<double>(of_x.size()) - 1) / 2,
                              statistic / 2);
}

TEST(GibbsTest, ChainsEndLikeDrawsByRejection) {
  for (const OracleKind& kind :
       {BernoulliUnitsOnBinaryData(), HiddenMarkovOnSymbols()}) {
    const Product<double> product = ProductOf(kind);
    const ExactDistribution exact(product, 1, kind.length);
    const Observations<double> drawn =
        RejectionSample(product, exact.points(), 6000, 59);
    EXPECT_GT(exact.PValue(drawn), kLeastPValue);
    Observations<double> x = Repeat(exact.points(), 0, 6000);
    product.base().SampleStart({60, Purpose::kStart, 0, 0}, x);
    EXPECT_LT(SameDistribution(x, drawn), kLeastPValue);
    RunChains(product, Steps(30), x);
    EXPECT_GT(SameDistribution(x, drawn), kLeastPValue);
  }
}

TEST(GibbsTest, ClampedChainsFollowTheConditionalDistribution) {
  const OracleKind kind = BernoulliUnitsOnBinaryData();
  const Product<double> product = ProductOf(kind);
  const ExactDistribution exact(product, 1);
  constexpr Index kRows = 40000;
  Observations<double> x = MakeDense<double>(kRows, 5);
  x.values.col(1).setOnes();
  x.values.col(4).setOnes();
  std::vector<std::uint8_t>& clamped = x.clamped;
  clamped.assign(kRows * 5, 0);
  for (Index n = 0; n < kRows; ++n)
    clamped[n * 5 + 1] = clamped[n * 5 + 3] = clamped[n * 5 + 4] = 1;
  RunChains(product, Steps(60), x);
  EXPECT_TRUE((x.values.col(1).array().head(kRows) == 1).all());
  EXPECT_TRUE((x.values.col(3).array().head(kRows) == 0).all());
  EXPECT_TRUE((x.values.col(4).array().head(kRows) == 1).all());
  double mass = 0;
  std::vector<double> expected(4, 0), counts(4, 0);
  for (Index n = 0; n < exact.points().size; ++n) {
    const auto row = exact.points().values.row(n);
    if (row(1) != 1 || row(3) != 0 || row(4) != 1) continue;
    mass += exact.probabilities()[n];
    expected[static_cast<Index>(2 * row(0) + row(2))] +=
        exact.probabilities()[n];
  }
  for (Index n = 0; n < kRows; ++n)
    counts[static_cast<Index>(2 * x.values(n, 0) + x.values(n, 2))] += 1;
  for (int state = 0; state < 4; ++state) {
    const double share = expected[state] / mass;
    EXPECT_NEAR(counts[state] / kRows, share,
                6 * std::sqrt(share * (1 - share) / kRows));
  }
}

TEST(GibbsTest, ClampedValuesKeepTheirBits) {
  const OracleKind kind = UnigaussWithVariancePerCoordinate();
  const Product<double> product = ProductOf(kind);
  Observations<double> x = kind.rows(9, 52);
  const RowMatrix<double> before = x.values;
  std::vector<std::uint8_t>& clamped = x.clamped;
  clamped.resize(18);
  for (std::size_t i = 0; i < clamped.size(); ++i) clamped[i] = i % 3 == 0;
  RunChains(product, Steps(5), x);
  for (Index n = 0; n < 9; ++n)
    for (Index i = 0; i < 2; ++i)
      EXPECT_EQ(x.values(n, i) == before(n, i), clamped[2 * n + i] == 1);
}

TEST(GibbsTest, TheLastStepCanGiveMeans) {
  const Product<double> product = ProductOf(BernoulliUnitsOnBinaryData());
  Observations<double> x = BernoulliUnitsOnBinaryData().rows(20, 53);
  Observations<double> same = x;
  GibbsOptions options = Steps(3);
  options.last = Reconstruction::kMean;
  RunChains(product, options, x);
  const auto values = x.values.topRows(20).array();
  EXPECT_TRUE((values > 0 && values < 1).all());

  // The steps before were draws: two of them and a mean are the same.
  RunChains(product, Steps(2), same);
  GibbsOptions last = Steps(1);
  last.first_step = 2;
  last.last = Reconstruction::kMean;
  RunChains(product, last, same);
  EXPECT_EQ(x.values, same.values);
}

TEST(GibbsTest, AChainGoesOnWhereItStopped) {
  const Product<double> product = ProductOf(CircularUnigauss());
  Observations<double> x = CircularUnigauss().rows(20, 54);
  Observations<double> parts = x;
  RunChains(product, Steps(7), x);
  RunChains(product, Steps(3), parts);
  GibbsOptions rest = Steps(4);
  rest.first_step = 3;
  RunChains(product, rest, parts);
  EXPECT_EQ(x.values, parts.values);
}

TEST(GibbsTest, AChainHasTheSameBitsAloneAndOnAnyThreads) {
  const Workers three(3);
  for (const OracleKind& kind :
       {BernoulliUnitsOnBinaryData(), BernoulliUnitsOnRealData(),
        UnigaussWithVariancePerCoordinate()}) {
    const Product<double> product = ProductOf(kind);
    Observations<double> x = kind.rows(203, 55);
    Observations<double> one = MakeDense<double>(1, kind.dimension);
    one.values.row(0) = x.values.row(150);
    one.row_ids[0] = 150;
    Observations<double> inline_x = x;
    RunChains(product, Steps(10), x, three);
    RunChains(product, Steps(10), inline_x);
    RunChains(product, Steps(10), one);
    EXPECT_EQ(x.values, inline_x.values);
    EXPECT_EQ(one.values.row(0), x.values.row(150));
  }
}

TEST(GibbsTest, AnotherSeedGivesAnotherChain) {
  const Product<double> product = ProductOf(BernoulliUnitsOnBinaryData());
  Observations<double> x = BernoulliUnitsOnBinaryData().rows(50, 56);
  Observations<double> other = x;
  GibbsOptions options = Steps(1);
  RunChains(product, options, x);
  options.seed = 57;
  RunChains(product, options, other);
  EXPECT_NE(x.values, other.values);
}

TEST(GibbsTest, AnInterruptEndsTheWorkBeforeTheNextStep) {
  const Product<double> product = ProductOf(BernoulliUnitsOnBinaryData());
  Observations<double> x = BernoulliUnitsOnBinaryData().rows(5, 58);
  Observations<double> after_two = x;
  int asked = 0;
  const absl::Status status = RunGibbs(
      product, Steps(100), Workers::Inline(),
      [&] {
        return ++asked > 2 ? absl::CancelledError("enough") : absl::OkStatus();
      },
      x);
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(asked, 3);
  RunChains(product, Steps(2), after_two);
  EXPECT_EQ(x.values, after_two.values);
}

// Chains that are too many for a step of some milliseconds run in parts, which
// changes nothing but when the check is asked.
TEST(GibbsTest, ManyChainsRunInParts) {
  const Product<float> product = BernoulliProduct(784, 500, 2);
  Observations<float> all = MakeDense<float>(700, 784);
  product.base().SampleStart({4, Purpose::kStart, 0, 0}, all);
  const Observations<float> start = all;
  GibbsOptions options;
  options.seed = 4;
  options.inverse_temperatures = {0.5, 1};
  int asked = 0;
  ASSERT_TRUE(RunGibbs(
                  product, options, Workers::Inline(),
                  [&] {
                    ++asked;
                    return absl::OkStatus();
                  },
                  all)
                  .ok());
  EXPECT_EQ(asked, 3 * 2);
  for (Index n : {0, 340, 341, 699}) {
    Observations<float> one = MakeDense<float>(1, 784);
    one.row_ids[0] = static_cast<std::uint64_t>(n);
    one.values.row(0) = start.values.row(n);
    ASSERT_TRUE(
        RunGibbs(product, options, Workers::Inline(), NeverInterrupt, one)
            .ok());
    EXPECT_EQ(one.values.row(0), all.values.row(n)) << n;
  }
}

}  // namespace
}  // namespace poe
