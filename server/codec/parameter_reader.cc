#include "server/codec/parameter_reader.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/codec/tensor_codec.h"

namespace poe::server {

void ParameterReader::Refuse(absl::string_view part, absl::string_view reason,
                             absl::string_view description) {
  status_.Update(
      FieldError(absl::StrCat(field_, ".", part), reason, description));
}

ParameterShape ParameterReader::ShapeOf(const v1::Tensor& tensor,
                                        absl::string_view name,
                                        int dimensions) {
  ParameterShape shape(tensor.shape().begin(), tensor.shape().end());
  if (static_cast<int>(shape.size()) == dimensions &&
      *std::min_element(shape.begin(), shape.end()) >= 1)
    return shape;
  Refuse(absl::StrCat(name, ".shape"), "INVALID_SHAPE",
         absl::StrCat("is ", ShapeText(shape), "; must have ", dimensions,
                      " dimensions, each at least 1"));
  return ParameterShape(dimensions, 1);
}

RowMatrix<float> ParameterReader::Read(const v1::Tensor& tensor,
                                       absl::string_view name,
                                       const ParameterShape& shape,
                                       Index columns) {
  if (!status_.ok()) return RowMatrix<float>(0, columns);
  absl::StatusOr<RowMatrix<float>> values =
      DecodeParameters(tensor, absl::StrCat(field_, ".", name), shape, columns);
  if (!values.ok()) {
    status_ = values.status();
    return RowMatrix<float>(0, columns);
  }
  for (Index i = 0; i < values->size(); ++i) {
    const float value = values->data()[i];
    if (std::isfinite(value)) continue;
    Refuse(absl::StrCat(name, PlaceText(shape, i)), "INVALID_VALUE",
           absl::StrCat("is ", value, "; must be finite"));
    return RowMatrix<float>(0, columns);
  }
  return *std::move(values);
}

bool ParameterReader::IsWithin(float value, double greatest,
                               absl::string_view name,
                               const ParameterShape& shape, Index i) {
  if (std::abs(value) <= greatest) return true;
  Refuse(absl::StrCat(name, PlaceText(shape, i)), "INVALID_VALUE",
         absl::StrCat("is ", value, "; must be in [", -greatest, ", ", greatest,
                      "]"));
  return false;
}

}  // namespace poe::server
