#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "poe/acceptance_ratio.h"
#include "poe/annealed_importance.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/latent_partition.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/product_of.h"
#include "tests/golden/golden_estimates.h"
#include "tests/golden/golden_file.h"

namespace poe {
namespace {

Product<double> GoldenMachine(const GoldenFile& golden,
                              const std::string& prefix = "") {
  return ProductOf(
      *BernoulliBase<double>::Create(golden.Column(prefix + "visible_bias")),
      *BernoulliUnits<double>::Create(golden[prefix + "weights"],
                                      golden.Column(prefix + "hidden_bias")));
}

// Exact draws: of all hidden units together, listed, and of x given them.
ProductSamples<double> ExactSamples(const GoldenFile& golden, Index size,
                                    std::uint64_t seed,
                                    const std::string& prefix = "") {
  const RowMatrix<double>& weights = golden[prefix + "weights"];
  const Vector<double> visible = golden.Column(prefix + "visible_bias");
  const Vector<double> hidden = golden.Column(prefix + "hidden_bias");
  const Index units = hidden.size(), states = Index{1} << units;
  const auto state = [&](Index number) {
    Vector<double> on(units);
    for (Index m = 0; m < units; ++m) on(m) = number >> m & 1;
    return on;
  };
  std::vector<double> log_share(states);
  for (Index z = 0; z < states; ++z) {
    const Vector<double> on = state(z);
    const Vector<double> log_odds = visible + weights * on;
    log_share[z] =
        hidden.dot(on) +
        SumSoftplus(1, absl::MakeConstSpan(log_odds.data(), log_odds.size()));
  }
  const double log_sum = LogSumExp(log_share);
  std::vector<double> cumulative;
  double total = 0;
  for (double share : log_share)
    cumulative.push_back(total += std::exp(share - log_sum));
  std::vector<double> uniform(size);
  FillUniform({seed, Purpose::kTest}, 0, absl::MakeSpan(uniform));
  Messages<double> messages;
  messages.linear.resize(PaddedRows(size), visible.size());
  for (Index n = 0; n < size; ++n) {
    const Index z =
        std::lower_bound(cumulative.begin(), cumulative.end() - 1, uniform[n]) -
        cumulative.begin();
    messages.linear.row(n) = visible + weights * state(z);
  }
  ProductSamples<double> samples;
  samples.x = MakeDense<double>(size, visible.size());
  samples.exact = true;
  GoldenMachine(golden, prefix)
      .base()
      .Reconstruct(messages, Reconstruction::kSample, {seed, Purpose::kTest, 1},
                   Workers::Inline(), samples.x);
  return samples;
}

TEST(RbmGoldenTest, TheSumOverLatentStatesIsTheNormalizer) {
  const GoldenFile golden("rbm.txt");
  const auto found = LatentLogPartition(GoldenMachine(golden));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_NEAR(*found, golden.Number("log_normalizer"), 1e-9);
}

TEST(RbmGoldenTest, AnnealedImportanceFindsTheNormalizerFromBothSides) {
  const GoldenFile golden("rbm.txt");
  AnnealedImportanceOptions options;
  options.chains = 2000;
  options.inverse_temperatures = EvenInverseTemperatures(1000);
  options.seed = 3;
  const auto estimates = EstimateLogPartitionBothWays(
      GoldenMachine(golden), ExactSamples(golden, 2000, 4), options,
      Workers::Inline(), NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimates.ok()) << estimates.status();
  const auto compare = [&](const AnnealedEstimate& estimate,
                           const std::string& estimate_there,
                           const std::string& error_there) {
    ExpectEstimate(estimate, golden.Number("log_normalizer"));
    // The same ladder and number of chains elsewhere: errors alike. Each is
    // known to some 5 percent.
    const double error = estimate.standard_error;
    const double other = golden.Number(error_there);
    EXPECT_NEAR(error, other, 0.5 * other);
    EXPECT_NEAR(estimate.value, golden.Number(estimate_there),
                6 * (error + other));
  };
  compare(estimates->forward, "annealed_estimate", "annealed_standard_error");
  compare(estimates->reverse, "reverse_estimate", "reverse_standard_error");
}

TEST(RbmGoldenTest, AcceptanceRatioFindsTheDifferenceOfTwo) {
  const GoldenFile golden("rbm.txt");
  const auto difference = EstimateLogPartitionDifference(
      GoldenMachine(golden), ExactSamples(golden, 4000, 5),
      GoldenMachine(golden, "other_"), ExactSamples(golden, 4000, 6, "other_"),
      Workers::Inline());
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_NEAR(
      difference->value,
      golden.Number("log_normalizer") - golden.Number("other_log_normalizer"),
      6 * difference->standard_error);
  EXPECT_LT(difference->standard_error, 0.05);
}

TEST(RbmGoldenTest, ScoresOfIncompleteRowsAreTheSums) {
  const GoldenFile golden("rbm.txt");
  const RowMatrix<double>& rows = golden["rows"];
  Observations<double> x = MakeDense<double>(rows.rows(), rows.cols());
  x.values.topRows(x.size) = rows;
  ExpectIncompleteLogScores(golden, GoldenMachine(golden), x, 1000, 200);
}

}  // namespace
}  // namespace poe
