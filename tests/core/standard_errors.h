// Whether standard errors are honest.
#ifndef POE_TESTS_CORE_STANDARD_ERRORS_H_
#define POE_TESTS_CORE_STANDARD_ERRORS_H_

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace poe {

// `misses` are errors of independent estimates in units of the standard error
// that each claims. Their variance is 1: of n of them, the mean square is
// within 6 sqrt(2 / n) of that, save for the bias, and the mean within 6 /
// sqrt(n) of 0.
inline void ExpectHonestStandardErrors(const std::vector<double>& misses) {
  const auto count = static_cast<double>(misses.size());
  double squares = 0, sum = 0;
  for (double miss : misses) {
    sum += miss;
    squares += miss * miss;
  }
  EXPECT_NEAR(squares / count, 1, 6 * std::sqrt(2 / count));
  EXPECT_GT(squares / count, 0.3);
  EXPECT_NEAR(sum / count, 0, 6 / std::sqrt(count));
}

}  // namespace poe

#endif  // POE_TESTS_CORE_STANDARD_ERRORS_H_
