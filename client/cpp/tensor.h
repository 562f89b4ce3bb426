#ifndef POE_CLIENT_CPP_TENSOR_H_
#define POE_CLIENT_CPP_TENSOR_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// A tensor of these elements, row-major: float32, float64, bytes (b is the
// grey level b / 255) or int32. The product of `shape` must be the number of
// values; the server refuses a tensor where it is not.
v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const float> values);
v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const double> values);
v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const uint8_t> values);
v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const int32_t> values);

// Observations of `dimension` > 0 values each: `values` row by row, N x D;
// symbols as int32.
// `mask` is empty or has one entry for each value: 1 observed, 0 missing.
v1::Observations MakeObservations(absl::Span<const float> values,
                                  int64_t dimension,
                                  absl::Span<const uint8_t> mask = {});
v1::Observations MakeObservations(absl::Span<const uint8_t> values,
                                  int64_t dimension,
                                  absl::Span<const uint8_t> mask = {});
v1::Observations MakeObservations(absl::Span<const int32_t> values,
                                  int64_t dimension,
                                  absl::Span<const uint8_t> mask = {});

// The elements of a tensor, however it is encoded, row-major; bytes b become
// b / 255. INVALID_ARGUMENT if shape and contents do not fit together.
absl::StatusOr<std::vector<float>> TensorFloats(const v1::Tensor& tensor);
absl::StatusOr<std::vector<double>> TensorDoubles(const v1::Tensor& tensor);

// Sequences of rows of `dimension` > 0 values each: `values` row by row,
// sequence after sequence, `lengths` the rows of each. `mask` as above.
v1::Observations MakeSequences(absl::Span<const float> values,
                               int64_t dimension,
                               absl::Span<const int64_t> lengths,
                               absl::Span<const uint8_t> mask = {});
v1::Observations MakeSequences(absl::Span<const int32_t> values,
                               int64_t dimension,
                               absl::Span<const int64_t> lengths,
                               absl::Span<const uint8_t> mask = {});

// The rows of observations, those of sequences end to end.
const v1::Tensor& ValuesOf(const v1::Observations& observations);

// Number of observations: rows, or sequences. 0 if none are given.
int64_t RowCount(const v1::Observations& observations);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_TENSOR_H_
