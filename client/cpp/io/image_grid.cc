#include "client/cpp/io/image_grid.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace poe::client {
namespace {

constexpr int64_t kMaxSide = int64_t{1} << 14;

// Pixels along one side of a grid of `cells` images, each of `length` values;
// more than kMaxSide if that is too many.
int64_t GridSide(int64_t cells, int64_t length,
                 const ImageGridOptions& options) {
  if (cells > kMaxSide || length > kMaxSide ||
      options.magnification > kMaxSide || options.gap > kMaxSide) {
    return kMaxSide + 1;
  }
  return cells * (length * options.magnification + options.gap) + options.gap;
}

void DrawImage(absl::Span<const float> image, int width, int left, int top,
               int magnification, absl::FunctionRef<uint8_t(float)> level,
               Picture* picture) {
  for (size_t i = 0; i < image.size(); ++i) {
    const Color color = Grey(level(image[i]));
    const int x = left + static_cast<int>(i) % width * magnification;
    const int y = top + static_cast<int>(i) / width * magnification;
    for (int dy = 0; dy < magnification; ++dy) {
      for (int dx = 0; dx < magnification; ++dx) {
        picture->Set(x + dx, y + dy, color);
      }
    }
  }
}

// The grid; `draw` is given each image and the place of its top left corner.
absl::StatusOr<Picture> Grid(
    absl::Span<const float> images, int64_t count, int64_t image_height,
    int64_t image_width, int64_t columns, const ImageGridOptions& options,
    absl::FunctionRef<void(absl::Span<const float> image, int left, int top,
                           Picture* picture)>
        draw) {
  if (count < 1 || image_height < 1 || image_width < 1 || columns < 1 ||
      options.magnification < 1 || options.gap < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a grid of ", count, " images of ", image_height, " x ",
                     image_width, " in ", columns, " columns, magnified ",
                     options.magnification, " times with gaps of ", options.gap,
                     ": all must be at least 1, gaps at least 0"));
  }
  columns = std::min(columns, count);
  const int64_t rows = (count - 1) / columns + 1;
  const int64_t width = GridSide(columns, image_width, options);
  const int64_t height = GridSide(rows, image_height, options);
  if (width > kMaxSide || height > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a grid of ", rows, " x ", columns, " images of ", image_height, " x ",
        image_width, ", magnified ", options.magnification,
        " times, is more than ", kMaxSide, " pixels wide or high"));
  }
  const int64_t size = image_height * image_width;
  if (static_cast<uint64_t>(count * size) != images.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        count, " images of ", image_height, " x ", image_width, " have ",
        count * size, " values, but ", images.size(), " are given"));
  }
  Picture picture(static_cast<int>(width), static_cast<int>(height),
                  options.background);
  for (int64_t i = 0; i < count; ++i) {
    draw(images.subspan(static_cast<size_t>(i * size),
                        static_cast<size_t>(size)),
         static_cast<int>(GridSide(i % columns, image_width, options)),
         static_cast<int>(GridSide(i / columns, image_height, options)),
         &picture);
  }
  return picture;
}

uint8_t UnsignedLevel(float value) {
  if (!(value > 0)) return 0;
  return static_cast<uint8_t>(std::lround(255 * std::min(value, 1.0f)));
}

// `scale` is 0 only if no other value than 0 is finite.
uint8_t SignedLevel(float value, float scale) {
  if (std::isnan(value) || value == 0) return 128;
  return static_cast<uint8_t>(
      std::lround(128 + 127 * std::clamp(value / scale, -1.0f, 1.0f)));
}

float LargestMagnitude(absl::Span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

}  // namespace

absl::StatusOr<Picture> ImageGrid(absl::Span<const float> images, int64_t count,
                                  int64_t image_height, int64_t image_width,
                                  int64_t columns,
                                  const ImageGridOptions& options) {
  return Grid(
      images, count, image_height, image_width, columns, options,
      [&](absl::Span<const float> image, int left, int top, Picture* picture) {
        DrawImage(image, static_cast<int>(image_width), left, top,
                  options.magnification, UnsignedLevel, picture);
      });
}

absl::StatusOr<Picture> SignedImageGrid(absl::Span<const float> images,
                                        int64_t count, int64_t image_height,
                                        int64_t image_width, int64_t columns,
                                        const ImageGridOptions& options) {
  return Grid(
      images, count, image_height, image_width, columns, options,
      [&](absl::Span<const float> image, int left, int top, Picture* picture) {
        const float scale = LargestMagnitude(image);
        DrawImage(
            image, static_cast<int>(image_width), left, top,
            options.magnification,
            [scale](float value) { return SignedLevel(value, scale); },
            picture);
      });
}

}  // namespace poe::client
