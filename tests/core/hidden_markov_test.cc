#include "poe/experts/hidden_markov.h"

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/random.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using Group = HiddenMarkov<double>;
using Settings = Group::Settings;

Settings GaussianSettings(Index experts, Index states, Index dimension) {
  Settings settings;
  settings.initial_logit = RandomMatrix(experts, states, 1, 60);
  settings.transition_logit = RandomMatrix(experts * states, states, 1, 61);
  settings.mean = RandomMatrix(experts * states, dimension, 1, 62);
  settings.log_variance = RandomMatrix(experts * states, dimension, 0.5, 63);
  return settings;
}

Settings SymbolSettings(Index experts, Index states, Index columns,
                        Index symbols) {
  Settings settings = GaussianSettings(experts, states, 1);
  settings.mean.resize(0, 0);
  settings.log_variance.resize(0, 0);
  settings.emission_logit = RandomMatrix(experts * states, columns, 1, 64);
  settings.num_symbols = symbols;
  return settings;
}

std::vector<double> Scores(const Group& group, const Observations<double>& x) {
  auto posterior = group.NewPosterior();
  group.Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> scores(x.size, 0);
  group.AddLogScores(*posterior, absl::MakeSpan(scores));
  return scores;
}

Group::ExpectedCounts Counts(const Group& group,
                             const Observations<double>& x) {
  auto posterior = group.NewPosterior();
  group.Infer(x, 1, Workers::Inline(), *posterior);
  return group.Count(x, *posterior, std::vector<double>(x.size, 1),
                     Workers::Inline());
}

TEST(HiddenMarkovTest, CreateSaysWhatIsWrong) {
  const auto gaussian = [] { return GaussianSettings(2, 3, 4); };
  const auto symbols = [] { return SymbolSettings(2, 3, 8, 4); };
  struct Case {
    std::function<Settings()> make;
    std::function<void(Settings&)> spoil;
    std::string message;
  };
  const std::vector<Case> cases = {
      {gaussian, [](Settings& s) { s.initial_logit.resize(0, 3); },
       "at least one expert"},
      {gaussian, [](Settings& s) { s.transition_logit.resize(2, 3); },
       "they must be 6 x 3"},
      {gaussian, [](Settings& s) { s.mean.resize(5, 4); },
       "one for each of 6 states"},
      {gaussian, [](Settings& s) { s.log_variance.resize(6, 1); },
       "they must be 6 x 4"},
      {gaussian, [](Settings& s) { s.mean.resize(0, 0); }, "either means"},
      {gaussian, [](Settings& s) { s.emission_logit = s.mean; },
       "either means"},
      {gaussian, [](Settings& s) { s.num_symbols = 2; }, "must be 0"},
      {gaussian, [](Settings& s) { s.mean(5, 3) = NAN; }, "not finite"},
      {gaussian, [](Settings& s) { s.transition_logit(0, 0) = INFINITY; },
       "not finite"},
      {gaussian, [](Settings& s) { s.least_log_variance = 31; }, "in order"},
      {gaussian, [](Settings& s) { s.greatest_log_variance = 1e3; }, "within"},
      {gaussian, [](Settings& s) { s.power = 0; }, "must be positive"},
      {symbols, [](Settings& s) { s.num_symbols = 1; }, "at least 2 symbols"},
      {symbols, [](Settings& s) { s.num_symbols = 3; }, "a column for each"},
      {symbols, [](Settings& s) { s.emission_logit.resize(3, 8); },
       "one for each of 6 states"},
      {symbols, [](Settings& s) { s.emission_logit(0, 0) = NAN; },
       "not finite"},
  };
  for (const Case& wrong : cases) {
    Settings settings = wrong.make();
    EXPECT_TRUE(Group::Create(settings).ok());
    wrong.spoil(settings);
    const auto group = Group::Create(std::move(settings));
    ASSERT_FALSE(group.ok()) << wrong.message;
    EXPECT_EQ(group.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(group.status().message(), testing::HasSubstr(wrong.message));
  }
}

TEST(HiddenMarkovTest, SupportsTheFamilyOfItsEmissions) {
  const auto gaussian = *Group::Create(GaussianSettings(2, 3, 4));
  const auto symbols = *Group::Create(SymbolSettings(2, 3, 8, 4));
  for (const auto& [family, real] :
       {std::pair{Family::kGaussian, true},
        std::pair{Family::kStructuredGaussian, true},
        std::pair{Family::kCategorical, false}}) {
    EXPECT_EQ(gaussian->Supports(family), real);
    EXPECT_EQ(symbols->Supports(family), !real);
  }
  EXPECT_FALSE(symbols->Supports(Family::kBernoulli));
  EXPECT_EQ(symbols->dimension(), 8);
  EXPECT_EQ(symbols->num_hidden(), 0);
}

TEST(HiddenMarkovTest, OneStateIsIndependentFrames) {
  const auto group = *Group::Create(GaussianSettings(1, 1, 2));
  const Observations<double> x = AsRagged(UniformRows(30, 2, -3, 4, 65), 10);
  const std::vector<double> scores = Scores(*group, x);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    double expected = 0;
    for (Index f = starts[n]; f < starts[n + 1]; ++f)
      for (Index i = 0; i < 2; ++i) {
        const double distance = x.values(f, i) - group->block(2)(0, i);
        const double s = group->block(3)(0, i);
        expected -= (distance * distance * std::exp(-s) + s +
                     std::log(2 * std::acos(-1.0))) /
                    2;
      }
    EXPECT_NEAR(scores[n], expected, 1e-12 * (1 + std::abs(expected)));
  }
}

// With transitions too improbable for sums of probabilities, and with ordinary
// ones, against the sum over all paths.
TEST(HiddenMarkovTest, ChainsMatchEnumerationHoweverImprobableTheirSteps) {
  constexpr Index kStates = 3, kLength = 5;
  for (double scale : {1.0, 20.0, 400.0, 1e5}) {
    const RowMatrix<double> transition =
        LogSoftmax(RandomMatrix(kStates, kStates, scale, 66), kStates);
    const Vector<double> initial =
        LogSoftmax(RandomMatrix(1, kStates, scale, 67), kStates).transpose();
    for (double emission_scale : {1.0, 300.0, 1e6}) {
      const RowMatrix<double> emission =
          RandomMatrix(kLength, kStates, emission_scale, 68);
      const MarkovChain chain(initial, transition, 0.7);
      std::vector<double> weights;
      std::vector<std::vector<Index>> paths;
      for (Index z = 0; z < 243; ++z) {
        std::vector<Index> path;
        for (Index rest = z; path.size() < kLength; rest /= kStates)
          path.push_back(rest % kStates);
        double weight = 0.7 * initial(path[0]);
        for (Index t = 0; t < kLength; ++t) {
          weight += emission(t, path[t]);
          if (t > 0) weight += 0.7 * transition(path[t - 1], path[t]);
        }
        weights.push_back(weight);
        paths.push_back(path);
      }
      const double total = LogSumExp(weights);
      const FrameOrder order({kLength});
      RowMatrix<double> forward = emission.transpose();
      double score = 0;
      chain.Forward(order, forward, absl::MakeSpan(&score, 1));
      EXPECT_NEAR(score, total, 1e-13 * (10 + std::abs(total)));
      RowMatrix<double> expected_occupancy =
          RowMatrix<double>::Zero(kStates, kLength);
      RowMatrix<double> expected_transitions =
          RowMatrix<double>::Zero(kStates, kStates);
      for (std::size_t z = 0; z < paths.size(); ++z) {
        const double share = 2 * std::exp(weights[z] - total);
        for (Index t = 0; t < kLength; ++t) {
          expected_occupancy(paths[z][t], t) += share;
          if (t > 0)
            expected_transitions(paths[z][t - 1], paths[z][t]) += share;
        }
      }
      RowMatrix<double> occupancy(kStates, kLength);
      RowMatrix<double> transitions = RowMatrix<double>::Zero(kStates, kStates);
      chain.Smooth(order, forward, {2.0}, occupancy, transitions);
      const double error = 1e-13 * (100 + std::abs(total));
      EXPECT_LT((occupancy - expected_occupancy).cwiseAbs().maxCoeff(), error);
      EXPECT_LT((transitions - expected_transitions).cwiseAbs().maxCoeff(),
                error);
      // Where one path has all the weight, it is drawn.
      const std::size_t best =
          std::max_element(weights.begin(), weights.end()) - weights.begin();
      if (weights[best] - total < -1e-12) continue;
      std::vector<Index> path(kLength);
      for (double uniform : {1e-9, 0.5, 1 - 1e-9}) {
        chain.SamplePaths(order, forward, std::vector<double>(kLength, uniform),
                          absl::MakeSpan(path));
        EXPECT_EQ(path, paths[best]);
      }
    }
  }
}

// Sequences that go together, of several lengths and weights, against each
// alone, where steps are products and where they are sums of logarithms.
TEST(HiddenMarkovTest, SequencesThatGoTogetherAreAsEachAlone) {
  constexpr Index kStates = 5;
  const std::vector<Index> lengths = {7, 7, 6, 4, 4, 4, 1};
  const std::vector<double> weights = {1, -2, 0, 0.5, 3, 1, -1};
  const FrameOrder together(lengths);
  for (double scale : {1.0, 100.0}) {
    const RowMatrix<double> transition =
        LogSoftmax(RandomMatrix(kStates, kStates, scale, 70), kStates);
    const Vector<double> initial =
        LogSoftmax(RandomMatrix(1, kStates, scale, 71), kStates).transpose();
    const MarkovChain chain(initial, transition, 0.7);
    RowMatrix<double> forward =
        RandomMatrix(kStates, together.rows(), 3 * scale, 72);
    const RowMatrix<double> emission = forward;
    std::vector<double> uniforms(together.rows());
    FillUniform({73, Purpose::kTest}, 0, absl::MakeSpan(uniforms));
    std::vector<double> scores(lengths.size());
    chain.Forward(together, forward, absl::MakeSpan(scores));
    std::vector<Index> path(together.rows());
    chain.SamplePaths(together, forward, uniforms, absl::MakeSpan(path));
    RowMatrix<double> occupancy(kStates, together.rows());
    RowMatrix<double> transitions = RowMatrix<double>::Zero(kStates, kStates);
    chain.Smooth(together, forward, weights, occupancy, transitions);

    RowMatrix<double> expected = RowMatrix<double>::Zero(kStates, kStates);
    for (std::size_t n = 0; n < lengths.size(); ++n) {
      const Index length = lengths[n];
      const FrameOrder alone({length});
      RowMatrix<double> own(kStates, length);
      std::vector<double> own_uniforms(length);
      for (Index t = 0; t < length; ++t) {
        own.col(t) = emission.col(together.row(n, t));
        own_uniforms[t] = uniforms[together.row(n, t)];
      }
      double score = 0;
      chain.Forward(alone, own, absl::MakeSpan(&score, 1));
      EXPECT_EQ(score, scores[n]);
      std::vector<Index> own_path(length);
      chain.SamplePaths(alone, own, own_uniforms, absl::MakeSpan(own_path));
      RowMatrix<double> own_occupancy(kStates, length);
      chain.Smooth(alone, own, {weights[n]}, own_occupancy, expected);
      for (Index t = 0; t < length; ++t) {
        const Index frame = together.row(n, t);
        EXPECT_EQ(own_path[t], path[frame]);
        EXPECT_EQ(own_occupancy.col(t), occupancy.col(frame));
      }
    }
    EXPECT_LT((transitions - expected).cwiseAbs().maxCoeff(), 1e-12);
  }
}

// A frame so far away that only its nearest state remains tells no more about
// the others than that state does.
TEST(HiddenMarkovTest, AFarFrameDoesNotDrownTheOthers) {
  Settings settings = GaussianSettings(1, 2, 1);
  settings.mean << -1, 1;
  settings.log_variance.setConstant(0.3);
  const auto group = *Group::Create(settings);
  settings.initial_logit << -1000, 1000;
  const auto certain = *Group::Create(settings);
  Observations<double> far = MakeSequences<double>({4}, 1);
  far.values.col(0) << 1e15, 0.3, -0.2, 0.5;
  Observations<double> near = far;
  near.values(0, 0) = 1;
  const RowMatrix<double> expected = Counts(*certain, near).occupancy;
  const RowMatrix<double> found = Counts(*group, far).occupancy;
  EXPECT_LT((found - expected).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(HiddenMarkovTest, EverythingStaysFiniteAtTheBounds) {
  Settings settings = GaussianSettings(2, 3, 2);
  settings.log_variance.row(0).setConstant(-1e3);
  settings.log_variance.row(4).setConstant(1e3);
  settings.transition_logit.row(2) << 1e6, -1e6, 0;
  const auto group = *Group::Create(settings);
  EXPECT_EQ(group->block(3).minCoeff(), -30);
  EXPECT_EQ(group->block(3).maxCoeff(), 30);
  Observations<double> x = MakeSequences<double>({1, 5, 2}, 2);
  x.values.col(0) << 1e300, 0, 1e15, -1e15, 1, 2, -1e160, 1e-300;
  for (double beta : {1.0, 0.01, 0.0}) {
    auto posterior = group->NewPosterior();
    group->Infer(x, beta, Workers::Inline(), *posterior);
    RowMatrix<double> scores(3, 2);
    group->ExpertLogScores(*posterior, scores);
    EXPECT_TRUE(scores.allFinite());
    Vector<double> gradient = Vector<double>::Zero(group->parameters().size());
    group->AddGradient(x, *posterior, std::vector<double>(3, 1),
                       Workers::Inline(), gradient);
    EXPECT_TRUE(gradient.allFinite());
    if (beta == 0) {
      EXPECT_NEAR(scores(1, 0), 5 * std::log(3), 1e-12);
      EXPECT_EQ(gradient.norm(), 0);
    }
  }
}

TEST(HiddenMarkovTest, ZeroWeightsBringNoGradient) {
  const auto group = *Group::Create(SymbolSettings(2, 3, 8, 4));
  const Observations<double> x = AsRagged(SymbolRows(12, 2, 4, 69), 4);
  auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  Vector<double> gradient = Vector<double>::Zero(group->parameters().size());
  group->AddGradient(x, *posterior, std::vector<double>(4, 0),
                     Workers::Inline(), gradient);
  EXPECT_EQ(gradient.norm(), 0);
}

TEST(HiddenMarkovTest, MeansMoveInStandardDeviations) {
  const auto group = *Group::Create(GaussianSettings(2, 3, 2));
  Vector<double> units = Vector<double>::Ones(group->parameters().size());
  group->StepUnits(Workers::Inline(), units);
  const ParameterBlock& mean = group->blocks()[2];
  EXPECT_EQ(mean.kind, ParameterKind::kMean);
  EXPECT_EQ(units.head(mean.offset), Vector<double>::Ones(mean.offset));
  EXPECT_DOUBLE_EQ(units(mean.offset + 3), std::exp(group->block(3)(1, 1) / 2));
}

}  // namespace
}  // namespace poe
