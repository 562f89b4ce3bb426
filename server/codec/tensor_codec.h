// Tensors of the API to arrays of float, and back. Bytes are little-endian.
#ifndef POE_SERVER_CODEC_TENSOR_CODEC_H_
#define POE_SERVER_CODEC_TENSOR_CODEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"
#include "poe/v1/tensor.pb.h"

namespace poe::server {

// Its dimensions; valid as long as the tensor is, and unchanged.
absl::Span<const std::int64_t> ShapeOf(const v1::Tensor& tensor);

// "[3, 256]".
std::string ShapeText(absl::Span<const std::int64_t> shape);

// "[3][17]", the place of element `flat` of a row-major array.
std::string PlaceText(absl::Span<const std::int64_t> shape, std::int64_t flat);

// The product of the dimensions. A FieldError for a negative one, and for more
// elements than can be; `field` is the tensor's path in the request.
absl::StatusOr<std::int64_t> CountElements(absl::Span<const std::int64_t> shape,
                                           absl::string_view field);

// The number of elements, if shape, element type and the elements given agree.
// Otherwise a FieldError; `field` is the tensor's path in the request.
absl::StatusOr<std::int64_t> CheckTensor(const v1::Tensor& tensor,
                                         absl::string_view field);

// What a tensor holds, which says what its element types mean.
enum class Elements { kNumbers, kSymbols };

// Replaces `values` by the elements of a tensor that has passed CheckTensor:
// b / 255 for UINT8, rounded to float for FLOAT64. A FieldError for a FLOAT64
// beyond the range of float, for numbers as INT32 other than 0 and 1, and for
// symbols as UINT8. `observed` is one byte for each element, or empty; elements
// under a 0 are not checked.
absl::Status DecodeElements(const v1::Tensor& tensor, absl::string_view field,
                            absl::Span<const std::uint8_t> observed,
                            std::vector<float>& values,
                            Elements kind = Elements::kNumbers);

// Model parameters: FLOAT32 only, of exactly the shape `expected`, as a matrix
// with so many columns; a divisor of their number.
absl::StatusOr<RowMatrix<float>> DecodeParameters(
    const v1::Tensor& tensor, absl::string_view field,
    absl::Span<const std::int64_t> expected, Index columns);

// A matrix as FLOAT32 or FLOAT64 bytes. `shape` replaces rows x columns where
// it is given; it must have as many elements.
void EncodeTensor(ConstRowMatrixRef<float> matrix, v1::Tensor* tensor,
                  absl::Span<const std::int64_t> shape = {});
void EncodeTensor(ConstRowMatrixRef<double> matrix, v1::Tensor* tensor,
                  absl::Span<const std::int64_t> shape = {});
// The same of whole numbers, as INT32.
void EncodeSymbols(ConstRowMatrixRef<float> matrix, v1::Tensor* tensor,
                   absl::Span<const std::int64_t> shape = {});

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_TENSOR_CODEC_H_
