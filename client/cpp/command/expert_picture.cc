// Experts as pictures.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/expert_output.h"
#include "client/cpp/io/image_grid.h"

namespace poe::client {
namespace {

constexpr int kGap = 6;

// A grid of experts of one class and kind.
absl::StatusOr<Picture> Grid(const std::vector<Expert>& experts,
                             const v1::DataSpec& spec, int columns) {
  const ExpertKind kind = experts.front().kind;
  std::vector<float> values;
  for (const Expert& expert : experts) {
    values.insert(values.end(), expert.values.begin(), expert.values.end());
  }
  const auto count = static_cast<int64_t>(experts.size());
  if (values.size() !=
      static_cast<size_t>(count) * spec.image_height() * spec.image_width()) {
    return absl::FailedPreconditionError(
        absl::StrCat("experts of kind ", KindName(kind), " have no picture"));
  }
  if (kind == ExpertKind::kUnits) {
    return SignedImageGrid(values, count, spec.image_height(),
                           spec.image_width(), columns);
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float least = *low;
  const float range = *high > *low ? *high - *low : 1;
  for (float& value : values) value = (value - least) / range;
  return ImageGrid(values, count, spec.image_height(), spec.image_width(),
                   columns);
}

}  // namespace

absl::StatusOr<Picture> ExpertPicture(const std::vector<Expert>& experts,
                                      const v1::DataSpec& spec, int columns) {
  std::vector<Picture> pictures;
  for (auto begin = experts.begin(); begin != experts.end();) {
    const auto end =
        std::find_if(begin, experts.end(), [&](const Expert& expert) {
          return expert.class_name != begin->class_name ||
                 expert.kind != begin->kind;
        });
    absl::StatusOr<Picture> picture = Grid({begin, end}, spec, columns);
    if (!picture.ok()) return picture.status();
    pictures.push_back(*std::move(picture));
    begin = end;
  }
  return StackVertically(pictures, kGap);
}

}  // namespace poe::client
