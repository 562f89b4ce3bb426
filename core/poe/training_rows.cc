#include "poe/training_rows.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/random.h"

namespace poe {
namespace {

absl::Status Refuse(const std::string& text) {
  return absl::InvalidArgumentError(text);
}

// What can be learned from rows of which values are missing.
absl::Status CheckMissing(const TrainingSettings& settings,
                          const TrainingRows& rows) {
  bool missing = false;
  for (Index n = 0; n < rows.size() && !missing; ++n)
    missing = !rows.IsComplete(n);
  if (!missing) return absl::OkStatus();
  const Index unobserved = FindUnobserved(settings.data_spec, rows);
  if (unobserved >= 0)
    return Refuse(absl::StrCat("nothing is observed of row ", unobserved,
                               "; there is nothing to learn from it"));
  if (settings.fit_apart.has_value())
    return Refuse(
        "rows have missing values; initialize fits experts to complete rows");
  if (settings.contrastive_divergence.exact ||
      std::any_of(settings.further_divergence.begin(),
                  settings.further_divergence.end(),
                  [](const auto& further) { return further.exact; }))
    return Refuse(
        "rows have missing values; contrastive_divergence.exact is for "
        "complete rows");
  if (!settings.next_layers.empty())
    return Refuse("rows have missing values; next_layer sees complete rows");
  for (const ProductSettings& product : settings.products)
    for (const GroupSettings& group : product.groups)
      if (std::holds_alternative<GaussianTreeSettings>(group.kind))
        return Refuse(
            "rows have missing values; Gaussian trees are found in complete "
            "rows");
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateTrainingRows(const TrainingSettings& settings,
                                  const TrainingRows& rows) {
  const std::size_t classes = settings.class_names.size();
  const auto total = static_cast<std::size_t>(rows.size());
  if (absl::Status status = ValidateRows(settings.data_spec, rows);
      !status.ok())
    return status;
  if (rows.labels.size() != total && !(rows.labels.empty() && classes == 1))
    return Refuse(absl::StrCat("there are ", rows.labels.size(), " labels for ",
                               total, " rows"));
  for (std::size_t n = 0; n < rows.labels.size(); ++n)
    if (rows.labels[n] < 0 ||
        static_cast<std::size_t>(rows.labels[n]) >= classes)
      return Refuse(absl::StrCat("labels[", n, "] is ", rows.labels[n],
                                 "; there are ", classes, " classes"));
  if (!rows.weights.empty() && rows.weights.size() != total)
    return Refuse(absl::StrCat("there are ", rows.weights.size(),
                               " weights for ", total, " rows"));
  for (std::size_t n = 0; n < rows.weights.size(); ++n)
    if (!(rows.weights[n] >= 0) || !std::isfinite(rows.weights[n]))
      return Refuse(absl::StrCat("weights[", n, "] is ", rows.weights[n],
                                 "; weights must be at least 0"));
  return CheckMissing(settings, rows);
}

absl::StatusOr<Split> SplitRows(const TrainingSettings& settings,
                                const TrainingRows& rows) {
  const auto classes = static_cast<Index>(settings.class_names.size());
  const Index total = rows.size();
  Split split;
  split.training.resize(classes);
  split.held_out.resize(classes);
  const Draws draws = {settings.seed, Purpose::kHoldOut, 0, 0};
  for (Index n = 0; n < total; ++n) {
    const Index label = rows.labels.empty() ? 0 : rows.labels[n];
    double draw = 1;
    if (settings.held_out_share > 0 && rows.IsComplete(n))
      FillUniform(draws, static_cast<std::uint64_t>(n),
                  absl::MakeSpan(&draw, 1));
    auto& part =
        draw < settings.held_out_share ? split.held_out : split.training;
    part[label].push_back(n);
  }
  for (Index c = 0; c < classes; ++c)
    if (split.training[c].empty() && settings.NeedsRows(c))
      return absl::FailedPreconditionError(absl::StrCat(
          "class \"", settings.class_names[c], "\" has no rows to train on"));
  return split;
}

absl::Status CheckVaries(const TrainingSettings& settings,
                         const TrainingRows& rows,
                         const std::vector<Index>& numbers, Index class_index) {
  const DataSpec& spec = settings.data_spec;
  const bool real = spec.family == Family::kGaussian ||
                    spec.family == Family::kStructuredGaussian;
  if (!real || spec.box.has_value()) return absl::OkStatus();
  const auto& groups = settings.ProductOf(class_index).groups;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto& kind = groups[g].kind;
    if (std::holds_alternative<BernoulliUnitsSettings>(kind) ||
        std::holds_alternative<UnigaussSettings>(kind))
      continue;
    if (!settings.fit_apart.has_value() &&
        !std::holds_alternative<GaussianTreeSettings>(kind))
      continue;
    for (Index i = 0; i < spec.dimension; ++i) {
      const std::vector<Index>& seen = groups[g].coordinates;
      if (!seen.empty() && !std::binary_search(seen.begin(), seen.end(), i))
        continue;
      double least = HUGE_VAL, greatest = -HUGE_VAL;
      for (Index n : numbers) {
        if (!rows.weights.empty() && rows.weights[n] == 0) continue;
        for (Index frame = rows.start(n); frame < rows.start(n + 1); ++frame) {
          const double value = rows.values(frame, i);
          least = std::min(least, value);
          greatest = std::max(greatest, value);
        }
      }
      if (greatest > least) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          "class \"", settings.class_names[class_index], "\": groups[", g,
          "] cannot be fitted: coordinate ", i, " has the value ", least,
          " in every training row of the class; leave it out",
          spec.family == Family::kGaussian ? ", or give a box" : ""));
    }
  }
  return absl::OkStatus();
}

absl::Status FitDataSpec(const TrainingRows& rows, const Split& split,
                         DataSpec& spec) {
  const Index dimension = spec.dimension;
  Vector<double> least = Vector<double>::Constant(dimension, HUGE_VAL);
  Vector<double> greatest = -least;
  Vector<double> mean = Vector<double>::Zero(dimension);
  Vector<double> squares = mean;  // sum of squared distances to the mean
  Vector<double> count = mean;
  for (const std::vector<Index>& part : split.training) {
    for (Index n : part) {
      const double weight = rows.weights.empty() ? 1 : rows.weights[n];
      if (weight == 0) continue;
      for (Index frame = rows.start(n); frame < rows.start(n + 1); ++frame) {
        for (Index i = 0; i < dimension; ++i) {
          if (!rows.IsObserved(frame, i)) continue;
          const double value = rows.values(frame, i);
          least(i) = std::min(least(i), value);
          greatest(i) = std::max(greatest(i), value);
          count(i) += weight;
          const double before = value - mean(i);
          mean(i) += weight * before / count(i);
          squares(i) += weight * before * (value - mean(i));
        }
      }
    }
  }
  Preprocessing& preprocessing = spec.preprocessing;
  preprocessing.shift.clear();
  preprocessing.scale.clear();
  const std::vector<Columns> columns = ColumnsOf(spec);
  for (Index i = 0; i < dimension; ++i) {
    if (count(i) == 0)
      return Refuse(
          absl::StrCat("coordinate ", i, " is missing in every training row"));
    const double range = greatest(i) - least(i);
    const double deviation = std::sqrt(squares(i) / count(i));
    const bool real = spec.family == Family::kGaussian ||
                      spec.family == Family::kStructuredGaussian;
    if (real && !(range > 0) && !spec.box.has_value())
      return Refuse(absl::StrCat(
          "coordinate ", i, " has the value ", least(i),
          " in every training row; leave it out",
          spec.family == Family::kGaussian ? ", or give a box" : ""));
    const bool left = spec.real_inputs && !columns[i].is_real_input;
    switch (preprocessing.kind) {
      case Preprocessing::Kind::kNone:
        break;
      case Preprocessing::Kind::kUnitInterval:
        preprocessing.shift.push_back(left ? 0 : least(i));
        preprocessing.scale.push_back(!left && range > 0 ? range : 1);
        break;
      case Preprocessing::Kind::kStandardize:
        preprocessing.shift.push_back(left ? 0 : mean(i));
        preprocessing.scale.push_back(!left && deviation > 0 ? deviation : 1);
        break;
    }
  }
  if (spec.family != Family::kGaussian || spec.box.has_value())
    return absl::OkStatus();
  Box box;
  for (Index i = 0; i < dimension; ++i) {
    const double margin = spec.box_margin * (greatest(i) - least(i));
    box.lower.push_back(least(i) - margin);
    box.upper.push_back(greatest(i) + margin);
  }
  spec.box = std::move(box);
  return absl::OkStatus();
}

}  // namespace poe
