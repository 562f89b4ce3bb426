#ifndef POE_CLIENT_CPP_IO_IMAGE_GRID_H_
#define POE_CLIENT_CPP_IO_IMAGE_GRID_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/io/picture.h"

namespace poe::client {

// How a grid of images is laid out.
struct ImageGridOptions {
  // Pixels on a side that show one value, >= 1.
  int magnification = 2;
  // Pixels between images and around the grid, >= 0.
  int gap = 2;
  // What shows in the gaps and where images lack in the last row.
  Color background = kWhite;
};

// Small grey images side by side in rows of `columns`, in reading order: the
// value 0 is black and 1 white, values outside are clamped, NaN is black.
// `images` is count x image_height x image_width, row-major.
//
// INVALID_ARGUMENT if a size or an option is out of range, `images` has
// another number of values, or the picture would be over 2^14 pixels wide or
// high.
absl::StatusOr<Picture> ImageGrid(absl::Span<const float> images, int64_t count,
                                  int64_t image_height, int64_t image_width,
                                  int64_t columns,
                                  const ImageGridOptions& options = {});

// The same for weights of either sign: 0 is mid-grey (128), and each image is
// scaled by its own largest absolute value, which is white (255) if positive
// and nearly black (1) if negative. NaN is mid-grey; an infinity shows as the
// largest value of its sign and does not count in the scale.
absl::StatusOr<Picture> SignedImageGrid(absl::Span<const float> images,
                                        int64_t count, int64_t image_height,
                                        int64_t image_width, int64_t columns,
                                        const ImageGridOptions& options = {});

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_IO_IMAGE_GRID_H_
