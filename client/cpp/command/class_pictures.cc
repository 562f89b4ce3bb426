#include "client/cpp/command/class_pictures.h"

#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/io/image_grid.h"

namespace poe::client {
namespace {

constexpr int kAcross = 20;
constexpr int kReconstructed = 2;
constexpr int kSampleSteps = 500;
constexpr int kStepsFromImages = 100;

// The first experts of each class, a line for each class.
absl::Status WriteExperts(const std::string& name, int64_t classes,
                          const ImageRows& images, Reproduction& reproduction) {
  const absl::StatusOr<std::vector<Expert>> experts = reproduction.Experts();
  if (!experts.ok()) return experts.status();
  std::vector<float> weights;
  for (const Expert& expert : *experts) {
    if (expert.number >= kAcross) continue;
    weights.insert(weights.end(), expert.values.begin(), expert.values.end());
  }
  const absl::StatusOr<Picture> picture = SignedImageGrid(
      weights, classes * kAcross, images.height, images.width, kAcross);
  if (!picture.ok()) return picture.status();
  return reproduction.Write(*picture, absl::StrCat(name, "-experts.png"));
}

// Lines of test images, each above its reconstruction by its class's experts.
absl::Status WriteReconstructions(const std::string& name,
                                  const ImageRows& test,
                                  Reproduction& reproduction) {
  std::vector<Picture> strips;
  for (int i = 0; i < kReconstructed; ++i) {
    const ImageRows shown = Slice(test, int64_t{i} * kAcross, kAcross);
    std::vector<float> originals;
    for (const uint8_t byte : shown.values) {
      originals.push_back(static_cast<float>(byte) / 255);
    }
    const absl::StatusOr<std::vector<float>> reconstructions =
        reproduction.Reconstruct(/*class_name=*/"", shown.observations());
    if (!reconstructions.ok()) return reconstructions.status();
    std::vector<Picture> lines;
    for (const auto& line : {originals, *reconstructions}) {
      absl::StatusOr<Picture> picture =
          ImageGrid(line, kAcross, test.height, test.width, kAcross);
      if (!picture.ok()) return picture.status();
      lines.push_back(*std::move(picture));
    }
    strips.push_back(StackVertically(lines, 0));
  }
  return reproduction.Write(StackVertically(strips, 4),
                            absl::StrCat(name, "-reconstructions.png"));
}

// The first images of a class.
ImageRows OfClass(const ImageRows& images, int label, int64_t count) {
  ImageRows found = Slice(images, 0, 0);
  for (int64_t row = 0; row < images.rows() && found.rows() < count; ++row) {
    if (images.labels[row] == label) found.Add(images, row);
  }
  return found;
}

// A line of chains for each class, begun at random or at images of the class.
absl::Status WriteSamples(const std::string& name,
                          const std::vector<std::string>& class_names,
                          const ImageRows& images, bool from_images,
                          const std::string& file, Reproduction& reproduction) {
  std::vector<Picture> lines;
  for (int label = 0; label < std::ssize(class_names); ++label) {
    v1::SampleRequest request;
    request.set_class_name(class_names[label]);
    request.set_chains(kAcross);
    request.set_steps(from_images ? kStepsFromImages : kSampleSteps);
    request.set_mean(true);
    request.set_seed(0);
    if (from_images) {
      request.set_start(v1::SampleRequest::START_DATA);
      *request.mutable_start_from() =
          OfClass(images, label, kAcross).observations();
    }
    const absl::StatusOr<std::vector<float>> samples =
        reproduction.Sample(request);
    if (!samples.ok()) return samples.status();
    absl::StatusOr<Picture> line =
        ImageGrid(*samples, kAcross, images.height, images.width, kAcross);
    if (!line.ok()) return line.status();
    lines.push_back(*std::move(line));
  }
  return reproduction.Write(StackVertically(lines, 0),
                            absl::StrCat(name, file));
}

}  // namespace

absl::Status WriteClassPictures(const std::string& name,
                                const std::vector<std::string>& class_names,
                                const ImageRows& test,
                                Reproduction& reproduction) {
  absl::Status status =
      WriteExperts(name, std::ssize(class_names), test, reproduction);
  if (status.ok()) status = WriteReconstructions(name, test, reproduction);
  if (status.ok()) {
    status = WriteSamples(name, class_names, test, /*from_images=*/false,
                          "-samples.png", reproduction);
  }
  if (status.ok()) {
    status = WriteSamples(name, class_names, test, /*from_images=*/true,
                          "-chains-from-images.png", reproduction);
  }
  return status;
}

}  // namespace poe::client
