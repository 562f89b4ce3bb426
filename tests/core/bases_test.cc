#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

template <typename Scalar>
typename GaussianBase<Scalar>::Settings OnABox(Index dimension, double lower,
                                               double upper) {
  typename GaussianBase<Scalar>::Settings settings;
  settings.lower = Vector<double>::Constant(dimension, lower);
  settings.upper = Vector<double>::Constant(dimension, upper);
  return settings;
}

// Two coordinates with a Gaussian factor on [-2, 3].
GaussianBase<double>::Settings WithFactor() {
  auto settings = OnABox<double>(2, -2, 3);
  settings.mean = Vector<double>::LinSpaced(2, -0.5, 1);
  settings.log_variance = Vector<double>::LinSpaced(2, 0.3, -0.7);
  return settings;
}

Observations<double> SomeRows(Index size, Index dimension) {
  Observations<double> x = MakeDense<double>(size, dimension);
  for (Index n = 0; n < size; ++n)
    for (Index i = 0; i < dimension; ++i)
      x.values(n, i) = std::sin(1.0 + 3.0 * n + 7.0 * i);
  return x;
}

std::vector<double> LogScores(const Base<double>& base,
                              const Observations<double>& x) {
  std::vector<double> scores(x.size, 0);
  base.AddLogScores(x, absl::MakeSpan(scores));
  return scores;
}

void ExpectGradientMatchesDifferences(const Base<double>& base,
                                      const Observations<double>& x) {
  std::vector<double> weights(x.size);
  for (Index n = 0; n < x.size; ++n) weights[n] = 0.2 + 0.1 * n;
  Vector<double> gradient = Vector<double>::Zero(base.parameters().size());
  base.AddGradient(x, weights, gradient);
  for (Index p = 0; p < gradient.size(); ++p) {
    auto weighted = [&](double step) {
      const auto moved = base.Clone();
      moved->UpdateParameters(Workers::Inline(),
                              [&](auto parameters) { parameters(p) += step; });
      const std::vector<double> scores = LogScores(*moved, x);
      double sum = 0;
      for (Index n = 0; n < x.size; ++n) sum += weights[n] * scores[n];
      return sum;
    };
    const double h = 1e-3;
    const double wide = (weighted(h) - weighted(-h)) / (2 * h);
    const double narrow = (weighted(h / 2) - weighted(-h / 2)) / h;
    const double numeric = (4 * narrow - wide) / 3;
    EXPECT_NEAR(gradient(p), numeric, 1e-6 * (0.01 + std::abs(numeric)))
        << "parameter " << p;
  }
}

// Messages that give all rows one natural parameter.
Messages<double> Constant(const Observations<double>& x, double linear,
                          double precision) {
  Messages<double> messages;
  messages.linear =
      RowMatrix<double>::Constant(x.values.rows(), x.dimension(), linear);
  messages.precision =
      RowMatrix<double>::Constant(x.values.rows(), x.dimension(), precision);
  return messages;
}

constexpr Draws kDraws = {9, Purpose::kData, 0, 4};

TEST(BernoulliBaseTest, RefusesBiasesThatAreNotFiniteOrNone) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      BernoulliBase<float>::Create(Vector<float>()).status()));
  Vector<float> bias = Vector<float>::Zero(3);
  bias(1) = std::nanf("");
  EXPECT_TRUE(
      absl::IsInvalidArgument(BernoulliBase<float>::Create(bias).status()));
}

TEST(BernoulliBaseTest, LogScoreIsTheBiasesTimesTheData) {
  const auto base =
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(3, -1, 2));
  const Observations<double> x = SomeRows(4, 3);
  const std::vector<double> scores = LogScores(*base, x);
  for (Index n = 0; n < 4; ++n)
    EXPECT_NEAR(scores[n],
                -x.values(n, 0) + 0.5 * x.values(n, 1) + 2 * x.values(n, 2),
                1e-14);
  ExpectGradientMatchesDifferences(*base, x);
}

TEST(BernoulliBaseTest, SupportIsTheUnitCube) {
  const auto base = *BernoulliBase<double>::Create(Vector<double>::Zero(2));
  EXPECT_TRUE(base->InSupport({0, 1}));
  EXPECT_TRUE(base->InSupport({0.3, 0.5}));
  EXPECT_FALSE(base->InSupport({0, 1.01}));
  EXPECT_FALSE(base->InSupport({-1e-9, 0}));
  EXPECT_FALSE(base->InSupport({0, kNan}));
}

TEST(BernoulliBaseTest, MeansAreLogisticAndDrawsFollowThem) {
  const auto base = *BernoulliBase<double>::Create(Vector<double>::Zero(3));
  constexpr Index kRows = 100000;
  Observations<double> x = MakeDense<double>(kRows, 3);
  Messages<double> messages = Constant(x, 0, 0);
  messages.linear.col(0).setConstant(-1.5);
  messages.linear.col(1).setConstant(0.4);
  messages.linear.col(2).setConstant(2);
  base->Reconstruct(messages, Reconstruction::kMean, kDraws, Workers::Inline(),
                    x);
  const Vector<double> mean = x.values.row(0).transpose();
  for (Index i = 0; i < 3; ++i)
    EXPECT_NEAR(mean(i), 1 / (1 + std::exp(-messages.linear(0, i))), 1e-14);
  base->Reconstruct(messages, Reconstruction::kSample, kDraws,
                    Workers::Inline(), x);
  EXPECT_TRUE((x.values.array() == 0 || x.values.array() == 1).all());
  // 6 standard errors.
  for (Index i = 0; i < 3; ++i)
    EXPECT_NEAR(x.values.col(i).mean(), mean(i),
                6 * std::sqrt(mean(i) * (1 - mean(i)) / kRows));
  EXPECT_NEAR(x.values.col(0).dot(x.values.col(1)) / kRows, mean(0) * mean(1),
              6 * std::sqrt(mean(0) * mean(1) / kRows));
}

TEST(BernoulliBaseTest, ChainsStartFromTheBiases) {
  const auto base =
      *BernoulliBase<double>::Create(Vector<double>::Constant(4, -0.8));
  Observations<double> x = MakeDense<double>(50000, 4);
  base->SampleStart({3, Purpose::kStart, 0, 0}, x);
  const double mean = 1 / (1 + std::exp(0.8));
  EXPECT_NEAR(x.values.mean(), mean, 6 * std::sqrt(mean * (1 - mean) / 2e5));
}

TEST(GaussianBaseTest, RefusesWrongShapesAndBounds) {
  auto refused = [](const GaussianBase<double>::Settings& settings) {
    return std::string(
        GaussianBase<double>::Create(settings).status().message());
  };
  EXPECT_THAT(refused({}), HasSubstr("no coordinates"));
  auto settings = WithFactor();
  settings.upper(1) = -2;
  EXPECT_THAT(refused(settings), HasSubstr("coordinate 1"));
  settings.upper(1) = kInfinity;
  EXPECT_THAT(refused(settings), HasSubstr("coordinate 1"));
  settings = WithFactor();
  settings.upper = Vector<double>::Ones(3);
  EXPECT_THAT(refused(settings), HasSubstr("3 upper bounds"));
  settings = WithFactor();
  settings.mean = Vector<double>::Ones(1);
  EXPECT_THAT(refused(settings), HasSubstr("1 means"));
  settings = WithFactor();
  settings.log_variance(0) = kNan;
  EXPECT_THAT(refused(settings), HasSubstr("not finite"));
}

TEST(GaussianBaseTest, LogScoreIsTheQuadraticInsideTheBox) {
  const auto settings = WithFactor();
  const auto base = *GaussianBase<double>::Create(settings);
  Observations<double> x = SomeRows(4, 2);
  x.values(3, 1) = 3.5;
  const std::vector<double> scores = LogScores(*base, x);
  for (Index n = 0; n < 3; ++n) {
    double expected = 0;
    for (Index i = 0; i < 2; ++i)
      expected -= std::pow(x.values(n, i) - settings.mean(i), 2) /
                  (2 * std::exp(settings.log_variance(i)));
    EXPECT_NEAR(scores[n], expected, 1e-13);
  }
  EXPECT_EQ(scores[3], -kInfinity);
  EXPECT_TRUE(base->InSupport({-2, 3}));
  EXPECT_FALSE(base->InSupport({-2.001, 3}));
  EXPECT_FALSE(base->InSupport({kNan, 0}));
}

TEST(GaussianBaseTest, WithoutFactorEveryPlaceInTheBoxScoresTheSame) {
  const auto base = *GaussianBase<double>::Create(OnABox<double>(2, -2, 3));
  EXPECT_EQ(base->parameters().size(), 0);
  EXPECT_THAT(LogScores(*base, SomeRows(5, 2)), Each(0.0));
}

// As when a training is resumed, or ends with its best epoch.
TEST(GaussianBaseTest, WithoutFactorAnUpdateOfNoParametersChangesNothing) {
  const auto base = *GaussianBase<double>::Create(OnABox<double>(2, -2, 3));
  const Vector<double> none;
  base->UpdateParameters(
      Workers::Inline(),
      [&](Eigen::Ref<Vector<double>> parameters) { parameters = none; });
  EXPECT_EQ(base->parameters().size(), 0);
  EXPECT_THAT(LogScores(*base, SomeRows(5, 2)), Each(0.0));
}

TEST(GaussianBaseTest, GradientMatchesFiniteDifferences) {
  const auto base = *GaussianBase<double>::Create(WithFactor());
  ExpectGradientMatchesDifferences(*base, SomeRows(6, 2));
}

TEST(GaussianBaseTest, FixedVariancesHaveNoGradient) {
  auto settings = WithFactor();
  settings.fixed_variance = true;
  const auto base = *GaussianBase<double>::Create(settings);
  Vector<double> gradient = Vector<double>::Zero(4);
  base->AddGradient(SomeRows(6, 2), std::vector<double>(6, 1), gradient);
  EXPECT_NE(gradient(0), 0);
  EXPECT_EQ(gradient(2), 0);
  EXPECT_EQ(gradient(3), 0);
}

TEST(GaussianBaseTest, LogVariancesStayWithinTheirBounds) {
  const auto base = *GaussianBase<double>::Create(WithFactor());
  base->UpdateParameters(Workers::Inline(), [](auto parameters) {
    parameters(2) = 1e9;
    parameters(3) = -1e9;
  });
  EXPECT_EQ(base->parameters()(2), GaussianBase<double>::kGreatestLogVariance);
  EXPECT_EQ(base->parameters()(3), -GaussianBase<double>::kGreatestLogVariance);
}

TEST(GaussianBaseTest, MeansMoveInUnitsOfTheDeviation) {
  const auto base = *GaussianBase<double>::Create(WithFactor());
  Vector<double> units = Vector<double>::Ones(4);
  base->StepUnits(Workers::Inline(), units);
  EXPECT_NEAR(units(0), std::exp(0.15), 1e-14);
  EXPECT_NEAR(units(1), std::exp(-0.35), 1e-14);
  EXPECT_EQ(units(2), 1);
  EXPECT_EQ(units(3), 1);
}

struct Natural {
  double information, precision;
};

// Inside, beside and 20 deviations beside the box [-2, 3]; exponential;
// uniform.
constexpr Natural kNaturals[] = {{0.5, 1},  {8, 2},   {-40, 3}, {0.2, 0.01},
                                 {-1.3, 0}, {0.7, 0}, {0, 0}};

// Moments of the density on the box by the trapezoidal rule.
std::pair<double, double> MeanAndVariance(const Natural& natural) {
  constexpr int kPoints = 200000;
  double mass = 0, first = 0, second = 0;
  const double mode =
      natural.precision > 0
          ? std::clamp(natural.information / natural.precision, -2.0, 3.0)
          : (natural.information > 0 ? 3.0 : -2.0);
  auto log_density = [&](double x) {
    return natural.information * x - natural.precision * x * x / 2;
  };
  for (int i = 0; i <= kPoints; ++i) {
    const double x = -2 + 5.0 * i / kPoints;
    const double density = std::exp(log_density(x) - log_density(mode)) *
                           (i == 0 || i == kPoints ? 0.5 : 1);
    mass += density;
    first += density * x;
    second += density * x * x;
  }
  const double mean = first / mass;
  return {mean, second / mass - mean * mean};
}

TEST(GaussianBaseTest, ReconstructsTheMeanOfWhatTheBoxCutsOff) {
  const auto base = *GaussianBase<double>::Create(OnABox<double>(1, -2, 3));
  for (const Natural& natural : kNaturals) {
    Observations<double> x = MakeDense<double>(1, 1);
    base->Reconstruct(Constant(x, natural.information, natural.precision),
                      Reconstruction::kMean, kDraws, Workers::Inline(), x);
    EXPECT_NEAR(x.values(0, 0), MeanAndVariance(natural).first, 1e-6);
  }
}

TEST(GaussianBaseTest, DrawsHaveTheMomentsOfWhatTheBoxCutsOff) {
  constexpr Index kRows = 100000;
  const auto base = *GaussianBase<double>::Create(OnABox<double>(1, -2, 3));
  for (const Natural& natural : kNaturals) {
    Observations<double> x = MakeDense<double>(kRows, 1);
    base->Reconstruct(Constant(x, natural.information, natural.precision),
                      Reconstruction::kSample, kDraws, Workers::Inline(), x);
    const auto [mean, variance] = MeanAndVariance(natural);
    EXPECT_NEAR(x.values.mean(), mean, 6 * std::sqrt(variance / kRows));
    const Vector<double> squares = (x.values.array() - mean).square().matrix();
    const double spread =
        std::sqrt((squares.array() - variance).square().mean() / kRows);
    EXPECT_NEAR(squares.mean(), variance, 6 * spread);
  }
}

TEST(GaussianBaseTest, ChainsStartFromTheFactorCutOffByTheBox) {
  const auto base = *GaussianBase<double>::Create(WithFactor());
  constexpr Index kRows = 50000;
  Observations<double> x = MakeDense<double>(kRows, 2);
  base->SampleStart({3, Purpose::kStart, 0, 0}, x);
  for (Index i = 0; i < 2; ++i) {
    const double precision = std::exp(-WithFactor().log_variance(i));
    const auto [mean, variance] =
        MeanAndVariance({WithFactor().mean(i) * precision, precision});
    EXPECT_NEAR(x.values.col(i).mean(), mean, 6 * std::sqrt(variance / kRows));
  }
}

TEST(GaussianBaseTest, DrawsRoundedToFloatNeverLeaveTheBox) {
  // Neither bound is a float, and both round outwards.
  const double lower = std::nextafter(0.1, 1.0), upper = 0.7;
  ASSERT_LT(static_cast<double>(static_cast<float>(upper)), upper);
  const auto base =
      *GaussianBase<float>::Create(OnABox<float>(1, lower, upper));
  Observations<float> x = MakeDense<float>(400, 1);
  for (float information : {-1e9f, -1e3f, 0.0f, 1e3f, 1e9f}) {
    for (float precision : {0.0f, 1.0f, 1e9f}) {
      for (const Reconstruction kind :
           {Reconstruction::kSample, Reconstruction::kMean}) {
        Messages<float> messages;
        messages.linear = RowMatrix<float>::Constant(400, 1, information);
        messages.precision = RowMatrix<float>::Constant(400, 1, precision);
        base->Reconstruct(messages, kind, kDraws, Workers::Inline(), x);
        for (Index n = 0; n < x.size; ++n)
          EXPECT_TRUE(
              base->InSupport(absl::MakeConstSpan(x.values.row(n).data(), 1)));
      }
    }
  }
}

TEST(GaussianBaseTest, ADrawDependsOnItsRowIdAlone) {
  const auto base = *GaussianBase<double>::Create(WithFactor());
  Observations<double> many = MakeDense<double>(61, 2);
  base->SampleStart(kDraws, many);
  Observations<double> one = MakeDense<double>(1, 2);
  one.row_ids[0] = 37;
  base->SampleStart(kDraws, one);
  EXPECT_EQ(one.values.row(0), many.values.row(37));
}

}  // namespace
}  // namespace poe
