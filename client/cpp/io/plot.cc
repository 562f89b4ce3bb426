#include "client/cpp/io/plot.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace poe::client {
namespace {

constexpr int kMaxPlotSide = 1 << 14;
// Pixel centres are at whole numbers, and edges are softened over one pixel.
constexpr double kHalfPixel = 0.5;
constexpr double kLeastRadius = 0.5;
constexpr double kLeastSpacing = 2;

// How much of a pixel is inked whose centre is `inside` pixels within an edge
// (negative: outside of it).
double Coverage(double inside) {
  return std::clamp(inside + kHalfPixel, 0.0, 1.0);
}

// The pixels from `low` to `high`, cut to [0, size).
std::pair<int, int> PixelsBetween(double low, double high, int size) {
  const double last = size;
  return {static_cast<int>(std::clamp(std::floor(low), 0.0, last)),
          static_cast<int>(std::clamp(std::ceil(high) + 1, 0.0, last))};
}

int NearestPixel(double place, int size) {
  return static_cast<int>(
      std::clamp(std::round(place), 0.0, static_cast<double>(size - 1)));
}

}  // namespace

absl::StatusOr<Plot> Plot::Create(const PlotRange& range, int width,
                                  int height) {
  const double x_length = range.x_max - range.x_min;
  const double y_length = range.y_max - range.y_min;
  const auto is_scale = [](double length) {
    return length > 0 && std::isfinite(length) &&
           std::isfinite(kMaxPlotSide / length);
  };
  if (!is_scale(x_length) || !is_scale(y_length)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the range of a plot, [", range.x_min, ", ", range.x_max, "] x [",
        range.y_min, ", ", range.y_max, "], is empty or not finite"));
  }
  if (std::min(width, height) < 1 || std::max(width, height) > kMaxPlotSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("a plot of ", width, " x ", height,
                     " pixels: sides must be from 1 to ", kMaxPlotSide));
  }
  return Plot(range, Picture(width, height, kWhite));
}

Plot::Plot(const PlotRange& range, Picture picture)
    : range_(range), picture_(std::move(picture)) {}

double Plot::x_scale() const {
  return picture_.width() / (range_.x_max - range_.x_min);
}

double Plot::y_scale() const {
  return picture_.height() / (range_.y_max - range_.y_min);
}

double Plot::PixelX(double x) const {
  return (x - range_.x_min) * x_scale() - kHalfPixel;
}

double Plot::PixelY(double y) const {
  return (range_.y_max - y) * y_scale() - kHalfPixel;
}

void Plot::DrawGridLines(double spacing, Color color) {
  if (!std::isfinite(spacing) ||
      !(spacing * std::min(x_scale(), y_scale()) >= kLeastSpacing)) {
    return;
  }
  const auto draw = [spacing](double low, double high, auto draw_line) {
    const double first = std::ceil(low / spacing);
    const double count = std::floor(high / spacing) - first + 1;
    for (int i = 0; i < count; ++i) draw_line((first + i) * spacing);
  };
  draw(range_.x_min, range_.x_max, [&](double value) {
    const int x = NearestPixel(PixelX(value), picture_.width());
    for (int y = 0; y < picture_.height(); ++y) picture_.Set(x, y, color);
  });
  draw(range_.y_min, range_.y_max, [&](double value) {
    const int y = NearestPixel(PixelY(value), picture_.height());
    for (int x = 0; x < picture_.width(); ++x) picture_.Set(x, y, color);
  });
}

void Plot::DrawPoint(double x, double y, double radius_pixels, Color color,
                     double opacity) {
  const double center_x = PixelX(x);
  const double center_y = PixelY(y);
  if (!std::isfinite(center_x) || !std::isfinite(center_y) ||
      !std::isfinite(radius_pixels)) {
    return;
  }
  const auto [left, right] =
      PixelsBetween(center_x - radius_pixels - kHalfPixel,
                    center_x + radius_pixels + kHalfPixel, picture_.width());
  const auto [top, bottom] =
      PixelsBetween(center_y - radius_pixels - kHalfPixel,
                    center_y + radius_pixels + kHalfPixel, picture_.height());
  for (int pixel_y = top; pixel_y < bottom; ++pixel_y) {
    for (int pixel_x = left; pixel_x < right; ++pixel_x) {
      const double distance =
          std::hypot(pixel_x - center_x, pixel_y - center_y);
      picture_.Blend(pixel_x, pixel_y, color,
                     opacity * Coverage(radius_pixels - distance));
    }
  }
}

void Plot::DrawEllipse(double center_x, double center_y, double radius_x,
                       double radius_y, double pen_pixels, Color color) {
  const double pixel_center_x = PixelX(center_x);
  const double pixel_center_y = PixelY(center_y);
  const double a = std::max(radius_x * x_scale(), kLeastRadius);
  const double b = std::max(radius_y * y_scale(), kLeastRadius);
  const double pen = pen_pixels / 2;
  if (!std::isfinite(pixel_center_x) || !std::isfinite(pixel_center_y) ||
      !std::isfinite(a) || !std::isfinite(b) || !std::isfinite(pen)) {
    return;
  }
  const double margin = pen + kHalfPixel;
  const auto [left, right] =
      PixelsBetween(pixel_center_x - a - margin, pixel_center_x + a + margin,
                    picture_.width());
  const auto [top, bottom] =
      PixelsBetween(pixel_center_y - b - margin, pixel_center_y + b + margin,
                    picture_.height());
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      // To first order, the distance from the curve f = 1 is
      // |f - 1| / |gradient of f|, with f = hypot(u, v).
      const double u = (x - pixel_center_x) / a;
      const double v = (y - pixel_center_y) / b;
      const double f = std::hypot(u, v);
      const double slope = std::hypot(u / a, v / b) / f;
      const double distance = std::abs(f - 1) / slope;
      if (distance < margin) {
        picture_.Blend(x, y, color, Coverage(pen - distance));
      }
    }
  }
}

}  // namespace poe::client
