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

absl::Span<const std::int64_t> ShapeOf(const v1::Tensor& tensor) {
  return absl::MakeConstSpan(tensor.shape().data(), tensor.shape_size());
}

// N x D, or N x H x W where the model's rows are images of that size.
absl::Status CheckShape(const v1::Tensor& dense, const DataSpec& spec,
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
  return FieldError(
      absl::StrCat(field, ".shape"), "INVALID_SHAPE",
      absl::StrCat("is ", ShapeText(shape), "; this model takes ", wanted));
}

absl::Status CheckRowCount(std::int64_t rows, RowLimits limits,
                           absl::string_view field) {
  if (rows == 0)
    return FieldError(field, "NO_ROWS", "has no rows; send at least one");
  if (rows > limits.rows)
    return FieldError(field, "TOO_MANY_ROWS",
                      absl::StrCat("has ", rows, " rows; at most ", limits.rows,
                                   " are taken at a time"),
                      {{"limit", absl::StrCat(limits.rows)}});
  return absl::OkStatus();
}

absl::Status WrongCount(absl::string_view field, std::int64_t count,
                        absl::string_view wanted) {
  return FieldError(
      field, "WRONG_SIZE",
      absl::StrCat("has ", count, " elements; must have ", wanted));
}

absl::Status DecodeMask(const v1::Observations& observations,
                        std::int64_t elements, absl::string_view field,
                        std::vector<std::uint8_t>& observed) {
  const std::string& mask = observations.mask();
  if (mask.empty()) return absl::OkStatus();
  const std::string path = absl::StrCat(field, ".mask");
  if (static_cast<std::int64_t>(mask.size()) != elements)
    return WrongCount(
        path, static_cast<std::int64_t>(mask.size()),
        absl::StrCat(elements, ", one byte for each value, or none"));
  bool missing = false;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const auto byte = static_cast<unsigned char>(mask[i]);
    if (byte > 1)
      return FieldError(
          absl::StrCat(path, PlaceText(ShapeOf(observations.dense()), i)),
          "INVALID_VALUE",
          absl::StrCat("is ", static_cast<int>(byte),
                       "; must be 1 for observed or 0 for missing"));
    missing = missing || byte == 0;
  }
  if (missing) observed.assign(mask.begin(), mask.end());
  return absl::OkStatus();
}

absl::Status DecodeRowIds(const v1::Observations& observations,
                          std::int64_t rows, absl::string_view field,
                          std::vector<std::uint64_t>& row_ids) {
  const auto& ids = observations.row_ids();
  if (ids.empty()) return absl::OkStatus();
  if (ids.size() != rows)
    return WrongCount(absl::StrCat(field, ".row_ids"), ids.size(),
                      absl::StrCat(rows, ", one for each row, or none"));
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
    return WrongCount(path, given.size(),
                      absl::StrCat(rows, ", one for each row, or none"));
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

}  // namespace

RawRows DecodedRows::View() const {
  return RawRows{{values.data(), rows, columns}, row_ids, observed};
}

absl::StatusOr<DecodedRows> DecodeObservations(
    const v1::Observations& observations, const DataSpec& spec,
    RowLimits limits, bool weights_allowed, absl::string_view field) {
  switch (observations.kind_case()) {
    case v1::Observations::kDense:
      break;
    case v1::Observations::kSequences:
      return NotBuiltYet(absl::StrCat(field, ".sequences"),
                         "is given; this version takes dense rows only");
    default:
      return FieldError(absl::StrCat(field, ".dense"), "REQUIRED",
                        "is missing; it holds the rows");
  }
  const v1::Tensor& dense = observations.dense();
  const std::string path = absl::StrCat(field, ".dense");
  absl::Status status = CheckShape(dense, spec, path);
  if (!status.ok()) return status;
  const absl::StatusOr<std::int64_t> elements = CheckTensor(dense, path);
  if (!elements.ok()) return elements.status();

  DecodedRows decoded;
  decoded.rows = dense.shape(0);
  decoded.columns = spec.dimension;
  status = CheckRowCount(decoded.rows, limits, path);
  if (status.ok())
    status = DecodeMask(observations, *elements, field, decoded.observed);
  if (status.ok())
    status = DecodeRowIds(observations, decoded.rows, field, decoded.row_ids);
  if (status.ok())
    status = DecodeWeights(observations, decoded.rows, weights_allowed, field,
                           decoded.weights);
  if (status.ok())
    status = DecodeElements(dense, path, decoded.observed, decoded.values);
  if (status.ok())
    status = NameValues(ValidateRows(spec, decoded.View()), path);
  if (!status.ok()) return status;
  return decoded;
}

}  // namespace poe::server
