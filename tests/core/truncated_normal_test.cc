#include "poe/numerics/truncated_normal.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "boost/math/quadrature/gauss.hpp"
#include "gtest/gtest.h"

namespace poe {
namespace {

// The same distribution by quadrature in long double, outward from its mode.
class Quadrature {
 public:
  explicit Quadrature(const TruncatedNormal& normal)
      : precision_(normal.precision) {
    const long double h = normal.information;
    mode_ =
        precision_ > 0 ? h / precision_ : (h > 0 ? normal.upper : normal.lower);
    mode_ = std::clamp<long double>(mode_, normal.lower, normal.upper);
    left_ = Side(mode_ - normal.lower, precision_ * mode_ - h);
    right_ = Side(normal.upper - mode_, h - precision_ * mode_);
    const long double mass = Mass();
    mean_ = (right_.Integral(1) - left_.Integral(1)) / mass;
    deviation_ = std::sqrt((right_.Integral(2) + left_.Integral(2)) / mass -
                           mean_ * mean_);
  }

  // From the mode.
  long double Mean() const { return mean_; }
  long double Deviation() const { return deviation_; }
  long double mode() const { return mode_; }
  // The integral of the density over its value at the mode.
  long double Mass() const { return left_.Integral(0) + right_.Integral(0); }
  // Share of the mass below a value.
  long double Below(double value) const {
    const long double from_mode = value - mode_;
    const long double below =
        from_mode < 0 ? left_.Integral(0) - left_.Integral(0, -from_mode)
                      : left_.Integral(0) + right_.Integral(0, from_mode);
    return below / Mass();
  }

 private:
  // One side of the mode: density exp(slope t - precision t^2 / 2), slope <= 0,
  // for distances t up to `length`.
  struct SideOfMode {
    long double length, slope, precision;

    long double Integral(int power) const { return Integral(power, length); }
    long double Integral(int power, long double to) const {
      constexpr int kPanels = 200;
      // Beyond this the density is below exp(-60).
      long double reach = length;
      if (precision > 0) reach = std::min(reach, 11 / std::sqrt(precision));
      if (slope < 0) reach = std::min(reach, -60 / slope);
      to = std::min(to, reach);
      long double sum = 0;
      for (int i = 0; i < kPanels; ++i) {
        sum += boost::math::quadrature::gauss<long double, 15>::integrate(
            [&](long double t) {
              return std::pow(t, static_cast<long double>(power)) *
                     std::exp(t * (slope - precision * t / 2));
            },
            to * i / kPanels, to * (i + 1) / kPanels);
      }
      return sum;
    }
  };

  SideOfMode Side(long double length, long double slope) const {
    return {length, std::min<long double>(slope, 0), precision_};
  }

  long double precision_, mode_;
  SideOfMode left_, right_;
  long double mean_, deviation_;
};

TruncatedNormal FromMoments(double mean, double deviation, double lower,
                            double upper) {
  const double precision = 1 / (deviation * deviation);
  return {mean * precision, precision, lower, upper};
}

std::vector<TruncatedNormal> NearCases() {
  std::vector<TruncatedNormal> cases;
  for (double mean : {-29.0, -10.0, -7.5, -3.0, -0.2, 0.0, 0.3, 0.5, 1.0, 4.0,
                      8.0, 20.0, 29.0})
    for (double upper : {0.0009, 0.0011, 0.01, 1.0, 6.0, 100.0})
      cases.push_back(FromMoments(mean, 1, 0, upper));
  for (double deviation : {0.01, 0.3, 10.0, 900.0, 2900.0, 3100.0, 1e6, 1e9})
    for (double mean : {0.1, 1.0, 1.9})
      cases.push_back(FromMoments(mean, deviation, -1, 2));
  for (double information :
       {-1e4, -30.0, -1.0, -1e-3, -1e-14, 0.0, 1e-9, 2.0, 1e6})
    for (double precision : {0.0, 1e-12})
      cases.push_back({information, precision, -1, 2});
  return cases;
}

std::vector<TruncatedNormal> FarCases() {
  std::vector<TruncatedNormal> cases;
  for (double mean : {-1e6, -1e3, -60.0, -31.0, 70.0, 1e4})
    for (double upper : {0.01, 6.0})
      cases.push_back(FromMoments(mean, 1, 0, upper));
  return cases;
}

void ExpectMean(const TruncatedNormal& normal, double tolerance) {
  const Quadrature exact(normal);
  const long double from_mode = normal.Mean() - exact.mode();
  // Bounds and values near them are rounded to double.
  const double rounding = 1e-15 * std::max(1.0, std::abs(normal.Mean()));
  EXPECT_NEAR(static_cast<double>(from_mode), static_cast<double>(exact.Mean()),
              tolerance * static_cast<double>(exact.Deviation()) + rounding)
      << normal.information << ' ' << normal.precision << ' ' << normal.lower
      << ' ' << normal.upper;
}

void ExpectQuantiles(const TruncatedNormal& normal, double tolerance) {
  const Quadrature exact(normal);
  double before = normal.lower;
  for (double share : {1e-6, 0.01, 0.3, 0.5, 0.8, 0.999, 1 - 1e-6}) {
    const double value = normal.Quantile(share);
    EXPECT_GE(value, before);
    EXPECT_LE(value, normal.upper);
    before = value;
    // The share that double precision of the value itself leaves open.
    const double rounding = 1e-15 * std::max(1.0, std::abs(value)) /
                            static_cast<double>(exact.Deviation());
    EXPECT_NEAR(static_cast<double>(exact.Below(value)), share,
                tolerance + rounding)
        << normal.information << ' ' << normal.precision << ' ' << normal.lower
        << ' ' << normal.upper;
  }
}

TEST(TruncatedNormalTest, MeanMatchesQuadrature) {
  for (const TruncatedNormal& normal : NearCases()) ExpectMean(normal, 1e-6);
}

TEST(TruncatedNormalTest, QuantilesMatchQuadrature) {
  for (const TruncatedNormal& normal : NearCases())
    ExpectQuantiles(normal, 1e-6);
}

TEST(TruncatedNormalTest, FarTailsAreNearlyExact) {
  for (const TruncatedNormal& normal : FarCases()) {
    ExpectMean(normal, 3e-3);
    ExpectQuantiles(normal, 1e-3);
  }
}

TEST(TruncatedNormalTest, WithoutPrecisionOrInformationItIsUniform) {
  const TruncatedNormal uniform = {0, 0, -3, 5};
  EXPECT_EQ(uniform.Mean(), 1);
  EXPECT_DOUBLE_EQ(uniform.Quantile(0.25), -1);
}

void ExpectLogIntegral(const TruncatedNormal& normal) {
  const Quadrature exact(normal);
  const long double at_mode =
      (normal.information - normal.precision * exact.mode() / 2) * exact.mode();
  const double scale =
      std::abs(normal.information) + std::abs(normal.precision);
  const auto exact_log = static_cast<double>(at_mode + std::log(exact.Mass()));
  EXPECT_NEAR(normal.LogIntegral(), exact_log,
              2e-12 + 1e-14 * (scale * (1 + std::abs(normal.upper)) +
                               std::abs(exact_log)))
      << normal.information << ' ' << normal.precision << ' ' << normal.lower
      << ' ' << normal.upper;
}

TEST(TruncatedNormalTest, LogIntegralMatchesQuadrature) {
  for (const TruncatedNormal& normal : NearCases()) ExpectLogIntegral(normal);
  for (const TruncatedNormal& normal : FarCases()) ExpectLogIntegral(normal);
}

TEST(TruncatedNormalTest, LogIntegralOfCentredNormalsMatchesQuadrature) {
  for (double precision : {1e-6, 0.3, 1.0, 1e8})
    for (double width : {1e-4, 0.3, 1.0, 7.0})
      for (double begin : {-2000.0, -40.0, -5.0, -0.5, -1e-5, 0.0, 0.4, 2.0,
                           12.0, 29.0, 200.0, 1e5}) {
        const double deviation = 1 / std::sqrt(precision);
        ExpectLogIntegral(
            {0, precision, begin * deviation, (begin + width) * deviation});
      }
}

TEST(TruncatedNormalTest, LogIntegralStaysFinite) {
  for (double end : {1e-300, 1.0, 1e10, 1e100})
    for (double precision : {1e-30, 1.0, 1e30})
      EXPECT_TRUE(std::isfinite(
          (TruncatedNormal{0, precision, end, 2 * end}).LogIntegral()));
}

TEST(TruncatedNormalTest, LogIntegralOfSimpleCases) {
  EXPECT_DOUBLE_EQ((TruncatedNormal{0, 0, -3, 5}).LogIntegral(), std::log(8.0));
  // The whole normal, and half of it.
  const double whole = std::log(2 * std::numbers::pi / 4) / 2;
  EXPECT_NEAR((TruncatedNormal{0, 4, -50, 50}).LogIntegral(), whole, 1e-14);
  EXPECT_NEAR((TruncatedNormal{0, 4, 0, 50}).LogIntegral(),
              whole - std::log(2.0), 1e-14);
  // exp(-x) from 0 to 2.
  EXPECT_NEAR((TruncatedNormal{-1, 0, 0, 2}).LogIntegral(),
              std::log(1 - std::exp(-2.0)), 1e-14);
}

TEST(TruncatedNormalTest, ExtremesStayOnTheInterval) {
  for (double information : {-1e300, -1e30, 0.0, 1e30, 1e300, HUGE_VAL}) {
    for (double precision : {0.0, 1e-300, 1e-30, 1.0, 1e30, 1e300}) {
      const TruncatedNormal normal = {information, precision, -3, 4};
      for (double value : {normal.Mean(), normal.Quantile(1e-9),
                           normal.Quantile(0.5), normal.Quantile(1 - 1e-9)}) {
        EXPECT_GE(value, -3) << information << ' ' << precision;
        EXPECT_LE(value, 4) << information << ' ' << precision;
      }
    }
  }
}

// A diverging training must not meet an exception here.
TEST(TruncatedNormalTest, NanGivesNan) {
  const double nan = std::nan("");
  for (const TruncatedNormal& normal :
       {TruncatedNormal{nan, 1, 0, 1}, TruncatedNormal{0, nan, 0, 1}}) {
    EXPECT_TRUE(std::isnan(normal.Mean()));
    EXPECT_TRUE(std::isnan(normal.Quantile(0.5)));
    EXPECT_TRUE(std::isnan(normal.LogIntegral()));
  }
}

}  // namespace
}  // namespace poe
