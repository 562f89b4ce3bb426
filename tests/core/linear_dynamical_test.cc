#include "poe/experts/linear_dynamical.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/linear_dense.h"

namespace poe {
namespace {

using Systems = LinearDynamical<double>;
using ::testing::HasSubstr;

std::unique_ptr<Systems> Make(const Systems::Settings& settings) {
  auto group = Systems::Create(settings);
  EXPECT_TRUE(group.ok()) << group.status();
  return *std::move(group);
}

Observations<double> Sequences(std::vector<Index> lengths, Index dimension,
                               std::uint64_t seed) {
  Observations<double> x = MakeSequences<double>(std::move(lengths), dimension);
  x.values.topRows(x.frames()) = UniformRows(x.frames(), dimension, -2, 3, seed)
                                     .values.topRows(x.frames());
  return x;
}

std::unique_ptr<Posterior> Inferred(const ExpertGroup<double>& group,
                                    const Observations<double>& x,
                                    double beta) {
  auto posterior = group.NewPosterior();
  group.Infer(x, beta, Workers::Inline(), *posterior);
  return posterior;
}

RowMatrix<double> Scores(const ExpertGroup<double>& group,
                         const Observations<double>& x, double beta) {
  RowMatrix<double> scores(x.size, group.num_experts());
  group.ExpertLogScores(*Inferred(group, x, beta), scores);
  return scores;
}

Messages<double> Sampled(const ExpertGroup<double>& group,
                         const Observations<double>& x, double beta) {
  Messages<double> messages;
  messages.linear = RowMatrix<double>::Zero(x.values.rows(), x.dimension());
  messages.precision = messages.linear;
  group.AddSampledMessages(x, *Inferred(group, x, beta),
                           {17, Purpose::kLatents, 0, 0}, Workers::Inline(),
                           messages);
  return messages;
}

Vector<double> Gradient(const ExpertGroup<double>& group,
                        const Observations<double>& x, double beta,
                        const std::vector<double>& weights) {
  Vector<double> gradient = Vector<double>::Zero(group.parameters().size());
  group.AddGradient(x, *Inferred(group, x, beta), weights, Workers::Inline(),
                    gradient);
  return gradient;
}

void ExpectDenseScores(const ExpertGroup<double>& group,
                       const Observations<double>& x, double beta) {
  const RowMatrix<double> scores = Scores(group, x, beta);
  for (Index n = 0; n < x.size; ++n)
    for (Index m = 0; m < group.num_experts(); ++m) {
      const double expected =
          DenseLogScore(DenseSystem(group, m), FramesOf(x, n), beta);
      EXPECT_NEAR(scores(n, m), expected, 1e-9 * (1 + std::abs(expected)))
          << "sequence " << n << " expert " << m;
    }
}

void ExpectGradientMatchesDifferences(const ExpertGroup<double>& group,
                                      const Observations<double>& x,
                                      double beta, double tolerance = 1e-6) {
  std::vector<double> weights(x.size);
  for (Index n = 0; n < x.size; ++n) weights[n] = 0.3 + 0.2 * n;
  const Vector<double> gradient = Gradient(group, x, beta, weights);
  const double scale = gradient.cwiseAbs().maxCoeff();
  for (Index p = 0; p < gradient.size(); ++p) {
    const auto weighted_score = [&](double step) {
      const auto moved = group.Clone();
      moved->UpdateParameters(Workers::Inline(),
                              [&](Eigen::Ref<Vector<double>> parameters) {
                                parameters(p) += step;
                              });
      return Eigen::Map<const Vector<double>>(weights.data(), x.size)
          .dot(Scores(*moved, x, beta).rowwise().sum());
    };
    const double h = 1e-3;
    const double wide = (weighted_score(h) - weighted_score(-h)) / (2 * h);
    const double narrow = (weighted_score(h / 2) - weighted_score(-h / 2)) / h;
    const double numeric = (4 * narrow - wide) / 3;
    EXPECT_NEAR(gradient(p), numeric,
                tolerance * std::max(std::abs(numeric), 0.01 * scale))
        << "parameter " << p << " beta " << beta;
  }
}

TEST(LinearDynamicalTest, CreateRefusesWhatMakesNoSense) {
  const struct {
    std::function<void(Systems::Settings&)> spoil;
    std::string text;
  } cases[] = {
      {[](auto& s) { s.initial_mean.resize(0, 2); }, "at least 1"},
      {[](auto& s) { s.initial_log_cholesky.setZero(2, 4); },
       "initial_log_cholesky is 2 x 4; it must be 2 x 3"},
      {[](auto& s) { s.transition.setZero(2, 2); },
       "transition is 2 x 2; it must be 4 x 2"},
      {[](auto& s) { s.transition_log_cholesky.setZero(1, 3); },
       "transition_log_cholesky"},
      {[](auto& s) { s.emission.setZero(6, 3); },
       "emission is 6 x 3; it must be 6 x 2"},
      {[](auto& s) { s.emission_offset.setZero(1, 3); }, "emission_offset"},
      {[](auto& s) { s.emission_log_variance.setZero(2, 1); },
       "emission_log_variance is 2 x 1; it must be 2 x 3"},
      {[](auto& s) { s.emission(1, 1) = std::nan(""); },
       "emission is not finite"},
      {[](auto& s) { s.least_log_variance = 30; }, "out of order"},
      {[](auto& s) { s.power = 0; }, "must be positive"},
      {[](auto& s) { s.power = HUGE_VAL; }, "must be positive"},
  };
  for (const auto& [spoil, text] : cases) {
    Systems::Settings settings = RandomSystems<double>(2, 2, 3);
    spoil(settings);
    const auto group = Systems::Create(settings);
    EXPECT_EQ(group.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(group.status().message(), HasSubstr(text));
  }
}

TEST(LinearDynamicalTest, VariancesKeepWithinTheirBounds) {
  Systems::Settings settings = RandomSystems<double>(1, 2, 2);
  settings.initial_log_cholesky << -100, 3, 100;
  settings.transition_log_cholesky << 100, -3, -100;
  settings.emission_log_variance << -100, 100;
  const auto group = Make(settings);
  EXPECT_EQ(RowMatrix<double>(group->block(1)),
            (RowMatrix<double>(1, 3) << -15, 3, 15).finished());
  EXPECT_EQ(RowMatrix<double>(group->block(3)),
            (RowMatrix<double>(1, 3) << 15, -3, -15).finished());
  EXPECT_EQ(RowMatrix<double>(group->block(6)),
            (RowMatrix<double>(1, 2) << -30, 30).finished());
}

TEST(LinearDynamicalTest, ScoresMatchTheDenseGaussianWhateverTheShape) {
  for (const auto& [latents, dimension] :
       {std::pair{1, 1}, std::pair{2, 5}, std::pair{4, 2}, std::pair{3, 3}}) {
    const auto group = Make(RandomSystems<double>(3, latents, dimension));
    const Observations<double> x = Sequences({3, 1, 7, 1, 5}, dimension, 1);
    for (double beta : {1.0, 0.3, 1e-4, 2.0})
      ExpectDenseScores(*group, x, beta);
  }
}

// Long enough for the covariances to settle.
TEST(LinearDynamicalTest, ScoresMatchTheDenseGaussianOverManyFrames) {
  Systems::Settings settings = RandomSystems<double>(2, 2, 1);
  settings.transition *= 0.5;
  const auto group = Make(settings);
  ExpectDenseScores(*group, Sequences({400, 90}, 1, 2), 1);
}

// An undamped quarter turn with next to no noise: covariances never settle,
// though they come back to where they were.
TEST(LinearDynamicalTest, ScoresMatchTheDenseGaussianWhereCovariancesTurn) {
  Systems::Settings settings = RandomSystems<double>(1, 2, 1);
  settings.initial_log_cholesky << 1, 0, -1;
  settings.transition << 0, -1, 1, 0;
  settings.transition_log_cholesky << -15, 0, -15;
  for (double emission : {1e-3, 1e-8}) {
    settings.emission << emission, 0;
    ExpectDenseScores(*Make(settings), Sequences({100, 7}, 1, 12), 1);
  }
}

TEST(LinearDynamicalTest, GradientMatchesDifferencesWhateverTheShape) {
  for (const auto& [latents, dimension] :
       {std::pair{1, 1}, std::pair{2, 4}, std::pair{3, 2}}) {
    const auto group = Make(RandomSystems<double>(2, latents, dimension));
    const Observations<double> x = Sequences({4, 1, 6, 2, 6, 60}, dimension, 3);
    for (double beta : {1.0, 0.4, 0.05})
      ExpectGradientMatchesDifferences(*group, x, beta);
  }
}

TEST(LinearDynamicalTest, IsExactlyNothingAtInverseTemperatureZero) {
  const auto group = Make(RandomSystems<double>(2, 2, 3));
  const Observations<double> x = Sequences({4, 1, 2}, 3, 4);
  EXPECT_TRUE((Scores(*group, x, 0).array() == 0).all());
  const Messages<double> messages = Sampled(*group, x, 0);
  EXPECT_TRUE((messages.linear.array() == 0).all());
  EXPECT_TRUE((messages.precision.array() == 0).all());
  EXPECT_LT(Gradient(*group, x, 0, {1, 1, 1}).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(LinearDynamicalTest, OneFrameOfOneLatentIsAGaussian) {
  Systems::Settings settings = RandomSystems<double>(1, 1, 1);
  const auto group = Make(settings);
  const Observations<double> x = Sequences({1}, 1, 5);
  const double c = settings.emission(0, 0);
  const double variance =
      std::exp(settings.emission_log_variance(0, 0)) +
      c * c * std::exp(2 * settings.initial_log_cholesky(0, 0));
  const double distance = x.values(0, 0) - settings.emission_offset(0, 0) -
                          c * settings.initial_mean(0, 0);
  EXPECT_NEAR(Scores(*group, x, 1)(0, 0),
              -(distance * distance / variance +
                std::log(2 * std::numbers::pi * variance)) /
                  2,
              1e-13);
}

// Mean and covariance of the messages' information over many draws against
// those of e R^-1 (C y + d) with y from the dense posterior. 5.6 standard
// errors are passed by chance once in forty million.
TEST(LinearDynamicalTest, SampledMessagesFollowTheDensePosterior) {
  constexpr Index kDraws = 60000, kLength = 3, kDimension = 2;
  for (double beta : {1.0, 0.3}) {
    const auto group = Make(RandomSystems<double>(1, 2, kDimension));
    const Observations<double> one = Sequences({kLength}, kDimension, 6);
    const Messages<double> messages =
        Sampled(*group, Repeat(one, 0, kDraws), beta);
    const DensePath path(DenseSystem(*group, 0), kLength);
    const DensePosterior posterior(path, FramesOf(one, 0), beta);
    const Eigen::VectorXd precision = beta * path.variance.cwiseInverse();
    const Eigen::MatrixXd map = precision.asDiagonal() * path.emission;
    const Eigen::VectorXd mean =
        map * posterior.mean + precision.cwiseProduct(path.offset);
    const Eigen::MatrixXd covariance =
        map * posterior.covariance * map.transpose();
    const Eigen::Map<const RowMatrix<double>> draws(
        messages.linear.data(), kDraws, kLength * kDimension);
    const Eigen::MatrixXd centred = draws.rowwise() - mean.transpose();
    const Eigen::MatrixXd found = centred.transpose() * centred / kDraws;
    for (Index i = 0; i < mean.size(); ++i) {
      EXPECT_NEAR(centred.col(i).mean(), 0,
                  5.6 * std::sqrt(covariance(i, i) / kDraws));
      EXPECT_NEAR(messages.precision(i / kDimension, i % kDimension),
                  precision(i), 1e-12);
      for (Index j = 0; j <= i; ++j)
        EXPECT_NEAR(found(i, j), covariance(i, j),
                    5.6 * std::sqrt((covariance(i, i) * covariance(j, j) +
                                     covariance(i, j) * covariance(i, j)) /
                                    kDraws))
            << i << " " << j;
    }
  }
}

TEST(LinearDynamicalTest, NearlySingularCovariancesKeepScoresAndGradients) {
  Systems::Settings settings = RandomSystems<double>(2, 2, 2);
  settings.initial_log_cholesky.row(0) << -14, 0, -14;
  settings.transition_log_cholesky.row(0) << -14, 0, -14;
  // Nearly of rank one.
  settings.initial_log_cholesky.row(1) << 0, 0.7, -14;
  settings.transition_log_cholesky.row(1) << -5, 2, -5;
  const auto group = Make(settings);
  const Observations<double> x = Sequences({5, 1, 2}, 2, 7);
  for (double beta : {1.0, 0.2}) {
    ExpectDenseScores(*group, x, beta);
    // Means differ by 1e-12 there, which leaves few digits to the gradient.
    ExpectGradientMatchesDifferences(*group, x, beta, 1e-3);
  }
}

TEST(LinearDynamicalTest, ExactEmissionsStayFinite) {
  Systems::Settings settings = RandomSystems<double>(1, 3, 2);
  settings.emission_log_variance.setConstant(-30);
  settings.initial_log_cholesky << -15, 0, -15, 0, 0, -15;
  settings.transition_log_cholesky << -15, 0, -15, 0, 0, -15;
  const auto group = Make(settings);
  const Observations<double> x = Sequences({6, 2}, 2, 8);
  EXPECT_TRUE(Scores(*group, x, 1).allFinite());
  EXPECT_TRUE(Sampled(*group, x, 1).linear.allFinite());
  EXPECT_TRUE(Gradient(*group, x, 1, {1, 1}).allFinite());
}

TEST(LinearDynamicalTest, UnseenLatentsMayGrowWithoutBound) {
  Systems::Settings settings = RandomSystems<double>(1, 2, 1);
  settings.transition << 3, 1, 0, 30;
  for (double emission : {0.0, 1e-3}) {
    settings.emission << emission, 0;
    const auto group = Make(settings);
    const Observations<double> x = Sequences({1500, 700}, 1, 9);
    EXPECT_TRUE(Scores(*group, x, 1).allFinite());
    EXPECT_TRUE(Sampled(*group, x, 1).linear.allFinite());
    EXPECT_TRUE(Gradient(*group, x, 1, {1, 1}).allFinite());
  }
}

TEST(LinearDynamicalTest, FarAwayFramesStayFinite) {
  for (double log_variance : {-30.0, 0.0, 30.0}) {
    Systems::Settings settings = RandomSystems<double>(2, 2, 3);
    settings.emission_log_variance.setConstant(log_variance);
    const auto group = Make(settings);
    for (double value : {1e8, -1e30, 1e300}) {
      Observations<double> x = Sequences({4, 1}, 3, 10);
      x.values.row(1).setConstant(value);
      EXPECT_TRUE(Scores(*group, x, 1).allFinite());
      EXPECT_TRUE(Sampled(*group, x, 1).linear.allFinite());
      EXPECT_TRUE(Gradient(*group, x, 1, {1, 1}).allFinite());
    }
  }
}

TEST(LinearDynamicalTest, SequencesOfNoWeightAddNothing) {
  const auto group = Make(RandomSystems<double>(2, 2, 2));
  const Observations<double> x = Sequences({2, 5, 3}, 2, 11);
  EXPECT_EQ(Gradient(*group, x, 1, {0, 0, 0}).cwiseAbs().maxCoeff(), 0);
  const Observations<double> middle = [&] {
    Observations<double> one = MakeSequences<double>({5}, 2);
    one.values.topRows(5) = FramesOf(x, 1);
    return one;
  }();
  EXPECT_LT(
      (Gradient(*group, x, 1, {0, 2, 0}) - Gradient(*group, middle, 1, {2}))
          .cwiseAbs()
          .maxCoeff(),
      1e-10);
}

TEST(LinearDynamicalTest, AnEmptyBatchIsNothing) {
  const auto group = Make(RandomSystems<double>(2, 2, 2));
  const Observations<double> x = MakeSequences<double>({}, 2);
  EXPECT_EQ(Scores(*group, x, 1).size(), 0);
  Sampled(*group, x, 1);
  EXPECT_EQ(Gradient(*group, x, 1, {}).cwiseAbs().maxCoeff(), 0);
}

}  // namespace
}  // namespace poe
