#include "client/cpp/io/plot.h"

#include <cmath>
#include <limits>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe::client {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Color kRed = {255, 0, 0};

// 100 x 100 pixels for x from 0 to 10 and y from 0 to 10.
Plot TenByTen() { return *Plot::Create({0, 10, 0, 10}, 100, 100); }

// Ink summed over the picture, in whole red pixels.
double RedPixels(const Picture& picture) {
  double sum = 0;
  for (int y = 0; y < picture.height(); ++y) {
    for (int x = 0; x < picture.width(); ++x) {
      sum += (255 - picture.at(x, y).green) / 255.0;
    }
  }
  return sum;
}

TEST(PlotTest, XGrowsRightAndYUpwards) {
  Plot plot = TenByTen();
  plot.DrawPoint(2, 9, 3, kRed);
  EXPECT_EQ(plot.picture().at(20, 10), kRed);
  EXPECT_EQ(plot.picture().at(19, 9), kRed);
  EXPECT_EQ(plot.picture().at(20, 90), kWhite);
}

TEST(PlotTest, ADiscHasItsArea) {
  for (const double radius : {1.0, 2.5, 10.0}) {
    Plot plot = TenByTen();
    plot.DrawPoint(5.03, 4.98, radius, kRed);
    EXPECT_NEAR(RedPixels(plot.picture()) / (M_PI * radius * radius), 1, 0.1)
        << radius;
  }
}

TEST(PlotTest, OpacityMixesWithWhatIsThere) {
  Plot plot = TenByTen();
  plot.DrawPoint(5, 5, 3, kRed, 0.5);
  EXPECT_EQ(plot.picture().at(50, 50), (Color{255, 128, 128}));
}

TEST(PlotTest, AnEllipseIsAnOutlineOfThePensWidth) {
  Plot plot = TenByTen();
  plot.DrawEllipse(5.05, 4.95, 3, 1.5, 2, kRed);
  const Picture& picture = plot.picture();
  EXPECT_EQ(picture.at(50, 50), kWhite);
  EXPECT_EQ(picture.at(80, 50), kRed);
  EXPECT_EQ(picture.at(20, 50), kRed);
  EXPECT_EQ(picture.at(50, 35), kRed);
  EXPECT_EQ(picture.at(50, 65), kRed);
  EXPECT_EQ(picture.at(50, 38), kWhite);
  EXPECT_EQ(picture.at(84, 50), kWhite);
  // The circumference of an ellipse of 30 x 15 pixels, by Ramanujan.
  const double circumference = M_PI * (3 * 45 - std::sqrt(105.0 * 75.0));
  EXPECT_NEAR(RedPixels(picture) / (2 * circumference), 1, 0.05);
}

TEST(PlotTest, AnEllipseWiderThanThePlotIsTwoLines) {
  Plot plot = TenByTen();
  plot.DrawEllipse(5, 5, 1e9, 2.05, 1, kRed);
  const Picture& picture = plot.picture();
  for (const int x : {0, 50, 99}) {
    EXPECT_EQ(picture.at(x, 29), kRed) << x;
    EXPECT_EQ(picture.at(x, 70), kRed) << x;
    EXPECT_EQ(picture.at(x, 50), kWhite) << x;
  }
}

TEST(PlotTest, AVeryFlatEllipseIsALineThatShows) {
  Plot plot = TenByTen();
  plot.DrawEllipse(5, 5, 3, 1e-9, 1, kRed);
  EXPECT_GT(RedPixels(plot.picture()), 30);
  EXPECT_LT(RedPixels(plot.picture()), 130);
}

TEST(PlotTest, GridLinesRunThroughWholeMultiples) {
  Plot plot = *Plot::Create({-1, 1, -0.7, 0.3}, 200, 100);
  plot.DrawGridLines(0.5, Grey(200));
  const Picture& picture = plot.picture();
  int lines = 0;
  for (int x = 0; x < 200; ++x) lines += picture.at(x, 1) == Grey(200);
  EXPECT_EQ(lines, 5);  // -1, -0.5, 0, 0.5 and 1.
  EXPECT_EQ(picture.at(50, 1), Grey(200));
  EXPECT_EQ(picture.at(1, 30), Grey(200));
  EXPECT_EQ(picture.at(1, 80), Grey(200));
  EXPECT_EQ(picture.at(1, 40), kWhite);
}

TEST(PlotTest, GridLinesTooDenseAreNotDrawn) {
  Plot plot = TenByTen();
  for (const double spacing : {0.1, 0.0, -1.0, kNan, kInfinity, 1e-300}) {
    plot.DrawGridLines(spacing, kBlack);
  }
  EXPECT_EQ(RedPixels(plot.picture()), 0);
}

TEST(PlotTest, DrawsGridLinesFarFromTheOriginInFiniteTime) {
  Plot plot = *Plot::Create({1e17, 1e17 + 64, 0, 64}, 256, 256);
  plot.DrawGridLines(1, kBlack);
  EXPECT_EQ(plot.picture().at(64, 1), kBlack);
}

TEST(PlotTest, CutsOffAtTheBorder) {
  Plot plot = TenByTen();
  plot.DrawPoint(0, 0, 5, kRed);
  plot.DrawPoint(-100, 1e300, 5, kRed);
  plot.DrawPoint(5, 5, -1, kRed);
  plot.DrawEllipse(1e6, 5, 1, 1, 1, kRed);
  EXPECT_EQ(plot.picture().at(0, 99), kRed);
  EXPECT_NEAR(RedPixels(plot.picture()), M_PI * 25 / 4, 1);
}

TEST(PlotTest, DoesNotDrawWhatIsNotFinite) {
  Plot plot = TenByTen();
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    plot.DrawPoint(bad, 5, 3, kRed);
    plot.DrawPoint(5, bad, 3, kRed);
    plot.DrawPoint(5, 5, bad, kRed);
    plot.DrawPoint(5, 5, 3, kRed, bad > 0 ? 0 : bad);
    plot.DrawEllipse(bad, 5, 1, 1, 1, kRed);
    plot.DrawEllipse(5, bad, 1, 1, 1, kRed);
    plot.DrawEllipse(5, 5, 1, 1, bad, kRed);
  }
  plot.DrawEllipse(5, 5, kInfinity, 1, 1, kRed);
  plot.DrawEllipse(5, 5, 1, kNan, 1, kRed);
  EXPECT_EQ(RedPixels(plot.picture()), 0);
}

TEST(PlotTest, RefusesEmptyRanges) {
  for (const PlotRange& range :
       {PlotRange{1, 1, 0, 1}, PlotRange{0, 1, 2, 1}, PlotRange{0, kNan, 0, 1},
        PlotRange{0, 1, -kInfinity, 1}, PlotRange{-1e308, 1e308, 0, 1},
        PlotRange{0, 5e-324, 0, 1}}) {
    EXPECT_THAT(Plot::Create(range, 10, 10),
                IsInvalid("is empty or not finite"));
  }
  EXPECT_THAT(
      Plot::Create({2, 1, 0, 3.5}, 10, 10),
      IsInvalid("the range of a plot, [2, 1] x [0, 3.5], is empty or not"));
}

TEST(PlotTest, RefusesSizesOutOfRange) {
  EXPECT_THAT(Plot::Create({0, 1, 0, 1}, 0, 10),
              IsInvalid("a plot of 0 x 10 pixels: sides must be from 1 to "
                        "16384"));
  EXPECT_THAT(Plot::Create({0, 1, 0, 1}, 10, 16385), IsInvalid("10 x 16385"));
}

}  // namespace
}  // namespace poe::client
