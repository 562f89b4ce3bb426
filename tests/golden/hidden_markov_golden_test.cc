#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/hidden_markov_partition.h"
#include "tests/core/product_of.h"
#include "tests/golden/golden_estimates.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_gradients.h"

namespace poe {
namespace {

std::unique_ptr<HiddenMarkov<double>> MakeGroup(const GoldenFile& golden,
                                                bool symbols) {
  HiddenMarkov<double>::Settings settings;
  settings.initial_logit = golden["initial_logit"];
  settings.transition_logit = golden["transition_logit"];
  if (symbols) {
    settings.emission_logit = golden["emission_logit"];
    settings.num_symbols = settings.emission_logit.cols();
  } else {
    settings.mean = golden["mean"];
    settings.log_variance = golden["log_variance"];
  }
  return *HiddenMarkov<double>::Create(std::move(settings));
}

// Rows of softmax(logits).
RowMatrix<double> Softmax(const RowMatrix<double>& logits) {
  RowMatrix<double> shares = logits.array().exp();
  for (Index i = 0; i < shares.rows(); ++i)
    shares.row(i) /= shares.row(i).sum();
  return shares;
}

void ExpectNear(const RowMatrix<double>& actual,
                const RowMatrix<double>& expected, double tolerance) {
  ASSERT_EQ(actual.rows(), expected.rows());
  ASSERT_EQ(actual.cols(), expected.cols());
  for (Index i = 0; i < actual.rows(); ++i)
    for (Index j = 0; j < actual.cols(); ++j)
      EXPECT_NEAR(actual(i, j), expected(i, j),
                  tolerance * (1 + std::abs(expected(i, j))))
          << i << ", " << j;
}

void ExpectScores(const GoldenFile& golden, const ExpertGroup<double>& group) {
  const Observations<double> x = golden.Sequences();
  ExpectNear(LogScores(group, x, 1), golden["log_likelihood"], 1e-12);
  ExpectNear(LogScores(group, x, golden.Number("exponent")),
             golden["tempered_log_likelihood"], 1e-12);
}

// Fisher's identity at the enumerated posterior: first states less pi;
// transitions less A times the states they leave; for each state, whatever
// `emission` makes of its weight and the frame.
template <typename Emission>
void ExpectGradients(const GoldenFile& golden, const ExpertGroup<double>& group,
                     const std::vector<std::size_t>& emission_blocks,
                     Emission emission) {
  const Observations<double> x = golden.Sequences();
  const RowMatrix<double>& gamma = golden["gamma"];
  const RowMatrix<double> initial = Softmax(golden["initial_logit"]);
  const RowMatrix<double> transition = Softmax(golden["transition_logit"]);
  const Index experts = initial.rows(), states = initial.cols();
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    const Vector<double> gradient = GradientOf(group, x, n);
    RowMatrix<double> first = -initial;
    RowMatrix<double> moves = golden["transition_counts"].middleRows(
        n * experts * states, experts * states);
    for (Index m = 0; m < experts; ++m) {
      for (Index k = 0; k < states; ++k) {
        const Index row = m * states + k;
        first(m, k) += gamma(starts[n], row);
        for (Index t = starts[n]; t + 1 < starts[n + 1]; ++t)
          moves.row(row) -= gamma(t, row) * transition.row(row);
      }
    }
    ExpectNear(BlockOf(group, gradient, 0), first, 1e-11);
    ExpectNear(BlockOf(group, gradient, 1), moves, 1e-11);
    std::vector<RowMatrix<double>> expected;
    for (std::size_t block : emission_blocks)
      expected.push_back(RowMatrix<double>::Zero(experts * states,
                                                 group.blocks()[block].cols));
    for (Index t = starts[n]; t < starts[n + 1]; ++t)
      for (Index row = 0; row < gamma.cols(); ++row)
        emission(gamma(t, row), row, x.values.row(t), expected);
    for (std::size_t b = 0; b < emission_blocks.size(); ++b)
      ExpectNear(BlockOf(group, gradient, emission_blocks[b]), expected[b],
                 1e-11);
  }
}

TEST(HiddenMarkovGoldenTest, GaussianScoresMatchEnumeratedPaths) {
  const GoldenFile golden("hidden_markov_gaussian.txt");
  ExpectScores(golden, *MakeGroup(golden, false));
}

TEST(HiddenMarkovGoldenTest, GaussianGradientsMatchEnumeratedPosteriors) {
  const GoldenFile golden("hidden_markov_gaussian.txt");
  const RowMatrix<double>& mean = golden["mean"];
  const RowMatrix<double> precision = (-golden["log_variance"]).array().exp();
  ExpectGradients(
      golden, *MakeGroup(golden, false), {2, 3},
      [&](double weight, Index row, const auto& frame, auto& expected) {
        for (Index i = 0; i < mean.cols(); ++i) {
          const double distance = frame(i) - mean(row, i);
          expected[0](row, i) += weight * precision(row, i) * distance;
          expected[1](row, i) +=
              weight * (precision(row, i) * distance * distance - 1) / 2;
        }
      });
}

TEST(HiddenMarkovGoldenTest, SymbolScoresMatchEnumeratedPaths) {
  const GoldenFile golden("hidden_markov_categorical.txt");
  ExpectScores(golden, *MakeGroup(golden, true));
}

TEST(HiddenMarkovGoldenTest, SymbolGradientsMatchEnumeratedPosteriors) {
  const GoldenFile golden("hidden_markov_categorical.txt");
  const RowMatrix<double> shares = Softmax(golden["emission_logit"]);
  ExpectGradients(
      golden, *MakeGroup(golden, true), {2},
      [&](double weight, Index row, const auto& frame, auto& expected) {
        expected[0].row(row) += weight * (frame - shares.row(row));
      });
}

// Gamma and the expected transitions themselves.
TEST(HiddenMarkovGoldenTest, ExpectedCountsMatchEnumeratedPosteriors) {
  for (bool symbols : {false, true}) {
    const GoldenFile golden(symbols ? "hidden_markov_categorical.txt"
                                    : "hidden_markov_gaussian.txt");
    const auto group = MakeGroup(golden, symbols);
    const Observations<double> x = golden.Sequences();
    const auto posterior = group->NewPosterior();
    group->Infer(x, 1, Workers::Inline(), *posterior);
    const auto counts = group->Count(
        x, *posterior, std::vector<double>(x.size, 1), Workers::Inline());
    ExpectNear(counts.occupancy.topRows(x.frames()), golden["gamma"], 1e-11);
    const RowMatrix<double>& each = golden["transition_counts"];
    const Index rows = each.rows() / x.size;
    RowMatrix<double> sum = RowMatrix<double>::Zero(rows, each.cols());
    for (Index n = 0; n < x.size; ++n) sum += each.middleRows(n * rows, rows);
    ExpectNear(counts.transitions, sum, 1e-11);
  }
}

Product<double> GoldenHiddenMarkov(const GoldenFile& golden) {
  return ProductOf(
      *StructuredGaussianBase<double>::Create(
          golden.Column("base_mean"), golden.Column("base_log_variance")),
      MakeGroup(golden, false));
}

TEST(HiddenMarkovGoldenTest, LogPartitionMatchesEnumeratedJointPaths) {
  const GoldenFile golden("hidden_markov_product.txt");
  const Product<double> product = GoldenHiddenMarkov(golden);
  const Vector<double> lengths = golden.Column("lengths");
  for (Index i = 0; i < lengths.size(); ++i) {
    const auto log_partition =
        HiddenMarkovLogPartition(product, static_cast<Index>(lengths(i)));
    ASSERT_TRUE(log_partition.ok()) << log_partition.status();
    EXPECT_NEAR(*log_partition, golden.Column("log_normalizer")(i), 1e-11);
  }
}

// Reverse chains start from the ends of Gibbs chains, which mix fast here.
TEST(HiddenMarkovGoldenTest,
     AnnealedImportanceFindsTheNormalizerFromBothSides) {
  const GoldenFile golden("hidden_markov_product.txt");
  const Product<double> product = GoldenHiddenMarkov(golden);
  const Vector<double> lengths = golden.Column("lengths");
  for (Index i = 0; i < lengths.size(); ++i) {
    AnnealedImportanceOptions options;
    options.chains = 2000;
    options.inverse_temperatures = EvenInverseTemperatures(100);
    options.seed = 5;
    options.length = static_cast<Index>(lengths(i));
    ProductSamples<double> samples;
    samples.x = MakeSequences<double>(std::vector<Index>(2000, options.length),
                                      product.dimension());
    product.base().SampleStart({6, Purpose::kStart, 0, 0}, samples.x);
    GibbsOptions gibbs;
    gibbs.seed = 6;
    gibbs.inverse_temperatures = AnnealingSchedule(200, 100);
    ASSERT_TRUE(
        RunGibbs(product, gibbs, Workers::Inline(), NeverInterrupt, samples.x)
            .ok());
    const auto estimates = EstimateLogPartitionBothWays(
        product, samples, options, Workers::Inline(), NeverInterrupt,
        IgnoreProgress);
    ASSERT_TRUE(estimates.ok()) << estimates.status();
    for (const AnnealedEstimate& estimate :
         {estimates->forward, estimates->reverse})
      ExpectEstimate(estimate, golden.Column("log_normalizer")(i));
    EXPECT_FALSE(estimates->reverse.is_bound);
  }
}

TEST(HiddenMarkovGoldenTest, ScoresOfIncompleteSequencesAreTheIntegrals) {
  const GoldenFile golden("hidden_markov_product.txt");
  ExpectIncompleteLogScores(golden, GoldenHiddenMarkov(golden),
                            golden.Sequences(), 2000, 100);
}

}  // namespace
}  // namespace poe
