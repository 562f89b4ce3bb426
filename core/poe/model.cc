#include "poe/model.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

constexpr int kMostSymbols = 65536;

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
  if (!spec.real_inputs || preprocessing.scale.empty()) return absl::OkStatus();
  const std::vector<Columns> columns = ColumnsOf(spec);
  for (std::size_t i = 0; i < dimension; ++i)
    if (!columns[i].is_real_input &&
        (preprocessing.shift[i] != 0 || preprocessing.scale[i] != 1))
      return Refuse(absl::StrCat("preprocessing of coordinate ", i,
                                 " has shift ", preprocessing.shift[i],
                                 " and scale ", preprocessing.scale[i],
                                 "; beside real inputs, outputs are left as "
                                 "they are, with shift 0 and scale 1"));
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

absl::Status ValidateInputs(const DataSpec& spec) {
  Index previous = -1;
  for (Index input : spec.input_coordinates) {
    if (input < 0 || input >= spec.dimension)
      return Refuse(absl::StrCat("input_coordinates names ", input,
                                 "; there are ", spec.dimension,
                                 " coordinates, counted from 0"));
    if (input <= previous)
      return Refuse(absl::StrCat("input_coordinates names ", input, " after ",
                                 previous,
                                 "; they must ascend without repetition"));
    previous = input;
  }
  if (!spec.input_coordinates.empty() &&
      static_cast<Index>(spec.input_coordinates.size()) == spec.dimension)
    return Refuse(
        "input_coordinates names every coordinate; none is left to "
        "be explained");
  if (!spec.real_inputs) return absl::OkStatus();
  if (spec.input_coordinates.empty())
    return Refuse(
        "real_inputs is given without input_coordinates; name the coordinates "
        "that are inputs");
  if (spec.family != Family::kBernoulli && spec.family != Family::kCategorical)
    return Refuse(
        "real_inputs is given for real-valued data, whose inputs are real "
        "anyway; it is for bits and symbols");
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

std::vector<Columns> ColumnsOf(const DataSpec& spec) {
  std::vector<Columns> columns(spec.dimension);
  Index next = spec.width() - spec.num_real_inputs();
  for (Index k = 0; k < spec.num_real_inputs(); ++k)
    columns[spec.input_coordinates[k]] = {next++, 1, true};
  next = 0;
  for (Columns& one : columns) {
    if (one.is_real_input) continue;
    one = {next, spec.family == Family::kCategorical ? spec.num_symbols : 1};
    next += one.count;
  }
  return columns;
}

absl::Status Validate(const DataSpec& spec) {
  if (spec.dimension < 1)
    return Refuse(absl::StrCat("dimension is ", spec.dimension,
                               "; it must be at least 1"));
  if (spec.family == Family::kCategorical
          ? spec.num_symbols < 2 || spec.num_symbols > kMostSymbols
          : spec.num_symbols != 0)
    return Refuse(absl::StrCat("num_symbols is ", spec.num_symbols,
                               "; it must be 2 to ", kMostSymbols,
                               " for categorical data, and 0 for others"));
  if (absl::Status status = ValidateInputs(spec); !status.ok()) return status;
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
  if (spec.family == Family::kCategorical && !spec.real_inputs &&
      spec.preprocessing.kind != Preprocessing::Kind::kNone)
    return Refuse("preprocessing is given; symbols are left as they are");
  if (spec.family == Family::kBernoulli && !spec.real_inputs &&
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

const LogPartition* Model::FindLogPartition(Index class_index,
                                            Index length) const {
  for (const LogPartition& known : classes[class_index].log_partitions)
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
    Index previous = -1;
    for (const LogPartition& known : one.log_partitions) {
      if (!std::isfinite(known.value) || !(known.standard_error >= 0) ||
          (known.length > 0) != model.data_spec.sequential ||
          known.length <= previous)
        return Refuse(absl::StrCat(
            "a log partition of class \"", one.name, "\" is ", known.value,
            " with error ", known.standard_error, " for length ", known.length,
            "; values must be finite, and lengths positive and ascending for "
            "sequences, 0 for dense rows"));
      previous = known.length;
    }
    const Base<float>& base = one.layers[0].base();
    if (base.family() != model.data_spec.family ||
        base.dimension() != model.data_spec.width() ||
        base.num_real_inputs() != model.data_spec.num_real_inputs() ||
        one.layers[0].sequential() != model.data_spec.sequential)
      return Refuse(absl::StrCat("the product of class \"", one.name,
                                 "\" has other data than the model"));
    if (one.usual_verdicts.has_value() &&
        one.usual_verdicts->num_experts() != one.layers[0].num_experts())
      return Refuse(absl::StrCat(
          "class \"", one.name, "\" has usual verdicts of ",
          one.usual_verdicts->num_experts(), " experts; its product has ",
          one.layers[0].num_experts()));
  }
  if (model.comparable_length < 0 ||
      (model.comparable_length > 0 && !model.data_spec.sequential))
    return Refuse(absl::StrCat("comparable_length is ", model.comparable_length,
                               "; it must be that of sequences, or 0"));
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

GatheredRows::GatheredRows(const RawRows& rows,
                           absl::Span<const Index> numbers) {
  Index frames = 0;
  for (Index n : numbers) frames += rows.length(n);
  const Index columns = rows.values.cols();
  values_.resize(frames, columns);
  Index frame = 0;
  for (Index n : numbers) {
    const Index begin = rows.start(n), length = rows.length(n);
    values_.middleRows(frame, length) = rows.values.middleRows(begin, length);
    row_ids_.push_back(rows.row_id(n));
    if (!rows.observed.empty()) {
      const auto part =
          rows.observed.subspan(begin * columns, length * columns);
      observed_.insert(observed_.end(), part.begin(), part.end());
    }
    if (!rows.starts.empty()) starts_.push_back(frame);
    frame += length;
  }
  if (!rows.starts.empty()) starts_.push_back(frame);
}

RawRows GatheredRows::View() const {
  return RawRows{{values_.data(), values_.rows(), values_.cols()},
                 row_ids_,
                 observed_,
                 starts_};
}

Observations<float> Preprocess(const DataSpec& spec, const RawRows& rows,
                               Index begin, Index end) {
  const Index first = rows.start(begin), frames = rows.start(end) - first;
  const Index dimension = spec.dimension, width = spec.width();
  Observations<float> x;
  x.size = end - begin;
  x.values.resize(PaddedRows(frames), width);
  x.values.bottomRows(x.values.rows() - frames).setZero();
  x.row_ids.resize(x.size);
  for (Index n = 0; n < x.size; ++n) x.row_ids[n] = rows.row_id(begin + n);
  for (Index n = begin; !rows.starts.empty() && n < end; ++n)
    x.lengths.push_back(rows.length(n));

  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  auto seen = [&](double raw, Index i) {
    return (raw - preprocessing.shift[i]) / preprocessing.scale[i];
  };
  std::vector<double> lower(dimension, -HUGE_VAL), upper(dimension, HUGE_VAL);
  for (Index i = 0; scaled && spec.box.has_value() && i < dimension; ++i) {
    lower[i] = seen(spec.box->lower[i], i);
    upper[i] = seen(spec.box->upper[i], i);
  }
  const std::vector<Columns> columns = ColumnsOf(spec);
  for (Index frame = 0; frame < frames; ++frame) {
    const auto raw = rows.values.row(first + frame);
    auto row = x.values.row(frame);
    row.setZero();
    for (Index i = 0; i < dimension; ++i) {
      if (!rows.IsObserved(first + frame, i)) continue;
      const Columns& at = columns[i];
      if (at.is_symbol()) {
        row(at.first + static_cast<Index>(raw(i))) = 1;
        continue;
      }
      float& value = row(at.first) = raw(i);
      if (!scaled) continue;
      value = RoundWithin(seen(value, i), lower[i], upper[i]);
      // Rounding must not carry the ends of a fitted range beyond it.
      if (spec.family == Family::kBernoulli && !at.is_real_input &&
          value > -1e-6f && value < 1 + 1e-6f)
        value = std::clamp(value, 0.0f, 1.0f);
    }
  }
  if (!spec.input_coordinates.empty()) {
    const std::vector<std::uint8_t> mask = InputMask(spec);
    for (Index frame = 0; frame < frames; ++frame)
      x.clamped.insert(x.clamped.end(), mask.begin(), mask.end());
  }
  return x;
}

double LogJacobian(const DataSpec& spec, Index i) {
  const bool has_density = spec.family == Family::kGaussian ||
                           spec.family == Family::kStructuredGaussian;
  if (!has_density || spec.preprocessing.scale.empty()) return 0;
  return -std::log(spec.preprocessing.scale[i]);
}

std::vector<std::uint8_t> InputMask(const DataSpec& spec) {
  const std::vector<Columns> columns = ColumnsOf(spec);
  std::vector<std::uint8_t> mask(spec.width(), 0);
  for (Index input : spec.input_coordinates)
    std::fill_n(mask.begin() + columns[input].first, columns[input].count,
                std::uint8_t{1});
  return mask;
}

void KeepObserved(const DataSpec& spec, const RawRows& rows, Index begin,
                  Observations<float>& x) {
  const Index frames = x.frames(), width = spec.width();
  const Index first = rows.start(begin);
  const std::vector<Columns> columns = ColumnsOf(spec);
  x.clamped.resize(frames * width, 0);
  for (Index frame = 0; frame < frames; ++frame)
    for (Index i = 0; i < spec.dimension; ++i)
      if (rows.IsObserved(first + frame, i))
        std::fill_n(x.clamped.begin() + frame * width + columns[i].first,
                    columns[i].count, std::uint8_t{1});
}

void CopyObserved(const RawRows& rows, Index begin,
                  RowMatrixRef<float> values) {
  const Index first = rows.start(begin);
  for (Index frame = 0; frame < values.rows(); ++frame)
    for (Index i = 0; i < values.cols(); ++i)
      if (rows.IsObserved(first + frame, i))
        values(frame, i) = rows.values(first + frame, i);
}

RowMatrix<float> Unprocess(const DataSpec& spec,
                           const ConstRowMatrixRef<float>& values) {
  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  const std::vector<Columns> columns = ColumnsOf(spec);
  RowMatrix<float> result(values.rows(), spec.dimension);
  for (Index n = 0; n < values.rows(); ++n) {
    for (Index i = 0; i < spec.dimension; ++i) {
      const Columns& at = columns[i];
      if (at.is_symbol()) {
        Index symbol;
        values.row(n).segment(at.first, at.count).maxCoeff(&symbol);
        result(n, i) = static_cast<float>(symbol);
        continue;
      }
      double raw = values(n, at.first);
      if (scaled) raw = raw * preprocessing.scale[i] + preprocessing.shift[i];
      double lower = -HUGE_VAL, upper = HUGE_VAL;
      if (spec.box.has_value()) {
        lower = spec.box->lower[i];
        upper = spec.box->upper[i];
      }
      result(n, i) = RoundWithin(std::clamp(raw, lower, upper), lower, upper);
    }
  }
  return result;
}

absl::Status ValidateRows(const DataSpec& spec, const RawRows& rows) {
  if (rows.values.cols() != spec.dimension)
    return Refuse(absl::StrCat("rows have ", rows.values.cols(),
                               " values; the model's have ", spec.dimension));
  if (rows.starts.empty() == spec.sequential)
    return Refuse(spec.sequential
                      ? "observations are dense rows; the model's are sequences"
                      : "observations are sequences; the model's are rows");
  const bool grey = spec.family == Family::kBernoulli &&
                    (spec.preprocessing.kind == Preprocessing::Kind::kNone ||
                     spec.real_inputs);
  const std::vector<Columns> columns = ColumnsOf(spec);
  auto is_legal = [&](float value, const Columns& at) {
    if (at.is_symbol())
      return value >= 0 && value < static_cast<float>(spec.num_symbols) &&
             value == std::trunc(value);
    if (grey && !at.is_real_input) return value >= 0 && value <= 1;
    return std::isfinite(value);
  };
  for (Index n = 0; n < rows.values.rows(); ++n) {
    const float* row = rows.values.row(n).data();
    for (Index i = 0; i < spec.dimension; ++i) {
      const float value = row[i];
      if (is_legal(value, columns[i]) || !rows.IsObserved(n, i)) continue;
      if (!std::isfinite(value))
        return Refuse(absl::StrCat(
            "values[", n, "][", i, "] is ",
            std::isnan(value) ? "NaN" : "infinite",
            "; values must be finite; mark missing values in the mask"));
      return Refuse(
          columns[i].is_symbol()
              ? absl::StrCat("values[", n, "][", i, "] is ", value,
                             "; symbols must be whole numbers from 0 to ",
                             spec.num_symbols - 1)
              : absl::StrCat("values[", n, "][", i, "] is ", value,
                             "; grey levels must be in [0, 1]"));
    }
    for (Index input : spec.input_coordinates)
      if (!rows.IsObserved(n, input))
        return Refuse(absl::StrCat("values[", n, "][", input,
                                   "] is marked missing; coordinate ", input,
                                   " is an input, which must be given"));
  }
  return absl::OkStatus();
}

}  // namespace poe
