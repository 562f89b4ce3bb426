#include "poe/numerics/elementwise.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace poe {
namespace {

template <typename Scalar>
class ElementwiseTest : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ElementwiseTest, Scalars);

template <typename Scalar>
std::vector<Scalar> Arguments() {
  std::vector<Scalar> values = {0,      -0.0f, 1e-30f, -1e-30f, 1e-3f,
                                -1e-3f, 88,    -88,    104,     -104,
                                1e4f,   -1e4f, 1e30f,  -1e30f};
  for (int i = -400; i <= 400; ++i)
    values.push_back(static_cast<Scalar>(i) / 20);
  return values;
}

TYPED_TEST(ElementwiseTest, LogisticMatchesTheFormula) {
  const std::vector<TypeParam> arguments = Arguments<TypeParam>();
  std::vector<TypeParam> values = arguments;
  Logistic(absl::MakeSpan(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double expected =
        1 / (1 + std::exp(-static_cast<long double>(arguments[i])));
    EXPECT_NEAR(values[i], expected,
                8 * std::numeric_limits<TypeParam>::epsilon() * expected +
                    std::numeric_limits<TypeParam>::min())
        << arguments[i];
  }
}

TYPED_TEST(ElementwiseTest, SoftplusMatchesTheFormula) {
  const std::vector<TypeParam> arguments = Arguments<TypeParam>();
  std::vector<TypeParam> values = arguments;
  Softplus(absl::MakeSpan(values));
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double t = arguments[i];
    const long double expected =
        std::max(t, 0.0L) + std::log1p(std::exp(-std::abs(t)));
    EXPECT_NEAR(values[i], expected,
                8 * std::numeric_limits<TypeParam>::epsilon() * expected +
                    std::numeric_limits<TypeParam>::min())
        << arguments[i];
    sum += values[i];
  }
  EXPECT_DOUBLE_EQ(SumSoftplus(1, absl::MakeConstSpan(arguments)), sum);
}

TYPED_TEST(ElementwiseTest, LogMatchesTheFormula) {
  std::vector<TypeParam> arguments;
  for (TypeParam t : Arguments<TypeParam>())
    if (t > 0) arguments.push_back(t);
  std::vector<TypeParam> values = arguments;
  Log(absl::MakeSpan(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double expected =
        std::log(static_cast<long double>(arguments[i]));
    EXPECT_NEAR(
        values[i], expected,
        8 * std::numeric_limits<TypeParam>::epsilon() * std::abs(expected))
        << arguments[i];
  }
}

TYPED_TEST(ElementwiseTest, ExpMatchesTheFormula) {
  std::vector<TypeParam> arguments;
  for (TypeParam t : Arguments<TypeParam>())
    if (t <= 80) arguments.push_back(t);
  std::vector<TypeParam> values = arguments;
  Exp(absl::MakeSpan(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double expected =
        std::exp(static_cast<long double>(arguments[i]));
    EXPECT_NEAR(values[i], expected,
                8 * std::numeric_limits<TypeParam>::epsilon() * expected +
                    std::numeric_limits<TypeParam>::min())
        << arguments[i];
  }
}

TYPED_TEST(ElementwiseTest, AnElementHasTheSameBitsAtAnyPosition) {
  const std::vector<TypeParam> arguments = Arguments<TypeParam>();
  std::vector<TypeParam> all = arguments;
  Logistic(absl::MakeSpan(all));
  for (std::size_t begin = 0; begin < 40; ++begin) {
    for (std::size_t size : {1, 3, 8, 21}) {
      std::vector<TypeParam> part(arguments.begin() + begin,
                                  arguments.begin() + begin + size);
      Logistic(absl::MakeSpan(part));
      EXPECT_EQ(std::memcmp(part.data(), all.data() + begin,
                            size * sizeof(TypeParam)),
                0);
    }
  }
}

TYPED_TEST(ElementwiseTest, AddScaledMatchesTheFormulaAnywhere) {
  const TypeParam scale = static_cast<TypeParam>(0.3);
  const std::vector<TypeParam> from = Arguments<TypeParam>();
  const std::vector<TypeParam> start(from.rbegin(), from.rend());
  std::vector<TypeParam> all = start;
  AddScaled<TypeParam>(scale, from, absl::MakeSpan(all));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const long double product = static_cast<long double>(scale) * from[i];
    EXPECT_NEAR(all[i], start[i] + product,
                std::numeric_limits<TypeParam>::epsilon() *
                    (std::abs(start[i]) + std::abs(product)))
        << i;
  }
  for (std::size_t begin = 0; begin < 40; ++begin) {
    for (std::size_t size : {1, 3, 8, 21}) {
      std::vector<TypeParam> part(start.begin() + begin,
                                  start.begin() + begin + size);
      AddScaled<TypeParam>(scale, absl::MakeConstSpan(&from[begin], size),
                           absl::MakeSpan(part));
      EXPECT_EQ(std::memcmp(part.data(), all.data() + begin,
                            size * sizeof(TypeParam)),
                0);
    }
  }
}

TEST(ElementwiseTest, ScalarsMatchTheFormula) {
  EXPECT_DOUBLE_EQ(Logistic(0.0), 0.5);
  EXPECT_DOUBLE_EQ(Logistic(2.0), 1 / (1 + std::exp(-2.0)));
  EXPECT_DOUBLE_EQ(Softplus(-3.0), std::log1p(std::exp(-3.0)));
  EXPECT_DOUBLE_EQ(Softplus(1000.0), 1000.0);
}

TEST(ElementwiseTest, BoxMullerMatchesTheFormulaAtAnySize) {
  std::vector<double> angles, radii;
  for (int i = 0; i <= 100; ++i) {
    angles.push_back(i / 50.0 - 1);
    radii.push_back(i == 0 ? 0x1p-65 : std::pow(i / 100.0, 3));
  }
  std::vector<double> sines = angles, cosines = radii;
  BoxMuller(absl::MakeSpan(sines), absl::MakeSpan(cosines));
  for (std::size_t i = 0; i < angles.size(); ++i) {
    const double length = std::sqrt(-2 * std::log(radii[i]));
    EXPECT_NEAR(sines[i], std::sin(M_PI * angles[i]) * length, 1e-13);
    EXPECT_NEAR(cosines[i], std::cos(M_PI * angles[i]) * length, 1e-13);
  }
  for (std::size_t first : {0, 1, 3, 7}) {
    std::vector<double> sine = angles, cosine = radii;
    BoxMuller(absl::MakeSpan(sine).subspan(first, 13),
              absl::MakeSpan(cosine).subspan(first, 13));
    for (std::size_t i = first; i < first + 13; ++i) {
      EXPECT_EQ(sine[i], sines[i]);
      EXPECT_EQ(cosine[i], cosines[i]);
    }
  }
}

TEST(ElementwiseTest, LogSumExpHandlesTheEnds) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(LogSumExp({}), -infinity);
  EXPECT_EQ(LogSumExp({-infinity, -infinity}), -infinity);
  EXPECT_DOUBLE_EQ(LogSumExp({1000, 1000}), 1000 + std::log(2.0));
  EXPECT_DOUBLE_EQ(LogSumExp({-infinity, 3}), 3);
}

}  // namespace
}  // namespace poe
