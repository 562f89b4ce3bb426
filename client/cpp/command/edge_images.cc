#include "client/cpp/command/edge_images.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <random>

namespace poe::client {
namespace {

constexpr double kLeastWidth = 0.5;
constexpr double kMostWidth = 1;
// Grid over which EdgeLikeness looks for the nearest edge.
constexpr int kAngles = 60;
constexpr int kOffsets = 61;
constexpr int kWidths = 4;
constexpr int kStarts = 3;
constexpr int kLloydRounds = 50;

// How far a pixel is from the line through (x, y) across `angle`.
double Distance(int pixel, double x, double y, double angle) {
  const double column = pixel % kEdgeSide + 0.5 - x;
  const double row = pixel / kEdgeSide + 0.5 - y;
  return column * std::cos(angle) + row * std::sin(angle);
}

double Sigmoid(double t) { return 1 / (1 + std::exp(-t)); }

double SquaredDistance(const float* a, const float* b) {
  double sum = 0;
  for (int i = 0; i < kEdgePixels; ++i) {
    sum += double{a[i] - b[i]} * double{a[i] - b[i]};
  }
  return sum;
}

size_t NearestCentre(const float* image, absl::Span<const float> centres,
                     double& distance) {
  size_t nearest = 0;
  distance = std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < centres.size(); c += kEdgePixels) {
    const double d = SquaredDistance(image, centres.data() + c);
    if (d < distance) {
      distance = d;
      nearest = c;
    }
  }
  return nearest;
}

// One run; returns the sum of squared distances.
double Lloyd(absl::Span<const float> images, std::vector<float>& centres) {
  double total = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kLloydRounds; ++round) {
    std::vector<double> sums(centres.size(), 0);
    std::vector<int> counts(centres.size() / kEdgePixels, 0);
    double now = 0;
    for (size_t n = 0; n < images.size(); n += kEdgePixels) {
      double distance;
      const size_t c = NearestCentre(images.data() + n, centres, distance);
      now += distance;
      ++counts[c / kEdgePixels];
      for (int i = 0; i < kEdgePixels; ++i) sums[c + i] += images[n + i];
    }
    for (size_t i = 0; i < centres.size(); ++i) {
      const int count = counts[i / kEdgePixels];
      if (count > 0) centres[i] = static_cast<float>(sums[i] / count);
    }
    if (now > total * (1 - 1e-6)) return now;
    total = now;
  }
  return total;
}

}  // namespace

std::vector<float> DrawEdges(uint64_t seed, int count) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<float> images;
  images.reserve(size_t{static_cast<size_t>(count)} * kEdgePixels);
  for (int n = 0; n < count; ++n) {
    const double angle = 2 * std::numbers::pi * uniform(engine);
    const double x = kEdgeSide * uniform(engine);
    const double y = kEdgeSide * uniform(engine);
    const double from = uniform(engine);
    const double to = uniform(engine);
    const double width =
        kLeastWidth + (kMostWidth - kLeastWidth) * uniform(engine);
    for (int i = 0; i < kEdgePixels; ++i) {
      images.push_back(static_cast<float>(
          from + (to - from) * Sigmoid(Distance(i, x, y, angle) / width)));
    }
  }
  return images;
}

double EdgeLikeness(absl::Span<const double> image) {
  double mean = 0;
  for (const double value : image) mean += value / kEdgePixels;
  double variance = 0;
  for (const double value : image) variance += (value - mean) * (value - mean);
  if (!(variance > 0)) return 0;
  double best = 0;
  for (int a = 0; a < kAngles; ++a) {
    const double angle = std::numbers::pi * a / kAngles;
    for (int o = 0; o < kOffsets; ++o) {
      // Lines at equal distances from the middle.
      const double offset = kEdgeSide * 0.75 * (2.0 * o / (kOffsets - 1) - 1);
      const double x = kEdgeSide / 2.0 + offset * std::cos(angle);
      const double y = kEdgeSide / 2.0 + offset * std::sin(angle);
      for (int w = 0; w < kWidths; ++w) {
        const double width =
            kLeastWidth + (kMostWidth - kLeastWidth) * w / (kWidths - 1);
        double sum = 0, squares = 0, product = 0;
        for (int i = 0; i < kEdgePixels; ++i) {
          const double edge = Sigmoid(Distance(i, x, y, angle) / width);
          sum += edge;
          squares += edge * edge;
          product += edge * (image[i] - mean);
        }
        const double spread = squares - sum * sum / kEdgePixels;
        if (spread > 1e-9) {
          best = std::max(best, product * product / (spread * variance));
        }
      }
    }
  }
  return best;
}

std::vector<float> KMeans(absl::Span<const float> images, int centres,
                          uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_int_distribution<size_t> image(0,
                                              images.size() / kEdgePixels - 1);
  std::vector<float> best;
  double least = std::numeric_limits<double>::infinity();
  for (int start = 0; start < kStarts; ++start) {
    std::vector<float> found;
    for (int c = 0; c < centres; ++c) {
      const auto one = images.subspan(image(engine) * kEdgePixels, kEdgePixels);
      found.insert(found.end(), one.begin(), one.end());
    }
    const double total = Lloyd(images, found);
    if (total < least) {
      least = total;
      best = std::move(found);
    }
  }
  return best;
}

std::vector<float> NearestCentres(absl::Span<const float> images,
                                  absl::Span<const float> centres) {
  std::vector<float> nearest;
  nearest.reserve(images.size());
  for (size_t n = 0; n < images.size(); n += kEdgePixels) {
    double distance;
    const size_t c = NearestCentre(images.data() + n, centres, distance);
    nearest.insert(nearest.end(), centres.begin() + c,
                   centres.begin() + c + kEdgePixels);
  }
  return nearest;
}

}  // namespace poe::client
