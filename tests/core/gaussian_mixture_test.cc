#include "poe/experts/gaussian_mixture.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/experts/components.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using testing::HasSubstr;

constexpr double kLog2Pi = 1.8378770664093454836;

template <typename Scalar>
typename GaussianMixture<Scalar>::Settings SettingsOf(Index experts,
                                                      Index components,
                                                      Index dimension) {
  typename GaussianMixture<Scalar>::Settings settings;
  settings.mean = RandomMatrix(experts * components, dimension, 1, 41)
                      .template cast<Scalar>();
  settings.log_variance = RandomMatrix(experts * components, dimension, 0.5, 42)
                              .template cast<Scalar>();
  settings.mixing_logit =
      RandomMatrix(experts, components, 1, 43).template cast<Scalar>();
  return settings;
}

template <typename Scalar>
RowMatrix<double> ExpertLogScores(const GaussianMixture<Scalar>& group,
                                  const Observations<Scalar>& x) {
  auto posterior = group.NewPosterior();
  group.Infer(x, 1, Workers::Inline(), *posterior);
  RowMatrix<double> scores(x.size, group.num_experts());
  group.ExpertLogScores(*posterior, scores);
  return scores;
}

// Of the sum of log scores.
Vector<double> Gradient(const GaussianMixture<double>& group,
                        const Observations<double>& x, int threads) {
  const Workers workers(threads);
  auto posterior = group.NewPosterior();
  group.Infer(x, 1, workers, *posterior);
  Vector<double> gradient = Vector<double>::Zero(group.parameters().size());
  group.AddGradient(x, *posterior, std::vector<double>(x.size, 1), workers,
                    gradient);
  return gradient;
}

void ExpectRefused(const GaussianMixture<double>::Settings& settings,
                   const char* text) {
  const auto group = GaussianMixture<double>::Create(settings);
  ASSERT_FALSE(group.ok());
  EXPECT_EQ(group.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(group.status().message(), HasSubstr(text));
}

TEST(GaussianMixtureTest, RefusesParametersThatDoNotFit) {
  const auto good = SettingsOf<double>(2, 3, 4);
  ASSERT_TRUE(GaussianMixture<double>::Create(good).ok());
  auto bad = good;
  bad.mixing_logit.resize(0, 3);
  ExpectRefused(bad, "mixing logits of Gaussian mixtures are 0 x 3");
  bad = good;
  bad.mean.conservativeResize(5, 4);
  ExpectRefused(bad, "2 experts of 3 components need 6 rows");
  bad = good;
  bad.mean.resize(6, 0);
  ExpectRefused(bad, "at least 1 coordinate");
  bad = good;
  bad.log_variance.conservativeResize(6, 1);
  ExpectRefused(bad, "they must be 6 x 4");
  bad = good;
  bad.mean(5, 3) = std::numeric_limits<double>::quiet_NaN();
  ExpectRefused(bad, "not finite");
  bad = good;
  bad.mixing_logit(1, 2) = HUGE_VAL;
  ExpectRefused(bad, "not finite");
  bad = good;
  bad.least_log_variance = bad.greatest_log_variance;
  ExpectRefused(bad, "out of order");
  bad = good;
  bad.power = 0;
  ExpectRefused(bad, "must be positive");
}

TEST(GaussianMixtureTest, GradientOfManyExpertsIsThatOfEachAloneOnAnyThreads) {
  const Index experts = 21, components = 3, dimension = 5;
  const auto together = SettingsOf<double>(experts, components, dimension);
  const auto group = *GaussianMixture<double>::Create(together);
  const Observations<double> x = UniformRows(30, dimension, -2, 2, 44);
  const Vector<double> gradient = Gradient(*group, x, 1);
  EXPECT_EQ(Gradient(*group, x, 3), gradient);
  for (Index m = 0; m < experts; ++m) {
    GaussianMixture<double>::Settings own;
    own.mean = together.mean.middleRows(m * components, components);
    own.log_variance =
        together.log_variance.middleRows(m * components, components);
    own.mixing_logit = together.mixing_logit.row(m);
    const auto alone = *GaussianMixture<double>::Create(own);
    const Vector<double> expected = Gradient(*alone, x, 1);
    for (std::size_t i = 0; i < alone->blocks().size(); ++i) {
      const ParameterBlock& part = alone->blocks()[i];
      const Index begin = group->blocks()[i].offset + m * part.size();
      EXPECT_TRUE(
          gradient.segment(begin, part.size())
              .isApprox(expected.segment(part.offset, part.size()), 1e-10));
    }
  }
}

// What all experts say to rows, each for a component drawn at half the inverse
// temperature, in addition to 1.
template <typename Scalar>
Messages<Scalar> SampledMessages(const GaussianMixture<Scalar>& group,
                                 const Observations<Scalar>& x,
                                 const Draws& draws, int threads) {
  const Workers workers(threads);
  auto posterior = group.NewPosterior();
  group.Infer(x, Scalar{0.5}, workers, *posterior);
  Messages<Scalar> messages;
  messages.linear = RowMatrix<Scalar>::Ones(x.values.rows(), x.dimension());
  messages.precision = messages.linear;
  group.AddSampledMessages(x, *posterior, draws, workers, messages);
  return messages;
}

TEST(GaussianMixtureTest, MessagesAreThoseOfTheDrawnComponents) {
  // More coordinates than are summed at a time, and some left over.
  const Index experts = 21, components = 3, dimension = 41, rows = 90;
  auto settings = SettingsOf<double>(experts, components, dimension);
  settings.power = 0.7;
  const auto group = *GaussianMixture<double>::Create(settings);
  const Observations<double> x = UniformRows(rows, dimension, -2, 2, 45);
  const Draws draws = {46, Purpose::kTest, 0, 0};
  const Messages<double> messages = SampledMessages(*group, x, draws, 1);
  auto posterior = group->NewPosterior();
  group->Infer(x, 0.5, Workers::Inline(), *posterior);
  RowMatrix<double> probabilities(x.values.rows(), experts * components);
  group->HiddenProbabilities(*posterior, probabilities);
  std::vector<Index> chosen(experts);
  for (Index n = 0; n < rows; ++n) {
    DrawComponents(
        draws, x.row_ids[n], 0,
        absl::MakeConstSpan(probabilities.row(n).data(), probabilities.cols()),
        absl::MakeSpan(chosen));
    for (Index i = 0; i < dimension; ++i) {
      double information = 1, precision = 1;
      for (const Index g : chosen) {
        const double own = 0.35 * std::exp(-settings.log_variance(g, i));
        information += own * settings.mean(g, i);
        precision += own;
      }
      EXPECT_NEAR(messages.linear(n, i), information, 1e-10);
      EXPECT_NEAR(messages.precision(n, i), precision, 1e-10);
    }
  }
}

TEST(GaussianMixtureTest, MessagesHaveTheSameBitsOnAnyThreadsInAnyBatch) {
  const Index dimension = 41;
  auto settings = SettingsOf<float>(21, 4, dimension);
  settings.power = 0.7f;
  const auto group = *GaussianMixture<float>::Create(settings);
  const Draws draws = {47, Purpose::kTest, 0, 0};
  const RowMatrix<float> values =
      UniformRows(300, dimension, -2, 2, 48).values.cast<float>();
  for (const Index rows : {Index{33}, Index{90}, Index{300}}) {
    Observations<float> x = MakeDense<float>(rows, dimension);
    x.values.topRows(rows) = values.topRows(rows);
    const Messages<float> alone = SampledMessages(*group, x, draws, 1);
    for (const int threads : {2, 3, 4, 8}) {
      const Messages<float> shared = SampledMessages(*group, x, draws, threads);
      EXPECT_EQ(shared.linear, alone.linear) << threads;
      EXPECT_EQ(shared.precision, alone.precision) << threads;
    }
    Observations<float> last = MakeDense<float>(1, dimension);
    last.values.row(0) = values.row(rows - 1);
    last.row_ids[0] = x.row_ids[rows - 1];
    for (const int threads : {2, 4}) {
      const Messages<float> single =
          SampledMessages(*group, last, draws, threads);
      EXPECT_EQ(single.linear.row(0), alone.linear.row(rows - 1));
      EXPECT_EQ(single.precision.row(0), alone.precision.row(rows - 1));
    }
  }
}

TEST(GaussianMixtureTest, SpeaksToRealDataOfBothFamilies) {
  const auto group =
      *GaussianMixture<double>::Create(SettingsOf<double>(2, 3, 4));
  EXPECT_TRUE(group->Supports(Family::kGaussian));
  EXPECT_TRUE(group->Supports(Family::kStructuredGaussian));
  EXPECT_FALSE(group->Supports(Family::kBernoulli));
  EXPECT_FALSE(group->Supports(Family::kCategorical));
  EXPECT_EQ(group->num_experts(), 2);
  EXPECT_EQ(group->num_components(), 3);
  EXPECT_EQ(group->num_hidden(), 6);
}

TEST(GaussianMixtureTest, OneComponentIsAGaussianWhateverItsLogit) {
  const auto settings = SettingsOf<double>(2, 1, 3);
  const auto group = *GaussianMixture<double>::Create(settings);
  const Observations<double> x = UniformRows(20, 3, -3, 3, 1);
  const RowMatrix<double> scores = ExpertLogScores(*group, x);
  for (Index n = 0; n < x.size; ++n) {
    for (Index m = 0; m < 2; ++m) {
      double expected = 0;
      for (Index i = 0; i < 3; ++i) {
        const double s = settings.log_variance(m, i);
        const double distance = x.values(n, i) - settings.mean(m, i);
        expected -= (kLog2Pi + s + distance * distance * std::exp(-s)) / 2;
      }
      EXPECT_NEAR(scores(n, m), expected, 1e-12 * (1 + std::abs(expected)));
    }
  }
}

TEST(GaussianMixtureTest, EqualComponentsAreOne) {
  auto one = SettingsOf<double>(1, 1, 3);
  auto many = SettingsOf<double>(1, 4, 3);
  many.mean = one.mean.replicate(4, 1);
  many.log_variance = one.log_variance.replicate(4, 1);
  const Observations<double> x = UniformRows(20, 3, -3, 3, 1);
  const RowMatrix<double> difference =
      ExpertLogScores(*GaussianMixture<double>::Create(one).value(), x) -
      ExpertLogScores(*GaussianMixture<double>::Create(many).value(), x);
  EXPECT_LT(difference.cwiseAbs().maxCoeff(), 1e-12);
}

// log Z as a sum over all choices of components, each an integral of a product
// of Gaussians coordinate by coordinate.
TEST(GaussianMixtureTest, LogNormalizerIsASumOverChoicesOfComponents) {
  constexpr Index kComponents = 3, kDimension = 2;
  const auto settings = SettingsOf<double>(2, kComponents, kDimension);
  const auto base = MakeStructuredBase(kDimension);
  std::vector<double> terms;
  for (Index choice = 0; choice < kComponents * kComponents; ++choice) {
    double term = 0;
    double precision[kDimension], information[kDimension], square[kDimension];
    for (Index i = 0; i < kDimension; ++i) {
      precision[i] = std::exp(-base->block(1)(0, i));
      information[i] = precision[i] * base->block(0)(0, i);
      square[i] = information[i] * base->block(0)(0, i);
    }
    const Index chosen[] = {choice / kComponents, choice % kComponents};
    for (Index m = 0; m < 2; ++m) {
      const Index row = m * kComponents + chosen[m];
      term += settings.mixing_logit(m, chosen[m]) -
              std::log(settings.mixing_logit.row(m).array().exp().sum());
      for (Index i = 0; i < kDimension; ++i) {
        const double s = settings.log_variance(row, i);
        const double mean = settings.mean(row, i);
        precision[i] += std::exp(-s);
        information[i] += std::exp(-s) * mean;
        square[i] += std::exp(-s) * mean * mean;
        term -= (kLog2Pi + s) / 2;
      }
    }
    for (Index i = 0; i < kDimension; ++i)
      term += (kLog2Pi - std::log(precision[i]) - square[i] +
               information[i] * information[i] / precision[i]) /
              2;
    terms.push_back(term);
  }
  const Product<double> product =
      ProductOf(base->Clone(), *GaussianMixture<double>::Create(settings));
  EXPECT_NEAR(ExactDistribution(product, 1).log_normalizer(), LogSumExp(terms),
              1e-7);
}

TEST(GaussianMixtureTest, StaysFiniteFarAwayAndNearlySingular) {
  auto settings = SettingsOf<double>(2, 3, 4);
  settings.log_variance.row(1).setConstant(-1e5);
  settings.log_variance.row(2).setConstant(1e5);
  settings.mixing_logit(0, 0) = -1e5;
  const auto group = *GaussianMixture<double>::Create(settings);
  EXPECT_EQ(group->block(1)(1, 0), -30);
  EXPECT_EQ(group->block(1)(2, 0), 30);
  Observations<double> x = MakeDense<double>(6, 4);
  const double far[] = {0, 1e-30, -1e6, 1e38, -1e200, 1e308};
  for (Index n = 0; n < x.size; ++n) x.values.row(n).setConstant(far[n]);
  EXPECT_TRUE(ExpertLogScores(*group, x).allFinite());
  auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  RowMatrix<double> hidden(x.values.rows(), group->num_hidden());
  group->HiddenProbabilities(*posterior, hidden);
  for (Index n = 0; n < x.size; ++n)
    for (Index m = 0; m < 2; ++m)
      EXPECT_NEAR(hidden.row(n).segment(3 * m, 3).sum(), 1, 1e-14);
  // Beyond all others only the widest component is left.
  EXPECT_EQ(hidden(4, 2), 1);
}

TEST(GaussianMixtureTest, ZeroWeightsHaveNoGradient) {
  const auto group =
      *GaussianMixture<float>::Create(SettingsOf<float>(2, 3, 4));
  Observations<float> x = MakeDense<float>(5, 4);
  auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  const std::vector<float> weights(x.size, 0);
  Vector<float> gradient = Vector<float>::Zero(group->parameters().size());
  group->AddGradient(x, *posterior, weights, Workers::Inline(), gradient);
  EXPECT_EQ(gradient.cwiseAbs().maxCoeff(), 0);
}

TEST(GaussianMixtureTest, MeansMoveInUnitsOfTheirStandardDeviation) {
  const auto settings = SettingsOf<double>(2, 3, 4);
  const auto group = *GaussianMixture<double>::Create(settings);
  Vector<double> units = Vector<double>::Ones(group->parameters().size());
  group->StepUnits(Workers::Inline(), units);
  EXPECT_DOUBLE_EQ(units(7), std::exp(settings.log_variance(1, 3) / 2));
  EXPECT_EQ(units.tail(units.size() - 24), Vector<double>::Ones(30));
}

TEST(ComponentsTest, ProbabilitiesAndLogSumsAreThoseOfTheJoints) {
  constexpr Index kExperts = 3, kComponents = 5;
  RowMatrix<double> joints = RandomMatrix(7, kExperts * kComponents, 30, 44);
  joints(0, 0) = -1e300;
  joints.row(1).setConstant(-1e300);
  const RowMatrix<double> given = joints;
  RowMatrix<double> log_scores(7, kExperts);
  NormalizeComponents(joints, log_scores);
  for (Index n = 0; n < 7; ++n) {
    for (Index m = 0; m < kExperts; ++m) {
      const double* part = given.row(n).data() + m * kComponents;
      const double expected = LogSumExp(absl::MakeConstSpan(part, kComponents));
      EXPECT_NEAR(log_scores(n, m), expected, 1e-14 * std::abs(expected));
      for (Index k = 0; k < kComponents; ++k) {
        double odds_against = 0;
        for (Index other = 0; other < kComponents; ++other)
          odds_against += std::exp(part[other] - part[k]);
        EXPECT_NEAR(joints(n, m * kComponents + k), 1 / odds_against, 1e-14);
      }
    }
  }
}

TEST(ComponentsTest, ImpossibleComponentsAreNeverDrawn) {
  const std::vector<double> probabilities = {0, 1, 0, 0, 0, 1 - 1e-16};
  std::vector<Index> chosen(2);
  for (std::uint64_t row = 0; row < 1000; ++row) {
    DrawComponents({1, Purpose::kTest, 0, 0}, row, 0, probabilities,
                   absl::MakeSpan(chosen));
    EXPECT_EQ(chosen[0], 1);
    EXPECT_EQ(chosen[1], 5);
  }
}

}  // namespace
}  // namespace poe
