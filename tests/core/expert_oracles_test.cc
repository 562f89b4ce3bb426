#include "tests/core/expert_oracles.h"

#include <cmath>
#include <cstring>
#include <map>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/exact_distribution.h"

namespace poe {
namespace {

class ExpertOracles : public testing::TestWithParam<OracleKind> {
 protected:
  const OracleKind& kind() const { return GetParam(); }

  // Zero messages for observations like x.
  template <typename Scalar>
  Messages<Scalar> NoMessages(const Observations<Scalar>& x,
                              const ExpertGroup<Scalar>& group) const {
    Messages<Scalar> messages;
    messages.linear =
        RowMatrix<Scalar>::Zero(x.values.rows(), kind().dimension);
    messages.precision = messages.linear;
    messages.coupling = RowMatrix<Scalar>::Zero(
        x.values.rows(), static_cast<Index>(group.couplings().size()));
    return messages;
  }
};

// Continuous latents cannot be listed: product_oracles_test has the moments of
// what they send.
class ListedLatentsOracles : public ExpertOracles {};

// Linear dynamical systems and hidden Markov models show no states to a next
// layer, nor does a single tree.
class HiddenStatesOracles : public ExpertOracles {};

template <typename Scalar>
std::vector<double> LogScores(const ExpertGroup<Scalar>& group,
                              const Observations<Scalar>& x, Scalar beta) {
  auto posterior = group.NewPosterior();
  group.Infer(x, beta, Workers::Inline(), *posterior);
  std::vector<double> scores(x.size, 0);
  group.AddLogScores(*posterior, absl::MakeSpan(scores));
  return scores;
}

TEST_P(ExpertOracles, LogScoreMatchesSumOverLatentStates) {
  for (double power : {1.0, 0.3}) {
    for (double beta : {1.0, 0.5, 0.01}) {
      const auto group = kind().make(kind().experts, power);
      const Observations<double> x =
          kind().ragged ? kind().ragged(50, 1) : kind().rows(50, 1);
      const std::vector<double> scores = LogScores<double>(*group, x, beta);
      auto posterior = group->NewPosterior();
      group->Infer(x, beta, Workers::Inline(), *posterior);
      RowMatrix<double> each(x.size, group->num_experts());
      group->ExpertLogScores(*posterior, each);
      for (Index n = 0; n < x.size; ++n) {
        double sum = 0;
        for (Index m = 0; m < group->num_experts(); ++m) {
          const double expected = BruteForceLogScore(
              kind(), *group, m, FramesOf(x, n), power * beta);
          EXPECT_NEAR(each(n, m), expected, 1e-10 * (1 + std::abs(expected)));
          sum += expected;
        }
        EXPECT_NEAR(scores[n], sum, 1e-10 * (1 + std::abs(sum)));
      }
    }
  }
}

TEST_P(ExpertOracles, FloatAgreesWithDouble) {
  const auto group = kind().make(kind().experts, 1);
  const auto group_float = kind().make_float(kind().experts, 1);
  const Observations<double> x = kind().rows(50, 2);
  const auto expected = LogScores<double>(*group, x, 1);
  const auto scores = LogScores<float>(*group_float, Cast<float>(x), 1);
  for (Index n = 0; n < x.size; ++n)
    EXPECT_NEAR(scores[n], expected[n], 1e-4 * (1 + std::abs(expected[n])));
}

TEST_P(ExpertOracles, GradientMatchesCentralDifferences) {
  for (double beta : {1.0, 0.4}) {
    const auto group = kind().make(kind().experts, 0.8);
    const Observations<double> x =
        kind().ragged ? kind().ragged(7, 3) : kind().rows(7, 3);
    std::vector<double> weights(x.size);
    for (Index n = 0; n < x.size; ++n) weights[n] = 0.3 + 0.1 * n;
    auto posterior = group->NewPosterior();
    group->Infer(x, beta, Workers::Inline(), *posterior);
    Vector<double> gradient = Vector<double>::Zero(group->parameters().size());
    group->AddGradient(x, *posterior, weights, Workers::Inline(), gradient);
    const double scale = gradient.cwiseAbs().maxCoeff();
    for (Index p = 0; p < gradient.size(); ++p) {
      auto weighted_score = [&](double step) {
        const auto moved = group->Clone();
        moved->UpdateParameters(Workers::Inline(),
                                [&](Eigen::Ref<Vector<double>> parameters) {
                                  parameters(p) += step;
                                });
        const auto scores = LogScores<double>(*moved, x, beta);
        double sum = 0;
        for (Index n = 0; n < x.size; ++n) sum += weights[n] * scores[n];
        return sum;
      };
      // Richardson's extrapolation of two central differences.
      const double h = 1e-3;
      const double wide = (weighted_score(h) - weighted_score(-h)) / (2 * h);
      const double narrow =
          (weighted_score(h / 2) - weighted_score(-h / 2)) / h;
      const double numeric = (4 * narrow - wide) / 3;
      EXPECT_NEAR(gradient(p), numeric,
                  1e-6 * std::max(std::abs(numeric), 0.01 * scale))
          << "parameter " << p;
    }
  }
}

// The message that one expert in state z must send at x: h and Lambda such that
// log g(x', z) - log g(x, z) = h.(x' - x) - Lambda.(x'^2 - x^2) / 2.
TEST_P(ListedLatentsOracles, MessagesAreTheChangeOfTheJoint) {
  const double exponent = 0.6;
  const auto group = kind().make(1, 1);
  const Observations<double> x = kind().rows(400, 4);
  const Observations<double> other = kind().rows(400, 5);
  auto posterior = group->NewPosterior();
  group->Infer(x, exponent, Workers::Inline(), *posterior);
  Messages<double> messages = NoMessages(x, *group);
  group->AddSampledMessages(x, *posterior, {5, Purpose::kLatents, 0, 0},
                            Workers::Inline(), messages);
  for (Index n = 0; n < x.size; ++n) {
    const RowMatrix<double> from = FramesOf(x, n), to = FramesOf(other, n);
    const double change =
        ChangeOf(messages, group->couplings(), n * kind().length, from, to);
    double closest = HUGE_VAL;
    for (Index z = 0; z < kind().states; ++z) {
      const double expected = exponent * (kind().log_joint(*group, 0, z, to) -
                                          kind().log_joint(*group, 0, z, from));
      closest = std::min(closest, std::abs(change - expected));
    }
    EXPECT_LT(closest, 1e-9 * (1 + std::abs(change)));
  }
}

// A next layer sees probabilities of states, and says how messages follow from
// states: each probability must be that of the state whose message it weighs.
TEST_P(HiddenStatesOracles, HiddenProbabilitiesWeighTheMessagesOfTheirStates) {
  const double power = 0.6;
  const auto group = kind().make(1, power);
  const Index hidden = group->num_hidden();
  const Observations<double> x = kind().rows(8, 11);
  const Observations<double> other = kind().rows(8, 12);
  auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  RowMatrix<double> probabilities(x.values.rows(), hidden);
  group->HiddenProbabilities(*posterior, probabilities);
  auto change = [&](const RowMatrix<double>& states, Index n) {
    Messages<double> messages = NoMessages(x, *group);
    group->AddMessages(states, Workers::Inline(), messages);
    return ChangeOf(messages, group->couplings(), n, FramesOf(x, n),
                    FramesOf(other, n));
  };
  for (Index n = 0; n < x.size; ++n) {
    const RowMatrix<double> from = FramesOf(x, n), to = FramesOf(other, n);
    const double log_score = BruteForceLogScore(kind(), *group, 0, from, power);
    double expectation = 0;
    for (Index h = 0; h < hidden; ++h) {
      RowMatrix<double> states =
          RowMatrix<double>::Zero(x.values.rows(), hidden);
      states(n, h) = 1;
      const double of_state = change(states, n);
      double closest = HUGE_VAL, probability = 0;
      for (Index z = 0; z < kind().states; ++z) {
        const double joint = power * kind().log_joint(*group, 0, z, from);
        const double expected =
            power * kind().log_joint(*group, 0, z, to) - joint;
        if (std::abs(of_state - expected) > closest) continue;
        closest = std::abs(of_state - expected);
        probability = std::exp(joint - log_score);
      }
      EXPECT_LT(closest, 1e-9 * (1 + std::abs(of_state)));
      EXPECT_NEAR(probabilities(n, h), probability, 1e-9);
      expectation += probability * of_state;
    }
    EXPECT_NEAR(change(probabilities, n), expectation,
                1e-8 * (1 + std::abs(expectation)));
  }
}

// Frequencies over many draws against the exact posterior, in standard errors:
// 5.5 of them are passed by chance less than once in ten million.
TEST_P(ListedLatentsOracles, LatentsFollowTheirPosterior) {
  const double beta = 0.7;
  const auto group = kind().make(1, 1);
  constexpr Index kDraws = 40000;
  const Observations<double> x = Repeat(kind().rows(1, 6), 0, kDraws);
  auto posterior = group->NewPosterior();
  group->Infer(x, beta, Workers::Inline(), *posterior);
  Messages<double> messages = NoMessages(x, *group);
  group->AddSampledMessages(x, *posterior, {7, Purpose::kLatents, 0, 0},
                            Workers::Inline(), messages);
  const RowMatrix<double> row = FramesOf(x, 0);
  std::vector<double> shares;
  for (Index z = 0; z < kind().states; ++z)
    shares.push_back(
        std::exp(beta * kind().log_joint(*group, 0, z, row) -
                 BruteForceLogScore(kind(), *group, 0, row, beta)));
  // States are told apart by how the joint changes from x to some other points,
  // in one number that differs from state to state.
  constexpr Index kPoints = 5;
  const Observations<double> points = kind().rows(kPoints, 8);
  auto sum_over_points = [&](auto change_to) {
    double sum = 0;
    for (Index p = 0; p < kPoints; ++p)
      sum += std::sqrt(static_cast<double>(p + 1)) *
             change_to(FramesOf(points, p));
    return sum;
  };
  std::vector<double> changes;
  for (Index z = 0; z < kind().states; ++z)
    changes.push_back(sum_over_points([&](const RowMatrix<double>& to) {
      return beta * (kind().log_joint(*group, 0, z, to) -
                     kind().log_joint(*group, 0, z, row));
    }));
  for (std::size_t z = 0; z < changes.size(); ++z)
    for (std::size_t other = 0; other < z; ++other)
      ASSERT_GT(std::abs(changes[z] - changes[other]), 1e-6);
  std::vector<double> counts(kind().states, 0);
  const std::vector<Coupling> couplings = group->couplings();
  for (Index n = 0; n < kDraws; ++n) {
    const double change = sum_over_points([&](const RowMatrix<double>& to) {
      return ChangeOf(messages, couplings, n * kind().length, row, to);
    });
    Index best = 0;
    for (Index z = 0; z < kind().states; ++z)
      if (std::abs(change - changes[z]) < std::abs(change - changes[best]))
        best = z;
    counts[best] += 1;
  }
  for (Index z = 0; z < kind().states; ++z) {
    const double error = std::sqrt(shares[z] * (1 - shares[z]) / kDraws) + 1e-9;
    EXPECT_NEAR(counts[z] / kDraws, shares[z], 5.5 * error) << "state " << z;
  }
}

TEST_P(ExpertOracles, ExtremeRowsStayFinite) {
  const Observations<double> x = kind().extreme_rows();
  for (double power : {1.0, 1e-3}) {
    const auto group = kind().make_float(kind().experts, power);
    const Observations<float> rows = Cast<float>(x);
    auto posterior = group->NewPosterior();
    group->Infer(rows, 1, Workers::Inline(), *posterior);
    for (double score : LogScores<float>(*group, rows, 1))
      EXPECT_TRUE(std::isfinite(score));
    Messages<float> messages = NoMessages(rows, *group);
    group->AddSampledMessages(rows, *posterior, {1, Purpose::kLatents, 0, 0},
                              Workers::Inline(), messages);
    EXPECT_TRUE(messages.linear.allFinite());
    EXPECT_TRUE(messages.precision.allFinite());
    EXPECT_TRUE(messages.coupling.allFinite());
  }
}

TEST_P(ExpertOracles, RowsHaveTheSameBitsAloneAndInAnyBatch) {
  const auto group = kind().make_float(kind().experts, 0.7);
  const Observations<float> x =
      Cast<float>(kind().ragged ? kind().ragged(203, 9) : kind().rows(203, 9));
  const Workers three(3);
  const std::vector<double> all = LogScores<float>(*group, x, 1);
  auto messages_of = [&](const Observations<float>& rows,
                         const Workers& workers) {
    auto posterior = group->NewPosterior();
    group->Infer(rows, 1, workers, *posterior);
    Messages<float> messages = NoMessages(rows, *group);
    group->AddSampledMessages(rows, *posterior, {3, Purpose::kLatents, 0, 2},
                              workers, messages);
    return messages.linear;
  };
  const RowMatrix<float> all_messages = messages_of(x, three);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index size : {1, 2, 3, 5, 17, 64}) {
    for (Index begin = 0; begin + size <= x.size; begin += 31) {
      const Observations<float> part = Slice(x, begin, size);
      const std::vector<double> scores = LogScores<float>(*group, part, 1);
      const RowMatrix<float> messages = messages_of(part, Workers::Inline());
      for (Index n = 0; n < size; ++n) {
        EXPECT_EQ(std::memcmp(&scores[n], &all[begin + n], sizeof(double)), 0);
        const Index frame = starts[begin + n];
        EXPECT_EQ(
            std::memcmp(messages.row(frame - starts[begin]).data(),
                        all_messages.row(frame).data(),
                        sizeof(float) * kind().dimension * x.length(begin + n)),
            0);
      }
    }
  }
}

TEST_P(ExpertOracles, ChangingTheTemperatureIsInferringAtIt) {
  const auto group = kind().make_float(kind().experts, 0.7);
  const Observations<float> x = Cast<float>(kind().rows(60, 11));
  const auto answers = [&](const Posterior& posterior) {
    Vector<double> scores = Vector<double>::Zero(x.size);
    group->AddLogScores(posterior, absl::MakeSpan(scores.data(), x.size));
    Messages<float> messages = NoMessages(x, *group);
    group->AddSampledMessages(x, posterior, {4, Purpose::kLatents, 0, 1},
                              Workers::Inline(), messages);
    return std::make_tuple(scores, messages.linear, messages.precision,
                           messages.coupling);
  };
  auto tempered = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *tempered);
  for (float beta : {0.3f, 0.8f, 1.0f, 0.1f}) {
    auto inferred = group->NewPosterior();
    group->Infer(x, beta, Workers::Inline(), *inferred);
    group->Temper(x, beta, Workers::Inline(), *tempered);
    EXPECT_EQ(answers(*tempered), answers(*inferred)) << beta;
  }
}

TEST_P(ExpertOracles, GradientHasTheSameBitsAtAnyThreadCount) {
  const auto group = kind().make_float(kind().experts, 1);
  const Observations<float> x = Cast<float>(
      kind().ragged ? kind().ragged(100, 10) : kind().rows(100, 10));
  const std::vector<float> weights(x.size, 0.01f);
  auto gradient_with = [&](int threads) {
    const Workers workers(threads);
    auto posterior = group->NewPosterior();
    group->Infer(x, 1, workers, *posterior);
    Vector<float> gradient = Vector<float>::Zero(group->parameters().size());
    group->AddGradient(x, *posterior, weights, workers, gradient);
    return gradient;
  };
  const Vector<float> one = gradient_with(1);
  for (int threads : {2, 3, 5}) EXPECT_EQ(one, gradient_with(threads));
}

TEST_P(ExpertOracles, UpdatesHaveTheSameBitsAtAnyThreadCount) {
  constexpr Index kManyExperts = 41;
  const Observations<float> x = Cast<float>(kind().rows(9, 11));
  const std::vector<float> weights(x.size, 0.1f);
  struct Updated {
    Vector<float> parameters, units, gradient;
    RowMatrix<double> log_scores;
  };
  const auto updated_with = [&](int threads) {
    const Workers workers(threads);
    const auto group = kind().make_float(kManyExperts, 1);
    group->UpdateParameters(workers, [](Eigen::Ref<Vector<float>> parameters) {
      parameters *= 1.25f;
    });
    const auto posterior = group->NewPosterior();
    group->Infer(x, 1, Workers::Inline(), *posterior);
    Updated updated;
    updated.parameters = group->parameters();
    updated.units = Vector<float>::Ones(updated.parameters.size());
    group->StepUnits(workers, updated.units);
    updated.gradient = Vector<float>::Zero(updated.parameters.size());
    group->AddGradient(x, *posterior, weights, Workers::Inline(),
                       updated.gradient);
    updated.log_scores.resize(x.size, kManyExperts);
    group->ExpertLogScores(*posterior, updated.log_scores);
    return updated;
  };
  const Updated one = updated_with(1);
  for (int threads : {2, 3, 5}) {
    const Updated updated = updated_with(threads);
    EXPECT_EQ(one.parameters, updated.parameters);
    EXPECT_EQ(one.units, updated.units);
    EXPECT_EQ(one.gradient, updated.gradient);
    EXPECT_EQ(one.log_scores, updated.log_scores);
  }
}

std::vector<OracleKind> KindsWith(bool (*has)(const OracleKind&)) {
  std::vector<OracleKind> kinds = AllOracleKinds();
  std::erase_if(kinds, [&](const OracleKind& kind) { return !has(kind); });
  return kinds;
}

constexpr auto kNameOfKind =
    [](const testing::TestParamInfo<OracleKind>& info) {
      return info.param.name;
    };

INSTANTIATE_TEST_SUITE_P(AllKinds, ExpertOracles,
                         testing::ValuesIn(AllOracleKinds()), kNameOfKind);
INSTANTIATE_TEST_SUITE_P(
    AllKinds, ListedLatentsOracles,
    testing::ValuesIn(KindsWith([](const OracleKind& kind) {
      return kind.log_joint != nullptr;
    })),
    kNameOfKind);
INSTANTIATE_TEST_SUITE_P(
    AllKinds, HiddenStatesOracles,
    testing::ValuesIn(KindsWith([](const OracleKind& kind) {
      return kind.make(1, 1)->num_hidden() > 0;
    })),
    kNameOfKind);

}  // namespace
}  // namespace poe
