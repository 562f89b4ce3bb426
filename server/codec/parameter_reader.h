// Reads the tensors of one message of stored parameters.
#ifndef POE_SERVER_CODEC_PARAMETER_READER_H_
#define POE_SERVER_CODEC_PARAMETER_READER_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/expert_group.h"
#include "poe/v1/tensor.pb.h"
#include "server/errors.h"

namespace poe::server {

inline constexpr absl::string_view kInvalidParameters = "INVALID_PARAMETERS";

using StatusOrGroup = absl::StatusOr<std::unique_ptr<ExpertGroup<float>>>;
using ParameterShape = std::vector<std::int64_t>;

// The first error stays; after it matrices are empty and shapes ones.
class ParameterReader {
 public:
  explicit ParameterReader(absl::string_view field) : field_(field) {}

  const absl::Status& status() const { return status_; }

  // Lengths of a tensor's dimensions, of which there must be `dimensions`,
  // each at least 1. The tensor may still hold less than that.
  ParameterShape ShapeOf(const v1::Tensor& tensor, absl::string_view name,
                         int dimensions);

  // A tensor of exactly this shape and finite values, as a matrix with
  // `columns` columns.
  RowMatrix<float> Read(const v1::Tensor& tensor, absl::string_view name,
                        const ParameterShape& shape, Index columns);

  // The same, and widens the bounds of `settings` so that loading changes no
  // value.
  template <typename Settings>
  RowMatrix<float> ReadLogVariance(const v1::Tensor& tensor,
                                   absl::string_view name,
                                   const ParameterShape& shape, Index columns,
                                   Settings& settings) {
    RowMatrix<float> values = Read(tensor, name, shape, columns);
    for (Index i = 0; i < values.size(); ++i) {
      const float value = values.data()[i];
      if (!IsWithin(value, kGreatestLogVariance, name, shape, i)) return {};
      Widen(value, settings);
    }
    return values;
  }

  // The same for the lower triangles of `experts` factors with `rows` rows,
  // logarithms of standard deviations on the diagonal. The numbers must be of
  // a tensor that has been read.
  template <typename Settings>
  RowMatrix<float> ReadLogCholesky(const v1::Tensor& tensor,
                                   absl::string_view name, std::int64_t experts,
                                   std::int64_t rows, Settings& settings) {
    const std::int64_t size = rows * (rows + 1) / 2;
    const ParameterShape shape = {experts, size};
    RowMatrix<float> values = Read(tensor, name, shape, size);
    for (Index m = 0; m < values.rows(); ++m) {
      for (Index l = 0, i = 0; l < rows; ++l, i += l + 1) {
        const float value = values(m, i);
        if (!IsWithin(value, kGreatestLogVariance / 2, name, shape,
                      m * size + i))
          return {};
        Widen(2.0 * value, settings);
      }
    }
    return values;
  }

  // The group that T::Create makes of the settings, unless there was an error.
  template <typename T>
  StatusOrGroup Create(typename T::Settings settings) {
    if (!status_.ok()) return status_;
    auto group = T::Create(std::move(settings));
    if (!group.ok())
      return AsFieldError(field_, kInvalidParameters, group.status());
    return *std::move(group);
  }

 private:
  void Refuse(absl::string_view part, absl::string_view reason,
              absl::string_view description);
  // Whether value i of a tensor is within +-greatest; an error otherwise.
  bool IsWithin(float value, double greatest, absl::string_view name,
                const ParameterShape& shape, Index i);

  template <typename Settings>
  static void Widen(double log_variance, Settings& settings) {
    settings.least_log_variance =
        std::min(settings.least_log_variance, log_variance);
    settings.greatest_log_variance =
        std::max(settings.greatest_log_variance, log_variance);
  }

  std::string field_;
  absl::Status status_;
};

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_PARAMETER_READER_H_
