#include "poe/numerics/moments.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

constexpr Index kBlock = 1024;  // rows centred at a time

}  // namespace

template <typename Scalar>
absl::StatusOr<Moments> WeightedMoments(const ConstRowMatrixRef<Scalar>& values,
                                        absl::Span<const double> weights) {
  const Index rows = values.rows(), width = values.cols();
  if (!weights.empty() && static_cast<Index>(weights.size()) != rows)
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", weights.size(), " weights for ", rows, " rows"));
  if (!values.allFinite())
    return absl::InvalidArgumentError("a value is not finite");
  Vector<double> weight = Vector<double>::Ones(rows);
  for (Index n = 0; n < rows && !weights.empty(); ++n) {
    if (!(weights[n] >= 0) || !std::isfinite(weights[n]))
      return absl::InvalidArgumentError(
          absl::StrCat("the weight of row ", n, " is ", weights[n],
                       "; it must be finite and at least 0"));
    weight(n) = weights[n];
  }
  const Index used = (weight.array() > 0).count();
  if (used < 2)
    return absl::FailedPreconditionError(
        absl::StrCat("there are ", used,
                     " rows of positive weight; moments need at least 2"));
  Moments moments;
  moments.weight = weight.sum();
  const Vector<double> share = weight / moments.weight;
  moments.mean = Vector<double>::Zero(width);
  for (Index n = 0; n < rows; ++n)
    moments.mean +=
        share(n) * values.row(n).transpose().template cast<double>();
  moments.covariance = RowMatrix<double>::Zero(width, width);
  for (Index begin = 0; begin < rows; begin += kBlock) {
    const Index size = std::min(kBlock, rows - begin);
    RowMatrix<double> centred =
        values.middleRows(begin, size).template cast<double>();
    centred.rowwise() -= moments.mean.transpose();
    moments.covariance +=
        centred.transpose() * share.segment(begin, size).asDiagonal() * centred;
  }
  return moments;
}

template absl::StatusOr<Moments> WeightedMoments<float>(
    const ConstRowMatrixRef<float>&, absl::Span<const double>);
template absl::StatusOr<Moments> WeightedMoments<double>(
    const ConstRowMatrixRef<double>&, absl::Span<const double>);

}  // namespace poe
