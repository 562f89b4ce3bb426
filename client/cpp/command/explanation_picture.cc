// Explanations of images as a picture.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/explanation.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/io/image_grid.h"

namespace poe::client {
namespace {

constexpr int kImageGap = 2;

// The state whose mean is nearest to the image; the only one of units.
const Expert& Nearest(absl::Span<const Expert> states,
                      absl::Span<const float> image) {
  const Expert* nearest = &states.front();
  double least = std::numeric_limits<double>::infinity();
  for (const Expert& state : states) {
    if (state.values.size() != image.size()) continue;
    double distance = 0;
    for (size_t i = 0; i < image.size(); ++i) {
      distance += std::pow(state.values[i] - image[i], 2);
    }
    if (!(distance < least)) continue;
    least = distance;
    nearest = &state;
  }
  return *nearest;
}

// An image on a line of the picture.
struct Cell {
  std::vector<float> values;
  bool is_signed = false;
};

absl::StatusOr<std::vector<Cell>> Cells(const Explanation& explanation,
                                        absl::Span<const float> image) {
  std::vector<Cell> cells = {{{image.begin(), image.end()}}};
  for (const Objector& objector : explanation.objectors) {
    const Expert& shown = Nearest(objector.states, image);
    if (shown.values.size() != image.size()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "experts of kind ", KindName(shown.kind), " have no picture"));
    }
    cells.push_back({{shown.values.begin(), shown.values.end()},
                     shown.kind == ExpertKind::kUnits});
  }
  return cells;
}

}  // namespace

absl::StatusOr<Picture> ExplanationPicture(
    absl::Span<const Explanation> explanations,
    const std::vector<float>& images, const v1::DataSpec& spec) {
  if (spec.image_height() == 0) {
    return absl::FailedPreconditionError("the model's data are no images");
  }
  std::vector<std::vector<Cell>> lines;
  // All that shares one scale of grey.
  std::vector<std::vector<float>> plain;
  for (size_t n = 0; n < explanations.size(); ++n) {
    absl::StatusOr<std::vector<Cell>> cells =
        Cells(explanations[n], absl::MakeConstSpan(images).subspan(
                                   n * spec.dimension(), spec.dimension()));
    if (!cells.ok()) return cells.status();
    for (const Cell& cell : *cells) {
      if (!cell.is_signed) plain.push_back(cell.values);
    }
    lines.push_back(*std::move(cells));
  }
  ToGreyLevels(spec, plain);
  auto next = plain.begin();
  std::vector<Picture> stacked;
  for (const std::vector<Cell>& line : lines) {
    std::vector<Picture> pictures;
    for (const Cell& cell : line) {
      absl::StatusOr<Picture> picture =
          cell.is_signed ? SignedImageGrid(cell.values, 1, spec.image_height(),
                                           spec.image_width(), 1, {.gap = 0})
                         : ImageGrid(*next++, 1, spec.image_height(),
                                     spec.image_width(), 1, {.gap = 0});
      if (!picture.ok()) return picture.status();
      pictures.push_back(*std::move(picture));
    }
    stacked.push_back(SideBySide(pictures, kImageGap));
  }
  return StackVertically(stacked, kImageGap);
}

}  // namespace poe::client
