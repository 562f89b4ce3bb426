#include "client/cpp/command/cluster_grid.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <random>

namespace poe::client {
namespace {

constexpr double kMostAcross = 0.25;
constexpr double kLeastAlong = 0.75;
constexpr double kMostOffLine = 0.2;
constexpr double kNear = 4 * kClusterDeviation;
constexpr double kLeastNear = 0.95;
constexpr double kLeastMissingShare = 1.0 / 3;
constexpr double kMostMissingShare = 3;

// The line of the grid nearest to a coordinate, -1 if it is not within
// `distance` of any.
int LineAt(double coordinate, double distance) {
  if (!(coordinate > -1 && coordinate < kGridSide)) return -1;
  const double line = std::round(coordinate);
  if (line < 0 || line >= kGridSide) return -1;
  return std::abs(coordinate - line) <= distance ? static_cast<int>(line) : -1;
}

int CoveredLines(absl::Span<const Expert> experts, int axis) {
  std::array<bool, kGridSide> covered = {};
  for (const Expert& expert : experts) {
    if (expert.deviations[axis] >= kMostAcross ||
        expert.deviations[1 - axis] <= kLeastAlong) {
      continue;
    }
    const int line = LineAt(expert.values[axis], kMostOffLine);
    if (line >= 0) covered[line] = true;
  }
  return static_cast<int>(std::count(covered.begin(), covered.end(), true));
}

}  // namespace

std::vector<float> DrawClusters(uint64_t seed, int points_per_cluster) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal(0, kClusterDeviation);
  std::vector<float> points;
  for (int column = 0; column < kGridSide; ++column) {
    for (int row = 0; row < kGridSide; ++row) {
      if (column == kMissingColumn && row == kMissingRow) continue;
      for (int i = 0; i < points_per_cluster; ++i) {
        points.push_back(static_cast<float>(column + normal(engine)));
        points.push_back(static_cast<float>(row + normal(engine)));
      }
    }
  }
  return points;
}

GridCoverage CoverageOf(absl::Span<const Expert> experts) {
  return {.columns = CoveredLines(experts, 0),
          .rows = CoveredLines(experts, 1)};
}

GridHits HitsOf(absl::Span<const float> samples) {
  int near = 0;
  int missing = 0;
  for (size_t i = 0; i + 1 < samples.size(); i += 2) {
    const int column = LineAt(samples[i], kNear);
    const int row = LineAt(samples[i + 1], kNear);
    if (column < 0 || row < 0) continue;
    ++near;
    if (column == kMissingColumn && row == kMissingRow) ++missing;
  }
  const double count = static_cast<double>(samples.size()) / 2;
  return {.near = near / count,
          .missing_share = missing * kGridSide * kGridSide / count};
}

bool IsGoodFit(const GridCoverage& coverage, const GridHits& hits) {
  return coverage.complete() && hits.near >= kLeastNear &&
         hits.missing_share >= kLeastMissingShare &&
         hits.missing_share <= kMostMissingShare;
}

}  // namespace poe::client
