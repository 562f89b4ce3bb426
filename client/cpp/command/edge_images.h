// The data of the paper's figure 3: small images of one edge each.
#ifndef POE_CLIENT_CPP_COMMAND_EDGE_IMAGES_H_
#define POE_CLIENT_CPP_COMMAND_EDGE_IMAGES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace poe::client {

inline constexpr int kEdgeSide = 10;
inline constexpr int kEdgePixels = kEdgeSide * kEdgeSide;

// count x kEdgePixels. The edge's angle is uniform, it goes through a uniform
// point of the image, both intensities are uniform on [0, 1], and between them
// lies a sigmoid of a width uniform on [0.5, 1] pixel.
std::vector<float> DrawEdges(uint64_t seed, int count);

// R^2 of the sigmoid edge that is nearest to an image of kEdgePixels, any
// affine change of intensities allowed. 0 for a flat image.
double EdgeLikeness(absl::Span<const double> image);

// `centres` x kEdgePixels means of Lloyd's algorithm, started from random
// images: the best of a few starts.
std::vector<float> KMeans(absl::Span<const float> images, int centres,
                          uint64_t seed);

// For each image the nearest centre, as count x kEdgePixels.
std::vector<float> NearestCentres(absl::Span<const float> images,
                                  absl::Span<const float> centres);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EDGE_IMAGES_H_
