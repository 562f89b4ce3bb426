#include "client/cpp/io/picture.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/io/file_bytes.h"

namespace poe::client {
namespace {

uint8_t Mix(uint8_t below, uint8_t above, double opacity) {
  return static_cast<uint8_t>(std::lround(below + (above - below) * opacity));
}

bool IsGrey(Color color) {
  return color.red == color.green && color.green == color.blue;
}

}  // namespace

Picture::Picture(int width, int height, Color background)
    : width_(std::max(width, 0)),
      height_(std::max(height, 0)),
      pixels_(static_cast<size_t>(width_) * static_cast<size_t>(height_),
              background) {}

bool Picture::Contains(int x, int y) const {
  return 0 <= x && x < width_ && 0 <= y && y < height_;
}

size_t Picture::Index(int x, int y) const {
  return static_cast<size_t>(y) * static_cast<size_t>(width_) +
         static_cast<size_t>(x);
}

Color Picture::at(int x, int y) const {
  return Contains(x, y) ? pixels_[Index(x, y)] : kBlack;
}

void Picture::Set(int x, int y, Color color) {
  if (Contains(x, y)) pixels_[Index(x, y)] = color;
}

void Picture::Blend(int x, int y, Color color, double opacity) {
  if (!Contains(x, y) || !(opacity > 0)) return;
  opacity = std::min(opacity, 1.0);
  Color& pixel = pixels_[Index(x, y)];
  pixel.red = Mix(pixel.red, color.red, opacity);
  pixel.green = Mix(pixel.green, color.green, opacity);
  pixel.blue = Mix(pixel.blue, color.blue, opacity);
}

void Picture::Draw(const Picture& other, int left, int top) {
  for (int y = 0; y < other.height_; ++y) {
    for (int x = 0; x < other.width_; ++x) {
      Set(left + x, top + y, other.pixels_[other.Index(x, y)]);
    }
  }
}

absl::Status Picture::WritePng(const std::string& path) const {
  const bool grey = std::all_of(pixels_.begin(), pixels_.end(), IsGrey);
  std::vector<uint8_t> channels;
  channels.reserve(pixels_.size() * (grey ? 1 : 3));
  for (const Color& pixel : pixels_) {
    channels.push_back(pixel.red);
    if (grey) continue;
    channels.push_back(pixel.green);
    channels.push_back(pixel.blue);
  }
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width_);
  image.height = static_cast<png_uint_32>(height_);
  image.format = grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  const auto encode = [&](void* memory, png_alloc_size_t* size) {
    return png_image_write_to_memory(&image, memory, size,
                                     /*convert_to_8_bit=*/0, channels.data(),
                                     /*row_stride=*/0, /*colormap=*/nullptr);
  };
  // The first pass only measures.
  png_alloc_size_t size = 0;
  std::string bytes;
  bool encoded = !pixels_.empty() && encode(nullptr, &size) != 0;
  if (encoded) {
    bytes.resize(size);
    encoded = encode(bytes.data(), &size) != 0;
  }
  if (!encoded) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path, ": a picture of ", width_, " x ",
                     height_, " pixels does not fit the PNG format"));
  }
  return WriteFileBytes(path, bytes);
}

Picture StackVertically(absl::Span<const Picture> pictures, int gap,
                        Color background) {
  int width = 0;
  int height = -gap;
  for (const Picture& picture : pictures) {
    width = std::max(width, picture.width());
    height += picture.height() + gap;
  }
  Picture stack(width, height, background);
  int top = 0;
  for (const Picture& picture : pictures) {
    stack.Draw(picture, 0, top);
    top += picture.height() + gap;
  }
  return stack;
}

Picture SideBySide(absl::Span<const Picture> pictures, int gap,
                   Color background) {
  int width = -gap;
  int height = 0;
  for (const Picture& picture : pictures) {
    width += picture.width() + gap;
    height = std::max(height, picture.height());
  }
  Picture row(width, height, background);
  int left = 0;
  for (const Picture& picture : pictures) {
    row.Draw(picture, left, 0);
    left += picture.width() + gap;
  }
  return row;
}

}  // namespace poe::client
