// Contrastive divergence of many steps, for products whose gradient is known
// exactly: that of log p(x), and with a mask that of log p(missing | observed).
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "poe/contrastive_divergence.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/oracle_products.h"

namespace poe {
namespace {

class ContrastiveDivergenceLimit
    : public testing::TestWithParam<OracleProduct> {};

// The points of the distribution that are nearest to observations.
Observations<double> NearestPoints(const ExactDistribution& exact,
                                   const Observations<double>& x) {
  Observations<double> nearest = x;
  const Index length = x.length(0);
  const RowMatrix<double>& points = exact.points().values;
  for (Index n = 0; n < x.size; ++n) {
    auto frames = nearest.values.middleRows(n * length, length);
    double least = HUGE_VAL;
    for (Index k = 0; k < exact.points().size; ++k) {
      const auto point = points.middleRows(k * length, length);
      const double distance =
          (point - x.values.middleRows(n * length, length)).squaredNorm();
      if (distance >= least) continue;
      least = distance;
      frames = point;
    }
  }
  return nearest;
}

// The mean gradient under the product, given what is observed of the rows.
ExactDistribution::Gradient ExpectedUnder(const ExactDistribution& exact,
                                          const Observations<double>& x) {
  if (x.clamped.empty()) return exact.LogScoreGradient();
  ExactDistribution::Gradient mean = exact.LogScoreGradientGiven(x, 0);
  Vector<double> variance = mean.deviation.array().square();
  for (Index n = 1; n < x.size; ++n) {
    const auto of_row = exact.LogScoreGradientGiven(x, n);
    mean.mean += of_row.mean;
    variance += of_row.deviation.array().square().matrix();
  }
  const auto size = static_cast<double>(x.size);
  mean.mean /= size;
  mean.deviation = (variance / size).cwiseSqrt();
  return mean;
}

TEST_P(ContrastiveDivergenceLimit, IsTheExactGradient) {
  constexpr Index kRows = 2000;
  constexpr int kManySteps = 60;
  const Product<double> product = GetParam().Make(0.9);
  const Index length = GetParam().data().length;
  const ExactDistribution distribution(product, 1, length);
  // A few distinct rows, far from what the product expects.
  const Observations<double> few =
      NearestPoints(distribution, GetParam().Rows(5, 33));
  Observations<double> data = Repeat(few, 0, kRows);
  for (Index n = 0; n < kRows; ++n)
    data.values.middleRows(n * length, length) = FramesOf(few, n % few.size);
  GetParam().Mask(data);
  const std::vector<double> weights(kRows, 1.0 / kRows);
  const auto expected = ExpectedUnder(distribution, few);
  const Vector<double> exact =
      LogScoreGradientOf(product, data, weights) - expected.mean;
  const Vector<double> error = expected.deviation / std::sqrt(kRows);

  auto estimate = [&](int steps) {
    ContrastiveDivergence<double> divergence(product);
    divergence.ComputeGradient(data, {}, steps, Reconstruction::kSample, 34, 0,
                               Workers::Inline());
    Vector<double> gradient(exact.size());
    Index first = divergence.base_gradient().size();
    gradient.head(first) = divergence.base_gradient();
    for (std::size_t i = 0; i < product.num_groups(); ++i) {
      const auto& of_group = divergence.group_gradient(i);
      gradient.segment(first, of_group.size()) = of_group;
      first += of_group.size();
    }
    return gradient;
  };
  const Vector<double> last = estimate(kManySteps);
  for (Index p = 0; p < exact.size(); ++p)
    EXPECT_NEAR(last(p), exact(p), 6 * error(p) + 1e-9) << "parameter " << p;
  // More steps come nearer, as far as noise lets see: where a step is an exact
  // draw, as from a single Gaussian, one step is as good as many.
  const double noise = 6 * error.norm();
  const double after_one = (estimate(1) - exact).norm();
  const double after_three = (estimate(3) - exact).norm();
  EXPECT_LT(after_three, after_one + noise);
  EXPECT_LT((last - exact).norm(), after_three + noise);
}

INSTANTIATE_TEST_SUITE_P(AllProducts, ContrastiveDivergenceLimit,
                         testing::ValuesIn(ProductsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleProduct>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace poe
