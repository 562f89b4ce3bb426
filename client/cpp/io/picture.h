#ifndef POE_CLIENT_CPP_IO_PICTURE_H_
#define POE_CLIENT_CPP_IO_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace poe::client {

// A colour of 8 bits a channel, as PNG stores it (sRGB).
struct Color {
  uint8_t red = 0;
  uint8_t green = 0;
  uint8_t blue = 0;

  friend bool operator==(const Color&, const Color&) = default;
};

inline constexpr Color kBlack = {0, 0, 0};
inline constexpr Color kWhite = {255, 255, 255};

constexpr Color Grey(uint8_t level) { return {level, level, level}; }

// A canvas of width x height pixels. (0, 0) is at the top left, x grows to
// the right and y downwards. Drawing outside of it has no effect. Like a
// container: const calls may run at once, others not.
class Picture {
 public:
  // 0 x 0.
  Picture() = default;

  // A negative width or height counts as 0.
  Picture(int width, int height, Color background);

  int width() const { return width_; }
  int height() const { return height_; }

  // Black outside of the picture.
  Color at(int x, int y) const;

  void Set(int x, int y, Color color);

  // Mixes a colour into a pixel: opacity 0 leaves it, 1 replaces it.
  void Blend(int x, int y, Color color, double opacity);

  // Copies `other` with its top left corner at (left, top).
  void Draw(const Picture& other, int left, int top);

  // Writes a PNG file, 8-bit grey if every pixel is grey, else 8-bit RGB.
  // INVALID_ARGUMENT if the picture has no pixel or more than libpng writes;
  // the errors of WriteFileBytes.
  absl::Status WritePng(const std::string& path) const;

 private:
  bool Contains(int x, int y) const;

  // The index in pixels_ of a pixel of the picture.
  size_t Index(int x, int y) const;

  int width_ = 0;
  int height_ = 0;
  // Row by row.
  std::vector<Color> pixels_;
};

// The pictures from top to bottom, `gap` pixels apart, aligned left.
Picture StackVertically(absl::Span<const Picture> pictures, int gap,
                        Color background = kWhite);

// The pictures from left to right, `gap` pixels apart, aligned at the top.
Picture SideBySide(absl::Span<const Picture> pictures, int gap,
                   Color background = kWhite);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_IO_PICTURE_H_
