#ifndef POE_CLIENT_CPP_COMMAND_CLUSTER_GRID_H_
#define POE_CLIENT_CPP_COMMAND_CLUSTER_GRID_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "client/cpp/command/experts.h"

namespace poe::client {

// The data of the paper's figure 1: Gaussian clusters on a 5 x 5 grid of
// spacing 1, of which one is missing.
inline constexpr int kGridSide = 5;
inline constexpr double kClusterDeviation = 0.05;
inline constexpr int kMissingColumn = 1;
inline constexpr int kMissingRow = 3;

// (24 * points_per_cluster) x 2: columns in [0, 4] and rows in [0, 4].
std::vector<float> DrawClusters(uint64_t seed, int points_per_cluster);

// The columns and rows of the grid that an expert covers: its standard
// deviation is under 0.25 across and over 0.75 along, and its mean is within
// 0.2 of the line.
struct GridCoverage {
  int columns = 0;
  int rows = 0;
  bool complete() const { return columns == kGridSide && rows == kGridSide; }
};
GridCoverage CoverageOf(absl::Span<const Expert> experts);

// How samples (N x 2) fall on the grid, the missing point included.
struct GridHits {
  // Share within 4 cluster deviations of a point, in each coordinate.
  double near = 0;
  // Samples near the missing point, where 1 is a 25th of all.
  double missing_share = 0;
};
GridHits HitsOf(absl::Span<const float> samples);

// What a good fit is: all lines covered, 95% of the samples near a point, and
// between a third and three times its share at the missing one.
bool IsGoodFit(const GridCoverage& coverage, const GridHits& hits);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_CLUSTER_GRID_H_
