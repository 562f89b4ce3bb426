#include "client/cpp/command/spurious_points.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "Eigen/Core"

namespace poe::client {
namespace {

using Points =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int64_t kMostCompared = 1000;
// Rows of the data that are compared with all points at once.
constexpr int64_t kBlock = 4096;

struct Neighbour {
  int64_t row = 0;  // stays where every distance overflows
  double distance = std::numeric_limits<double>::infinity();
};

Eigen::Map<const Points> MapOf(const ScoredPoints& points) {
  return {points.values.data(), points.size(), points.dimension};
}

// Of each of `points` the nearest row of the data, that of number own[i] left
// out.
std::vector<Neighbour> NearestRows(const Points& points,
                                   absl::Span<const int64_t> own,
                                   const ScoredPoints& data) {
  const Eigen::Map<const Points> rows = MapOf(data);
  const Eigen::VectorXf squares = points.rowwise().squaredNorm();
  std::vector<Neighbour> nearest(points.rows());
  for (int64_t begin = 0; begin < rows.rows(); begin += kBlock) {
    const int64_t count = std::min<int64_t>(kBlock, rows.rows() - begin);
    const auto block = rows.middleRows(begin, count);
    Points distances = -2 * points * block.transpose();
    distances.rowwise() += block.rowwise().squaredNorm().transpose();
    for (int64_t i = 0; i < points.rows(); ++i) {
      for (int64_t n = 0; n < count; ++n) {
        if (!own.empty() && own[i] == begin + n) continue;
        const double square = distances(i, n) + squares[i];
        if (square < nearest[i].distance) nearest[i] = {begin + n, square};
      }
    }
  }
  // The root of what rounding may leave a little below 0.
  for (int64_t i = 0; i < points.rows(); ++i) {
    nearest[i].distance = (points.row(i) - rows.row(nearest[i].row)).norm();
  }
  return nearest;
}

// The value that the share `share` of them do not reach.
double Quantile(std::vector<double> values, double share) {
  const auto rank = static_cast<int64_t>(share * (values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[rank];
}

double UsualDistance(const ScoredPoints& data) {
  const int64_t compared = std::min(data.size(), kMostCompared);
  std::vector<int64_t> own(compared);
  Points points(compared, data.dimension);
  for (int64_t i = 0; i < compared; ++i) {
    own[i] = i * data.size() / compared;
    points.row(i) = MapOf(data).row(own[i]);
  }
  std::vector<double> distances;
  for (const Neighbour& neighbour : NearestRows(points, own, data)) {
    distances.push_back(neighbour.distance);
  }
  return Quantile(std::move(distances), 1 - kUnusual);
}

}  // namespace

SpuriousPoints FindSpuriousPoints(const ScoredPoints& data,
                                  const ScoredPoints& ends) {
  SpuriousPoints found;
  found.usual_distance = UsualDistance(data);
  found.usual_log_score =
      Quantile({data.log_scores.begin(), data.log_scores.end()}, kUnusual);
  const Points points = MapOf(ends);
  const std::vector<Neighbour> nearest = NearestRows(points, {}, data);
  std::vector<int64_t> spurious;
  for (int64_t i = 0; i < ends.size(); ++i) {
    if (nearest[i].distance <= found.usual_distance) continue;
    ++found.far_chains;
    if (ends.log_scores[i] >= found.usual_log_score) spurious.push_back(i);
  }
  std::stable_sort(spurious.begin(), spurious.end(), [&](int64_t a, int64_t b) {
    return ends.log_scores[a] > ends.log_scores[b];
  });
  for (const int64_t i : spurious) {
    const auto mode = std::find_if(
        found.modes.begin(), found.modes.end(), [&](const SpuriousMode& mode) {
          return (points.row(i) - points.row(mode.chain)).norm() <=
                 found.usual_distance;
        });
    if (mode == found.modes.end()) {
      found.modes.push_back({.chain = i,
                             .log_score = ends.log_scores[i],
                             .distance = nearest[i].distance,
                             .nearest_row = nearest[i].row,
                             .chains = 1});
    } else {
      ++mode->chains;
    }
  }
  std::stable_sort(found.modes.begin(), found.modes.end(),
                   [](const SpuriousMode& a, const SpuriousMode& b) {
                     return a.chains > b.chains;
                   });
  return found;
}

}  // namespace poe::client
