#include "poe/exact_gradient.h"

#include <cmath>

#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

Vector<double> Flat(const GradientEstimate<double>& estimate) {
  Vector<double> all(estimate.base_gradient().size() +
                     estimate.group_gradient(0).size());
  all << estimate.base_gradient(), estimate.group_gradient(0);
  return all;
}

// Clamps all values but the last two of every row.
std::vector<std::uint8_t> ClampInputs(const OracleKind& kind,
                                      Observations<double>& x) {
  std::vector<std::uint8_t> inputs(kind.dimension, 1);
  const Index outputs = (kind.columns == 1 ? 2 : 1) * kind.columns;
  std::fill(inputs.end() - outputs, inputs.end(), 0);
  for (Index n = 0; n < x.size; ++n)
    x.clamped.insert(x.clamped.end(), inputs.begin(), inputs.end());
  return inputs;
}

class ExactGradientTest : public testing::TestWithParam<OracleKind> {};

TEST_P(ExactGradientTest, IsTheGradientOfTheDataMinusThatOfTheModel) {
  const Product<double> product = ProductOf(GetParam(), 0.8);
  const Observations<double> data = GetParam().rows(9, 110);
  auto exact = ExactGradient<double>::Create(product, GetParam().columns, {});
  ASSERT_TRUE(exact.ok()) << exact.status();
  exact->ComputeGradient(data, {}, Workers::Inline());
  const std::vector<double> weights(9, 1.0 / 9);
  const Vector<double> expected =
      LogScoreGradientOf(product, data, weights) -
      ExactDistribution(product, 1).LogScoreGradient().mean;
  EXPECT_TRUE(Flat(*exact).isApprox(expected, 1e-10));
}

TEST_P(ExactGradientTest, OfAConditionalModelMatchesFiniteDifferences) {
  Product<double> product = ProductOf(GetParam(), 0.8);
  Observations<double> data = GetParam().rows(5, 111);
  const auto inputs = ClampInputs(GetParam(), data);
  const std::vector<double> weights = {1, 2, 0, 0.5, 3};
  auto exact =
      ExactGradient<double>::Create(product, GetParam().columns, inputs);
  ASSERT_TRUE(exact.ok()) << exact.status();
  exact->ComputeGradient(data, weights, Workers::Inline());
  const Vector<double> gradient = Flat(*exact);
  const Index base_size = product.base().parameters().size();
  auto objective = [&](Index p, double step) {
    auto change = [&](Eigen::Ref<Vector<double>> parameters, Index i) {
      parameters(i) += step;
    };
    Product<double> moved = product;
    if (p < base_size)
      moved.mutable_base().UpdateParameters(
          Workers::Inline(), [&](auto parameters) { change(parameters, p); });
    else
      moved.mutable_group(0).UpdateParameters(
          Workers::Inline(),
          [&](auto parameters) { change(parameters, p - base_size); });
    const auto log_probabilities =
        (*ExactGradient<double>::Create(moved, GetParam().columns, inputs))
            .LogProbabilities(data, Workers::Inline());
    double sum = 0;
    for (Index n = 0; n < data.size; ++n)
      sum += weights[n] * log_probabilities[n] / 6.5;
    return sum;
  };
  for (Index p = 0; p < gradient.size(); ++p) {
    const double numeric = (objective(p, 1e-5) - objective(p, -1e-5)) / 2e-5;
    EXPECT_NEAR(gradient(p), numeric, 1e-7) << "parameter " << p;
  }
  EXPECT_NEAR(exact->mean_log_probability(), objective(0, 0), 1e-12);
}

TEST_P(ExactGradientTest, ProbabilitiesOfAllOutputsSumToOne) {
  const Product<double> product = ProductOf(GetParam(), 0.8);
  const ExactDistribution all(product, 1);
  auto exact = ExactGradient<double>::Create(product, GetParam().columns, {});
  ASSERT_TRUE(exact.ok());
  double sum = 0;
  for (double value : exact->LogProbabilities(all.points(), Workers::Inline()))
    sum += std::exp(value);
  EXPECT_NEAR(sum, 1, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(BitsAndSymbols, ExactGradientTest,
                         testing::Values(BernoulliUnitsOnBinaryData(),
                                         BernoulliUnitsOnSymbols()),
                         [](const testing::TestParamInfo<OracleKind>& info) {
                           return info.param.name;
                         });

TEST(ExactGradientRefusalTest, NamesWhatCannotBeSummedOver) {
  const Product<double> real = ProductOf(BernoulliUnitsOnRealData(), 0.8);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      ExactGradient<double>::Create(real, 0, {}).status()));
  const RowMatrix<double> weights = RowMatrix<double>::Zero(13, 1);
  const Product<double> product = ProductOf(
      *BernoulliBase<double>::Create(Vector<double>::Zero(13)),
      *BernoulliUnits<double>::Create(weights, Vector<double>::Zero(1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      ExactGradient<double>::Create(product, 0, {}).status()));
  std::vector<std::uint8_t> inputs(13, 0);
  inputs[4] = 1;
  EXPECT_TRUE(ExactGradient<double>::Create(product, 0, inputs).ok());
}

}  // namespace
}  // namespace poe
