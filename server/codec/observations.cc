#include "server/codec/observations.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/errors.h"

namespace poe::server {
namespace {

absl::Status WrongShape(const v1::Tensor& values, absl::string_view wanted,
                        absl::string_view field) {
  return FieldError(absl::StrCat(field, ".shape"), "INVALID_SHAPE",
                    absl::StrCat("is ", ShapeText(ShapeOf(values)),
                                 "; this model takes ", wanted));
}

// N x D, or N x H x W where the model's rows are images of that size.
absl::Status CheckDenseShape(const v1::Tensor& dense, const DataSpec& spec,
                             absl::string_view field) {
  const absl::Span<const std::int64_t> shape = ShapeOf(dense);
  if (shape.size() == 2 && shape[1] == spec.dimension) return absl::OkStatus();
  if (shape.size() == 3 && spec.image_height > 0 &&
      shape[1] == spec.image_height && shape[2] == spec.image_width)
    return absl::OkStatus();
  std::string wanted = absl::StrCat("N x ", spec.dimension);
  if (spec.image_height > 0)
    absl::StrAppend(&wanted, " or N x ", spec.image_height, " x ",
                    spec.image_width);
  return WrongShape(dense, wanted, field);
}

absl::Status CheckSequencesShape(const v1::Tensor& values, const DataSpec& spec,
                                 absl::string_view field) {
  const absl::Span<const std::int64_t> shape = ShapeOf(values);
  if (shape.size() == 2 && shape[1] == spec.dimension) return absl::OkStatus();
  return WrongShape(
      values,
      absl::StrCat("all rows of all sequences, (sum of lengths) x ",
                   spec.dimension),
      field);
}

absl::Status CheckCount(std::int64_t count, absl::string_view noun,
                        std::int64_t limit, absl::string_view field) {
  if (count == 0)
    return FieldError(field, "NO_ROWS",
                      absl::StrCat("has no ", noun, "; send at least one"));
  if (count > limit)
    return FieldError(field, "TOO_MANY_ROWS",
                      absl::StrCat("has ", count, " ", noun, "; at most ",
                                   limit, " are taken at a time"),
                      {{"limit", absl::StrCat(limit)}});
  return absl::OkStatus();
}

// The first row of each sequence and, last, the number of rows.
absl::Status DecodeLengths(const v1::Sequences& sequences, std::int64_t rows,
                           absl::string_view field,
                           std::vector<Index>& starts) {
  const std::string path = absl::StrCat(field, ".lengths");
  const auto& lengths = sequences.lengths();
  starts.reserve(lengths.size() + 1);
  starts.push_back(0);
  for (int n = 0; n < lengths.size(); ++n) {
    if (lengths[n] < 1)
      return FieldError(
          absl::StrCat(path, "[", n, "]"), "OUT_OF_RANGE",
          absl::StrCat("is ", lengths[n], "; a sequence has at least 1 row"));
    if (lengths[n] > rows - starts.back())
      return FieldError(
          absl::StrCat(path, "[", n, "]"), "WRONG_SIZE",
          absl::StrCat("is ", lengths[n], "; after the sequences before it, ",
                       rows - starts.back(), " of the ", rows, " rows of ",
                       field, ".values are left"));
    starts.push_back(starts.back() + lengths[n]);
  }
  if (starts.back() != rows)
    return FieldError(
        path, "WRONG_SIZE",
        absl::StrCat("have a sum of ", starts.back(), "; must be ", rows,
                     ", the rows of ", field, ".values"));
  return absl::OkStatus();
}

absl::Status WrongCount(absl::string_view field, std::int64_t count,
                        absl::string_view wanted) {
  return FieldError(
      field, "WRONG_SIZE",
      absl::StrCat("has ", count, " elements; must have ", wanted));
}

absl::Status DecodeMask(const std::string& mask, const v1::Tensor& values,
                        const DataSpec& spec, absl::string_view field,
                        DecodedRows& decoded) {
  if (mask.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat(field, ".mask");
  const std::int64_t elements = decoded.frames() * decoded.columns;
  if (static_cast<std::int64_t>(mask.size()) != elements)
    return WrongCount(
        path, static_cast<std::int64_t>(mask.size()),
        absl::StrCat(elements, ", one byte for each value, or none"));
  const auto place = [&](std::size_t i) {
    return absl::StrCat(path, PlaceText(ShapeOf(values), i));
  };
  bool missing = false;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const auto byte = static_cast<unsigned char>(mask[i]);
    if (byte > 1)
      return FieldError(
          place(i), "INVALID_VALUE",
          absl::StrCat("is ", static_cast<int>(byte),
                       "; must be 1 for observed or 0 for missing"));
    missing = missing || byte == 0;
  }
  for (Index frame = 0; missing && frame < decoded.frames(); ++frame)
    for (const Index input : spec.input_coordinates)
      if (const Index i = frame * decoded.columns + input; mask[i] == 0)
        return FieldError(place(i), "MISSING_INPUT",
                          absl::StrCat("is 0; coordinate ", input,
                                       " is an input of this model, which "
                                       "must be given"));
  if (missing) decoded.observed.assign(mask.begin(), mask.end());
  return absl::OkStatus();
}

absl::Status DecodeRowIds(const v1::Observations& observations,
                          std::int64_t rows, absl::string_view field,
                          std::vector<std::uint64_t>& row_ids) {
  const auto& ids = observations.row_ids();
  if (ids.empty()) return absl::OkStatus();
  if (ids.size() != rows)
    return WrongCount(
        absl::StrCat(field, ".row_ids"), ids.size(),
        absl::StrCat(rows, ", one for each observation, or none"));
  row_ids.assign(ids.begin(), ids.end());
  return absl::OkStatus();
}

absl::Status DecodeWeights(const v1::Observations& observations,
                           std::int64_t rows, bool allowed,
                           absl::string_view field,
                           std::vector<float>& weights) {
  const auto& given = observations.weights();
  if (given.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat(field, ".weights");
  if (!allowed)
    return FieldError(path, "NOT_ALLOWED",
                      "is given; weights are for training rows only");
  if (given.size() != rows)
    return WrongCount(
        path, given.size(),
        absl::StrCat(rows, ", one for each observation, or none"));
  for (int n = 0; n < given.size(); ++n)
    if (!std::isfinite(given[n]) || given[n] < 0)
      return FieldError(
          absl::StrCat(path, "[", n, "]"), "INVALID_VALUE",
          absl::StrCat("is ", given[n], "; must be finite and at least 0"));
  weights.assign(given.begin(), given.end());
  return absl::OkStatus();
}

// The core names values "values[3][17]"; a client knows them by their path.
absl::Status NameValues(const absl::Status& status, absl::string_view field) {
  if (status.ok()) return status;
  absl::string_view text = status.message();
  const std::size_t place_end = text.find(' ');
  if (status.code() != absl::StatusCode::kInvalidArgument ||
      place_end == absl::string_view::npos ||
      !absl::ConsumePrefix(&text, "values["))
    return WithPrefix(field, status);
  const absl::string_view place = status.message().substr(6, place_end - 6);
  return FieldError(absl::StrCat(field, place), "INVALID_VALUE",
                    status.message().substr(place_end + 1));
}

// The one tensor of values there is, and its path. An error for observations of
// the other kind than the model's.
absl::StatusOr<const v1::Tensor*> FindValues(
    const v1::Observations& observations, const DataSpec& spec,
    absl::string_view field, std::string& path) {
  path = absl::StrCat(field, spec.sequential ? ".sequences" : ".dense");
  switch (observations.kind_case()) {
    case v1::Observations::kDense:
      if (!spec.sequential) return &observations.dense();
      return FieldError(absl::StrCat(field, ".dense"), "WRONG_KIND",
                        absl::StrCat("is given; this model's observations are "
                                     "sequences, send ",
                                     path));
    case v1::Observations::kSequences:
      if (spec.sequential) return &observations.sequences().values();
      return FieldError(absl::StrCat(field, ".sequences"), "WRONG_KIND",
                        absl::StrCat("is given; this model's observations are "
                                     "single rows, send ",
                                     path));
    default:
      return FieldError(path, "REQUIRED",
                        absl::StrCat("is missing; it holds the ",
                                     spec.sequential ? "sequences" : "rows"));
  }
}

// Fills in the numbers of observations, frames and columns.
absl::Status DecodeSizes(const v1::Observations& observations,
                         const v1::Tensor& values, const DataSpec& spec,
                         RowLimits limits, absl::string_view path,
                         DecodedRows& decoded) {
  decoded.columns = spec.dimension;
  if (!spec.sequential) {
    absl::Status status = CheckDenseShape(values, spec, path);
    if (status.ok()) status = CheckTensor(values, path).status();
    if (!status.ok()) return status;
    decoded.rows = values.shape(0);
    return CheckCount(decoded.rows, "rows", limits.rows, path);
  }
  const v1::Sequences& sequences = observations.sequences();
  const std::string values_path = absl::StrCat(path, ".values");
  decoded.rows = sequences.lengths_size();
  absl::Status status = CheckSequencesShape(values, spec, values_path);
  if (status.ok()) status = CheckTensor(values, values_path).status();
  if (status.ok())
    status = CheckCount(decoded.rows, "sequences", limits.sequences, path);
  if (status.ok())
    status = CheckCount(values.shape(0), "rows", limits.rows, values_path);
  if (!status.ok()) return status;
  return DecodeLengths(sequences, values.shape(0), path, decoded.starts);
}

}  // namespace

RawRows DecodedRows::View() const {
  return RawRows{{values.data(), frames(), columns}, row_ids, observed, starts};
}

absl::StatusOr<DecodedRows> DecodeObservations(
    const v1::Observations& observations, const DataSpec& spec,
    RowLimits limits, bool weights_allowed, absl::string_view field) {
  std::string path;
  const absl::StatusOr<const v1::Tensor*> values =
      FindValues(observations, spec, field, path);
  if (!values.ok()) return values.status();
  DecodedRows decoded;
  absl::Status status =
      DecodeSizes(observations, **values, spec, limits, path, decoded);
  if (spec.sequential) absl::StrAppend(&path, ".values");
  if (status.ok())
    status = DecodeMask(observations.mask(), **values, spec, field, decoded);
  if (status.ok())
    status = DecodeRowIds(observations, decoded.rows, field, decoded.row_ids);
  if (status.ok())
    status = DecodeWeights(observations, decoded.rows, weights_allowed, field,
                           decoded.weights);
  if (status.ok())
    status = DecodeElements(**values, path, decoded.observed, decoded.values,
                            spec.family == Family::kCategorical
                                ? Elements::kSymbols
                                : Elements::kNumbers);
  if (status.ok())
    status = NameValues(ValidateRows(spec, decoded.View()), path);
  if (!status.ok()) return status;
  return decoded;
}

}  // namespace poe::server
