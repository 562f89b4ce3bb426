#include "poe/model.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

absl::Status Refuse(const std::string& text) {
  return absl::InvalidArgumentError(text);
}

absl::Status ValidatePreprocessing(const DataSpec& spec) {
  const Preprocessing& preprocessing = spec.preprocessing;
  const auto dimension = static_cast<std::size_t>(spec.dimension);
  if (preprocessing.shift.size() != preprocessing.scale.size() ||
      (!preprocessing.scale.empty() && preprocessing.scale.size() != dimension))
    return Refuse(absl::StrCat("preprocessing has ", preprocessing.shift.size(),
                               " shifts and ", preprocessing.scale.size(),
                               " scales for ", dimension, " coordinates"));
  for (std::size_t i = 0; i < preprocessing.scale.size(); ++i) {
    if (!std::isfinite(preprocessing.shift[i]) ||
        !std::isfinite(preprocessing.scale[i]) || preprocessing.scale[i] <= 0)
      return Refuse(absl::StrCat("preprocessing of coordinate ", i,
                                 " has shift ", preprocessing.shift[i],
                                 " and scale ", preprocessing.scale[i],
                                 "; the scale must be positive"));
  }
  return absl::OkStatus();
}

absl::Status ValidateBox(const DataSpec& spec) {
  if (!(spec.box_margin >= 0) || !std::isfinite(spec.box_margin))
    return Refuse(absl::StrCat("box_margin is ", spec.box_margin,
                               "; it must be at least 0"));
  if (!spec.box.has_value()) return absl::OkStatus();
  if (spec.family != Family::kGaussian)
    return Refuse("a box is for real-valued data only");
  const auto dimension = static_cast<std::size_t>(spec.dimension);
  if (spec.box->lower.size() != dimension ||
      spec.box->upper.size() != dimension)
    return Refuse(absl::StrCat("the box has ", spec.box->lower.size(), " and ",
                               spec.box->upper.size(), " bounds for ",
                               dimension, " coordinates"));
  for (std::size_t i = 0; i < dimension; ++i) {
    const double lower = spec.box->lower[i], upper = spec.box->upper[i];
    if (!std::isfinite(lower) || !std::isfinite(upper) || !(lower < upper))
      return Refuse(absl::StrCat("the box of coordinate ", i, " is [", lower,
                                 ", ", upper,
                                 "]; bounds must be finite and in order"));
  }
  return absl::OkStatus();
}

// Rounds to float, but not across a bound.
float RoundWithin(double value, double lower, double upper) {
  const auto rounded = static_cast<float>(value);
  if (rounded < lower && value >= lower)
    return std::nextafter(rounded, HUGE_VALF);
  if (rounded > upper && value <= upper)
    return std::nextafter(rounded, -HUGE_VALF);
  return rounded;
}

}  // namespace

absl::Status Validate(const DataSpec& spec) {
  if (spec.family != Family::kBernoulli && spec.family != Family::kGaussian)
    return absl::UnimplementedError(
        "this version knows Bernoulli and Gaussian data only");
  if (spec.dimension < 1)
    return Refuse(absl::StrCat("dimension is ", spec.dimension,
                               "; it must be at least 1"));
  if (!spec.coordinate_names.empty() &&
      static_cast<Index>(spec.coordinate_names.size()) != spec.dimension)
    return Refuse(absl::StrCat("there are ", spec.coordinate_names.size(),
                               " coordinate names for ", spec.dimension,
                               " coordinates"));
  if ((spec.image_height != 0 || spec.image_width != 0) &&
      (spec.image_height < 1 || spec.image_width < 1 ||
       static_cast<Index>(spec.image_height) * spec.image_width !=
           spec.dimension))
    return Refuse(absl::StrCat("an image of ", spec.image_height, " x ",
                               spec.image_width, " does not have ",
                               spec.dimension, " coordinates"));
  if (spec.family == Family::kBernoulli &&
      spec.preprocessing.kind == Preprocessing::Kind::kStandardize)
    return Refuse(
        "preprocessing is to standardize, which gives values outside [0, 1]; "
        "Bernoulli data are scaled to the unit interval or left as they are");
  if (absl::Status status = ValidatePreprocessing(spec); !status.ok())
    return status;
  return ValidateBox(spec);
}

Index Model::num_experts() const {
  Index most = 0;
  for (const ClassModel& one : classes) {
    Index experts = 0;
    for (const auto& layer : one.layers) experts += layer.num_experts();
    most = std::max(most, experts);
  }
  return most;
}

Index Model::num_parameters() const {
  Index total = 0;
  for (const ClassModel& one : classes)
    for (const auto& layer : one.layers) total += layer.num_parameters();
  return total;
}

absl::Status Validate(const Model& model) {
  if (absl::Status status = Validate(model.data_spec); !status.ok())
    return status;
  if (model.data_spec.family == Family::kGaussian &&
      !model.data_spec.box.has_value())
    return Refuse("a model of real-valued data has no box");
  if (model.data_spec.preprocessing.kind != Preprocessing::Kind::kNone &&
      model.data_spec.preprocessing.scale.empty())
    return Refuse("the model's preprocessing has no scales");
  if (model.classes.empty()) return Refuse("a model has no classes");
  std::set<std::string> names;
  for (const ClassModel& one : model.classes) {
    if (one.name.empty()) return Refuse("a class has no name");
    if (!names.insert(one.name).second)
      return Refuse(absl::StrCat("two classes are named \"", one.name, "\""));
    if (one.layers.size() != 1)
      return absl::UnimplementedError(
          absl::StrCat("class \"", one.name, "\" has ", one.layers.size(),
                       " layers; this version knows one"));
    const Base<float>& base = one.layers[0].base();
    if (base.family() != model.data_spec.family ||
        base.dimension() != model.data_spec.dimension)
      return Refuse(absl::StrCat("the product of class \"", one.name,
                                 "\" has other data than the model"));
  }
  const Index classes = model.num_classes();
  if (model.separator.has_value() &&
      (model.separator->num_classes() != classes ||
       model.separator->num_features() != classes))
    return Refuse(absl::StrCat("the separator knows ",
                               model.separator->num_classes(), " classes and ",
                               model.separator->num_features(),
                               " log scores; the model has ", classes));
  if (model.calibration.has_value()) {
    if (!model.separator.has_value())
      return Refuse("a model has class probabilities but no separator");
    if (model.calibration->offsets().size() != classes)
      return Refuse(absl::StrCat("the calibration knows ",
                                 model.calibration->offsets().size(),
                                 " classes; the model has ", classes));
  }
  return absl::OkStatus();
}

Observations<float> Preprocess(const DataSpec& spec, const RawRows& rows,
                               Index begin, Index end) {
  Observations<float> x;
  x.size = end - begin;
  x.values.resize(PaddedRows(x.size), spec.dimension);
  x.values.bottomRows(x.values.rows() - x.size).setZero();
  x.row_ids.resize(x.size);
  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  auto seen = [&](double raw, Index i) {
    return (raw - preprocessing.shift[i]) / preprocessing.scale[i];
  };
  std::vector<double> lower(spec.dimension, -HUGE_VAL);
  std::vector<double> upper(spec.dimension, HUGE_VAL);
  for (Index i = 0; scaled && spec.box.has_value() && i < spec.dimension; ++i) {
    lower[i] = seen(spec.box->lower[i], i);
    upper[i] = seen(spec.box->upper[i], i);
  }
  for (Index n = 0; n < x.size; ++n) {
    const Index row = begin + n;
    x.row_ids[n] = rows.row_ids.empty() ? static_cast<std::uint64_t>(row)
                                        : rows.row_ids[row];
    x.values.row(n) = rows.values.row(row);
    for (Index i = 0; scaled && i < spec.dimension; ++i)
      x.values(n, i) = RoundWithin(seen(x.values(n, i), i), lower[i], upper[i]);
    // Rounding must not carry the ends of a fitted range beyond it.
    if (scaled && spec.family == Family::kBernoulli)
      for (float& value :
           absl::MakeSpan(x.values.row(n).data(), spec.dimension))
        if (value > -1e-6f && value < 1 + 1e-6f)
          value = std::clamp(value, 0.0f, 1.0f);
    if (rows.observed.empty()) continue;
    for (Index i = 0; i < spec.dimension; ++i)
      if (rows.observed[row * spec.dimension + i] == 0) x.values(n, i) = 0;
  }
  return x;
}

void Unprocess(const DataSpec& spec, RowMatrixRef<float> values) {
  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  if (!scaled && !spec.box.has_value()) return;
  for (Index n = 0; n < values.rows(); ++n) {
    for (Index i = 0; i < spec.dimension; ++i) {
      double raw = values(n, i);
      if (scaled) raw = raw * preprocessing.scale[i] + preprocessing.shift[i];
      double lower = -HUGE_VAL, upper = HUGE_VAL;
      if (spec.box.has_value()) {
        lower = spec.box->lower[i];
        upper = spec.box->upper[i];
      }
      values(n, i) = RoundWithin(std::clamp(raw, lower, upper), lower, upper);
    }
  }
}

absl::Status ValidateRows(const DataSpec& spec, const RawRows& rows) {
  if (rows.values.cols() != spec.dimension)
    return Refuse(absl::StrCat("rows have ", rows.values.cols(),
                               " values; the model's have ", spec.dimension));
  const bool grey = spec.family == Family::kBernoulli &&
                    spec.preprocessing.kind == Preprocessing::Kind::kNone;
  for (Index n = 0; n < rows.size(); ++n) {
    const float* row = rows.values.row(n).data();
    for (Index i = 0; i < spec.dimension; ++i) {
      const float value = row[i];
      if (grey ? value >= 0 && value <= 1 : std::isfinite(value)) continue;
      if (!rows.observed.empty() && rows.observed[n * spec.dimension + i] == 0)
        continue;
      if (!std::isfinite(value))
        return Refuse(absl::StrCat(
            "values[", n, "][", i, "] is ",
            std::isnan(value) ? "NaN" : "infinite",
            "; values must be finite; mark missing values in the mask"));
      return Refuse(absl::StrCat("values[", n, "][", i, "] is ", value,
                                 "; grey levels must be in [0, 1]"));
    }
  }
  return absl::OkStatus();
}

}  // namespace poe
