// Estimates by annealed importance sampling against golden numbers.
#ifndef POE_TESTS_GOLDEN_GOLDEN_ESTIMATES_H_
#define POE_TESTS_GOLDEN_GOLDEN_ESTIMATES_H_

#include "gtest/gtest.h"
#include "poe/incomplete_scoring.h"
#include "tests/golden/golden_file.h"

namespace poe {

// Beside chance the estimate is off by about half the squared error.
inline void ExpectEstimate(const AnnealedEstimate& estimate, double golden) {
  EXPECT_NEAR(estimate.value, golden,
              6 * estimate.standard_error +
                  estimate.standard_error * estimate.standard_error);
  EXPECT_LT(estimate.standard_error, 0.05);
}

// The array `incomplete_log_score`: those of x with only the values given that
// the array `observed` marks.
inline void ExpectIncompleteLogScores(const GoldenFile& golden,
                                      const Product<double>& product,
                                      Observations<double> x, Index chains,
                                      int intervals) {
  const RowMatrix<double>& observed = golden["observed"];
  for (Index i = 0; i < observed.size(); ++i)
    x.clamped.push_back(observed.data()[i] != 0);
  IncompleteScoreOptions options;
  options.chains = chains;
  options.inverse_temperatures = EvenInverseTemperatures(intervals);
  options.seed = 7;
  const auto estimates = EstimateIncompleteLogScores(
      product, x, options, Workers::Inline(), NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimates.ok()) << estimates.status();
  for (Index n = 0; n < x.size; ++n)
    ExpectEstimate((*estimates)[n], golden.Column("incomplete_log_score")(n));
}

}  // namespace poe

#endif  // POE_TESTS_GOLDEN_GOLDEN_ESTIMATES_H_
