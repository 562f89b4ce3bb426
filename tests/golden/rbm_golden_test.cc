#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/golden/golden_file.h"

namespace poe {
namespace {

TEST(RbmGoldenTest, AnnealedImportanceFindsTheEnumeratedNormalizer) {
  const GoldenFile golden("rbm.txt");
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  groups.push_back(*BernoulliUnits<double>::Create(
      golden["weights"], golden.Column("hidden_bias")));
  const auto product = *Product<double>::Create(
      *BernoulliBase<double>::Create(golden.Column("visible_bias")),
      std::move(groups));
  AnnealedImportanceOptions options;
  options.chains = 2000;
  options.inverse_temperatures = EvenInverseTemperatures(1000);
  options.seed = 3;
  const auto estimate =
      EstimateLogPartition(product, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  // Beside chance the estimate is low by about half the squared error.
  const double error = estimate->standard_error;
  EXPECT_NEAR(estimate->value, golden.Number("log_normalizer"),
              5.5 * error + error * error);
  // The same ladder and number of chains elsewhere: errors alike. Each is known
  // to some 5 percent.
  const double other = golden.Number("annealed_standard_error");
  EXPECT_NEAR(error, other, 0.5 * other);
  EXPECT_NEAR(estimate->value, golden.Number("annealed_estimate"),
              5.5 * (error + other));
}

}  // namespace
}  // namespace poe
