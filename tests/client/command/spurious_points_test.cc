#include "client/cpp/command/spurious_points.h"

#include <cmath>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::DoubleNear;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Cloud {
  std::vector<float> values;
  std::vector<double> log_scores;

  void Add(float x, float y, double log_score) {
    values.insert(values.end(), {x, y});
    log_scores.push_back(log_score);
  }

  ScoredPoints points() const {
    return {.values = values, .log_scores = log_scores, .dimension = 2};
  }
};

// A grid of spacing 1, all neighbours at that distance, with log scores 0, 1,
// 2, ... by row.
Cloud Grid(int side) {
  Cloud grid;
  for (int i = 0; i < side; ++i) {
    for (int j = 0; j < side; ++j) grid.Add(i, j, i * side + j);
  }
  return grid;
}

TEST(SpuriousPointsTest, TheYardsticksAreThoseOfTheData) {
  const Cloud data = Grid(10);
  Cloud ends;
  ends.Add(0, 0, 0);
  const SpuriousPoints found = FindSpuriousPoints(data.points(), ends.points());
  EXPECT_THAT(found.usual_distance, DoubleNear(1, 1e-5));
  // One row in a hundred lies below.
  EXPECT_EQ(found.usual_log_score, 0);
  EXPECT_EQ(found.far_chains, 0);
  EXPECT_THAT(found.modes, IsEmpty());
}

TEST(SpuriousPointsTest, FarAndProbableIsSpuriousFarAloneIsNot) {
  const Cloud data = Grid(10);
  Cloud ends;
  ends.Add(4.5, 4.5, 99);   // among the data
  ends.Add(30, 30, 50);     // one mode, its lesser point
  ends.Add(30.5, 30, 60);   // its greater one
  ends.Add(-20, 0, 70);     // another mode
  ends.Add(100, 100, -10);  // far, but the model does not believe in it
  const SpuriousPoints found = FindSpuriousPoints(data.points(), ends.points());
  EXPECT_EQ(found.far_chains, 4);
  ASSERT_THAT(found.modes, SizeIs(2));
  EXPECT_EQ(found.modes[0].chain, 2);
  EXPECT_EQ(found.modes[0].chains, 2);
  EXPECT_EQ(found.modes[0].log_score, 60);
  EXPECT_EQ(found.modes[0].nearest_row, 99);
  EXPECT_THAT(found.modes[0].distance, DoubleNear(std::hypot(21.5, 21), 1e-4));
  EXPECT_EQ(found.modes[1].chain, 3);
  EXPECT_EQ(found.modes[1].chains, 1);
  EXPECT_EQ(found.modes[1].nearest_row, 0);
}

// More rows than a block has and than the usual distance is taken from.
TEST(SpuriousPointsTest, NearestRowsAgreeWithAPlainSearch) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<float> place(0, 1);
  Cloud data, ends;
  for (int n = 0; n < 9000; ++n) data.Add(place(engine), place(engine), 1);
  for (int n = 0; n < 20; ++n) {
    ends.Add(3 + n + place(engine), place(engine), 2 + n);
  }
  const SpuriousPoints found = FindSpuriousPoints(data.points(), ends.points());
  ASSERT_THAT(found.modes, SizeIs(20));
  for (const SpuriousMode& mode : found.modes) {
    int64_t nearest = -1;
    double least = 1e9;
    for (int64_t n = 0; n < 9000; ++n) {
      const double distance =
          std::hypot(data.values[2 * n] - ends.values[2 * mode.chain],
                     data.values[2 * n + 1] - ends.values[2 * mode.chain + 1]);
      if (distance < least) {
        least = distance;
        nearest = n;
      }
    }
    EXPECT_EQ(mode.nearest_row, nearest);
    EXPECT_THAT(mode.distance, DoubleNear(least, 1e-4));
  }
}

}  // namespace
}  // namespace poe::client
