#include "poe/model.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "poe/hierarchy.h"

namespace poe {
Index Model::num_experts() const {
  Index most = 0;
  for (const ClassModel& one : classes) {
    Index experts = 0;
    for (const auto& layer : one.layers) experts += layer.num_experts();
    most = std::max(most, experts);
  }
  return most;
}

const ClassModel* Model::FindClass(absl::string_view name) const {
  for (const ClassModel& one : classes)
    if (one.name == name) return &one;
  return nullptr;
}

const LogPartition* ClassModel::FindLogPartition(Index length) const {
  for (const LogPartition& known : log_partitions)
    if (known.length == length) return &known;
  return nullptr;
}

bool Model::has_log_partitions() const {
  return std::none_of(
      classes.begin(), classes.end(),
      [](const ClassModel& one) { return one.log_partitions.empty(); });
}

Index Model::num_parameters() const {
  Index total = 0;
  for (const ClassModel& one : classes)
    for (const auto& layer : one.layers) total += layer.num_parameters();
  return total;
}

namespace {

// Whether this is a value of log Z with its error, of what the model holds.
bool IsEstimate(double value, double standard_error, Index length,
                const DataSpec& spec) {
  return std::isfinite(value) && standard_error >= 0 &&
         std::isfinite(standard_error) && (length > 0) == spec.sequential;
}

absl::Status CheckLogPartitions(const ClassModel& one, const DataSpec& spec) {
  const LogPartition* previous = nullptr;
  for (const LogPartition& known : one.log_partitions) {
    const bool follows = previous == nullptr ||
                         previous->length < known.length ||
                         (previous->length == known.length &&
                          previous->method != LogPartition::Method::kExact &&
                          previous->method < known.method);
    if (!follows ||
        !IsEstimate(known.value, known.standard_error, known.length, spec))
      return absl::InvalidArgumentError(absl::StrCat(
          "a log partition of class \"", one.name, "\" is ", known.value,
          " with error ", known.standard_error, " for length ", known.length,
          "; values must be finite, and lengths positive and ascending for "
          "sequences, 0 for dense rows, each with one exact value or one of "
          "each direction, forward first"));
    previous = &known;
  }
  return absl::OkStatus();
}

absl::Status CheckDifferences(const Model& model) {
  std::set<std::tuple<Index, Index, Index>> seen;
  for (const ClassPartitionDifference& known :
       model.log_partition_differences) {
    const auto is_class = [&](Index c) {
      return c >= 0 && c < model.num_classes();
    };
    if (!is_class(known.class_index) || !is_class(known.other_index) ||
        known.class_index == known.other_index ||
        !IsEstimate(known.value, known.standard_error, known.length,
                    model.data_spec) ||
        !seen.insert({std::min(known.class_index, known.other_index),
                      std::max(known.class_index, known.other_index),
                      known.length})
             .second)
      return absl::InvalidArgumentError(absl::StrCat(
          "the difference of log Z between classes ", known.class_index,
          " and ", known.other_index, " is ", known.value, " with error ",
          known.standard_error, " for length ", known.length,
          "; values must be finite, lengths positive for sequences and 0 for "
          "dense rows, and each pair of classes named once"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const Model& model) {
  if (absl::Status status = Validate(model.data_spec); !status.ok())
    return status;
  if (model.data_spec.family == Family::kGaussian &&
      !model.data_spec.box.has_value())
    return absl::InvalidArgumentError("a model of real-valued data has no box");
  if (model.data_spec.preprocessing.kind != Preprocessing::Kind::kNone &&
      model.data_spec.preprocessing.scale.empty())
    return absl::InvalidArgumentError(
        "the model's preprocessing has no scales");
  if (model.classes.empty())
    return absl::InvalidArgumentError("a model has no classes");
  std::set<std::string> names;
  for (const ClassModel& one : model.classes) {
    if (one.name.empty())
      return absl::InvalidArgumentError("a class has no name");
    if (!names.insert(one.name).second)
      return absl::InvalidArgumentError(
          absl::StrCat("two classes are named \"", one.name, "\""));
    if (one.layers.empty())
      return absl::InvalidArgumentError(
          absl::StrCat("class \"", one.name, "\" has no layers"));
    if (one.layers.size() != model.classes[0].layers.size())
      return absl::InvalidArgumentError(absl::StrCat(
          "class \"", one.name, "\" has ", one.layers.size(),
          " layers, but class \"", model.classes[0].name, "\" has ",
          model.num_layers(), "; all must have as many"));
    if (absl::Status status = CheckLogPartitions(one, model.data_spec);
        !status.ok())
      return status;
    const Base<float>& base = one.layers[0].base();
    if (base.family() != model.data_spec.family ||
        base.dimension() != model.data_spec.width() ||
        base.num_real_inputs() != model.data_spec.num_real_inputs() ||
        one.layers[0].sequential() != model.data_spec.sequential)
      return absl::InvalidArgumentError(
          absl::StrCat("the product of class \"", one.name,
                       "\" has other data than the model"));
    if (absl::Status status = ValidateLayers(model.data_spec, one.layers);
        !status.ok())
      return absl::InvalidArgumentError(
          absl::StrCat("class \"", one.name, "\": ", status.message()));
    if (one.usual_verdicts.has_value() &&
        one.usual_verdicts->num_experts() != one.layers[0].num_experts())
      return absl::InvalidArgumentError(absl::StrCat(
          "class \"", one.name, "\" has usual verdicts of ",
          one.usual_verdicts->num_experts(), " experts; its product has ",
          one.layers[0].num_experts()));
  }
  if (absl::Status status = CheckDifferences(model); !status.ok())
    return status;
  if (model.comparable_length < 0 ||
      (model.comparable_length > 0 && !model.data_spec.sequential))
    return absl::InvalidArgumentError(
        absl::StrCat("comparable_length is ", model.comparable_length,
                     "; it must be that of sequences, or 0"));
  const Index classes = model.num_classes();
  if (model.separator.has_value() &&
      (model.separator->num_classes() != classes ||
       model.separator->num_features() != classes * model.num_layers()))
    return absl::InvalidArgumentError(absl::StrCat(
        "the separator knows ", model.separator->num_classes(), " classes and ",
        model.separator->num_features(), " log scores; the model has ", classes,
        " and ", classes * model.num_layers()));
  if (model.calibration.has_value()) {
    if (!model.separator.has_value())
      return absl::InvalidArgumentError(
          "a model has class probabilities but no separator");
    if (model.calibration->offsets().size() != classes)
      return absl::InvalidArgumentError(absl::StrCat(
          "the calibration knows ", model.calibration->offsets().size(),
          " classes; the model has ", classes));
  }
  return absl::OkStatus();
}

}  // namespace poe
