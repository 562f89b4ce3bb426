#include "poe/data_spec.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

constexpr int kMostSymbols = 65536;

absl::Status ValidatePreprocessing(const DataSpec& spec) {
  const Preprocessing& preprocessing = spec.preprocessing;
  const auto dimension = static_cast<std::size_t>(spec.dimension);
  if (preprocessing.shift.size() != preprocessing.scale.size() ||
      (!preprocessing.scale.empty() && preprocessing.scale.size() != dimension))
    return absl::InvalidArgumentError(absl::StrCat(
        "preprocessing has ", preprocessing.shift.size(), " shifts and ",
        preprocessing.scale.size(), " scales for ", dimension, " coordinates"));
  for (std::size_t i = 0; i < preprocessing.scale.size(); ++i) {
    if (!std::isfinite(preprocessing.shift[i]) ||
        !std::isfinite(preprocessing.scale[i]) || preprocessing.scale[i] <= 0)
      return absl::InvalidArgumentError(
          absl::StrCat("preprocessing of coordinate ", i, " has shift ",
                       preprocessing.shift[i], " and scale ",
                       preprocessing.scale[i], "; the scale must be positive"));
  }
  if (!spec.real_inputs || preprocessing.scale.empty()) return absl::OkStatus();
  const std::vector<Columns> columns = ColumnsOf(spec);
  for (std::size_t i = 0; i < dimension; ++i)
    if (!columns[i].is_real_input &&
        (preprocessing.shift[i] != 0 || preprocessing.scale[i] != 1))
      return absl::InvalidArgumentError(absl::StrCat(
          "preprocessing of coordinate ", i, " has shift ",
          preprocessing.shift[i], " and scale ", preprocessing.scale[i],
          "; beside real inputs, outputs are left as "
          "they are, with shift 0 and scale 1"));
  return absl::OkStatus();
}

absl::Status ValidateBox(const DataSpec& spec) {
  if (!(spec.box_margin >= 0) || !std::isfinite(spec.box_margin))
    return absl::InvalidArgumentError(absl::StrCat(
        "box_margin is ", spec.box_margin, "; it must be at least 0"));
  if (!spec.box.has_value()) return absl::OkStatus();
  if (spec.family != Family::kGaussian)
    return absl::InvalidArgumentError("a box is for real-valued data only");
  const auto dimension = static_cast<std::size_t>(spec.dimension);
  if (spec.box->lower.size() != dimension ||
      spec.box->upper.size() != dimension)
    return absl::InvalidArgumentError(absl::StrCat(
        "the box has ", spec.box->lower.size(), " and ", spec.box->upper.size(),
        " bounds for ", dimension, " coordinates"));
  for (std::size_t i = 0; i < dimension; ++i) {
    const double lower = spec.box->lower[i], upper = spec.box->upper[i];
    if (!std::isfinite(lower) || !std::isfinite(upper) || !(lower < upper))
      return absl::InvalidArgumentError(
          absl::StrCat("the box of coordinate ", i, " is [", lower, ", ", upper,
                       "]; bounds must be finite and in order"));
  }
  return absl::OkStatus();
}

absl::Status ValidateInputs(const DataSpec& spec) {
  Index previous = -1;
  for (Index input : spec.input_coordinates) {
    if (input < 0 || input >= spec.dimension)
      return absl::InvalidArgumentError(
          absl::StrCat("input_coordinates names ", input, "; there are ",
                       spec.dimension, " coordinates, counted from 0"));
    if (input <= previous)
      return absl::InvalidArgumentError(
          absl::StrCat("input_coordinates names ", input, " after ", previous,
                       "; they must ascend without repetition"));
    previous = input;
  }
  if (!spec.input_coordinates.empty() &&
      static_cast<Index>(spec.input_coordinates.size()) == spec.dimension)
    return absl::InvalidArgumentError(
        "input_coordinates names every coordinate; none is left to "
        "be explained");
  if (!spec.real_inputs) return absl::OkStatus();
  if (spec.input_coordinates.empty())
    return absl::InvalidArgumentError(
        "real_inputs is given without input_coordinates; name the coordinates "
        "that are inputs");
  if (spec.family != Family::kBernoulli && spec.family != Family::kCategorical)
    return absl::InvalidArgumentError(
        "real_inputs is given for real-valued data, whose inputs are real "
        "anyway; it is for bits and symbols");
  return absl::OkStatus();
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
    return absl::InvalidArgumentError(absl::StrCat(
        "dimension is ", spec.dimension, "; it must be at least 1"));
  if (spec.family == Family::kCategorical
          ? spec.num_symbols < 2 || spec.num_symbols > kMostSymbols
          : spec.num_symbols != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("num_symbols is ", spec.num_symbols, "; it must be 2 to ",
                     kMostSymbols, " for categorical data, and 0 for others"));
  if (absl::Status status = ValidateInputs(spec); !status.ok()) return status;
  if (!spec.coordinate_names.empty() &&
      static_cast<Index>(spec.coordinate_names.size()) != spec.dimension)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", spec.coordinate_names.size(),
                     " coordinate names for ", spec.dimension, " coordinates"));
  if ((spec.image_height != 0 || spec.image_width != 0) &&
      (spec.image_height < 1 || spec.image_width < 1 ||
       static_cast<Index>(spec.image_height) * spec.image_width !=
           spec.dimension))
    return absl::InvalidArgumentError(
        absl::StrCat("an image of ", spec.image_height, " x ", spec.image_width,
                     " does not have ", spec.dimension, " coordinates"));
  if (spec.family == Family::kCategorical && !spec.real_inputs &&
      spec.preprocessing.kind != Preprocessing::Kind::kNone)
    return absl::InvalidArgumentError(
        "preprocessing is given; symbols are left as they are");
  if (spec.family == Family::kBernoulli && !spec.real_inputs &&
      spec.preprocessing.kind == Preprocessing::Kind::kStandardize)
    return absl::InvalidArgumentError(
        "preprocessing is to standardize, which gives values outside [0, 1]; "
        "Bernoulli data are scaled to the unit interval or left as they are");
  if (absl::Status status = ValidatePreprocessing(spec); !status.ok())
    return status;
  return ValidateBox(spec);
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

absl::Status ValidateCoordinates(const DataSpec& spec,
                                 absl::Span<const Index> coordinates) {
  if (!coordinates.empty() && spec.real_inputs)
    return absl::InvalidArgumentError(
        "coordinates are given; beside real inputs (data_spec.real_inputs) "
        "experts see all coordinates");
  Index before = -1;
  for (std::size_t k = 0; k < coordinates.size(); ++k) {
    if (coordinates[k] <= before || coordinates[k] >= spec.dimension)
      return absl::InvalidArgumentError(absl::StrCat(
          "coordinates[", k, "] is ", coordinates[k],
          "; they must ascend from 0 to at most ", spec.dimension - 1));
    before = coordinates[k];
  }
  return absl::OkStatus();
}

DataSpec SelectCoordinates(const DataSpec& spec,
                           absl::Span<const Index> coordinates) {
  DataSpec selected = spec;
  selected.dimension = static_cast<Index>(coordinates.size());
  selected.input_coordinates.clear();
  selected.image_height = selected.image_width = 0;
  const auto select = [&](auto& values) {
    if (values.empty()) return;
    auto all = std::move(values);
    values.clear();
    for (Index i : coordinates) values.push_back(std::move(all[i]));
  };
  select(selected.coordinate_names);
  select(selected.preprocessing.shift);
  select(selected.preprocessing.scale);
  if (selected.box.has_value()) {
    select(selected.box->lower);
    select(selected.box->upper);
  }
  return selected;
}

std::vector<Index> ColumnsOf(const DataSpec& spec,
                             absl::Span<const Index> coordinates) {
  const std::vector<Columns> all = ColumnsOf(spec);
  std::vector<Index> columns;
  for (Index i : coordinates)
    for (Index k = 0; k < all[i].count; ++k)
      columns.push_back(all[i].first + k);
  return columns;
}

}  // namespace poe
