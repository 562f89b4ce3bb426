#include "poe/numerics/matrix_product.h"

#include <vector>

#include "hwy/highway.h"

namespace poe {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// A block of `result` = left * right: kRows rows of kVectors vectors. Each
// element is one chain of fused multiply-adds over k = 0, 1, ..., whatever the
// block it lies in, so that its bits depend on its row and column alone.
template <int kRows, int kVectors, class D, typename Scalar = hn::TFromD<D>>
void MultiplyBlock(D d, const Scalar* left, Index left_stride,
                   const Scalar* right, Index right_stride, Index depth,
                   Scalar* result, Index result_stride) {
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  hn::Vec<D> sums[kRows][kVectors];
  for (auto& row : sums)
    for (auto& sum : row) sum = hn::Zero(d);
  for (Index k = 0; k < depth; ++k) {
    for (int i = 0; i < kRows; ++i) {
      const auto factor = hn::Set(d, left[i * left_stride + k]);
      for (int v = 0; v < kVectors; ++v)
        sums[i][v] = hn::MulAdd(
            factor, hn::LoadU(d, right + k * right_stride + v * lanes),
            sums[i][v]);
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kVectors; ++v)
      hn::StoreU(sums[i][v], d, result + i * result_stride + v * lanes);
}

// All rows of kVectors vectors of columns.
template <int kVectors, class D, typename Scalar = hn::TFromD<D>>
void MultiplyStrip(D d, Index rows, const Scalar* left, Index left_stride,
                   const Scalar* right, Index right_stride, Index depth,
                   Scalar* result, Index result_stride) {
  Index i = 0;
  for (; i + 4 <= rows; i += 4)
    MultiplyBlock<4, kVectors>(d, left + i * left_stride, left_stride, right,
                               right_stride, depth, result + i * result_stride,
                               result_stride);
  for (; i < rows; ++i)
    MultiplyBlock<1, kVectors>(d, left + i * left_stride, left_stride, right,
                               right_stride, depth, result + i * result_stride,
                               result_stride);
}

// From this many rows on it pays to copy columns together.
constexpr Index kPanelRows = 32;

// Eigen multiplies coefficient by coefficient, with other roundings, where
// rows + depth + columns < 20, and by a matrix-vector kernel where there is one
// column; results have at least kRowQuantum rows.
bool TooSmallForBlocks(Index depth, Index columns) {
  return depth + columns < 20 - kRowQuantum || columns == 1;
}

}  // namespace

template <typename Scalar>
void MultiplyRows(const ConstRowMatrixRef<Scalar>& left,
                  const ConstRowMatrixRef<Scalar>& right,
                  RowMatrixRef<Scalar> result) {
  const hn::ScalableTag<Scalar> d;
  const hn::CappedTag<Scalar, 4> quarter;
  const hn::CappedTag<Scalar, 1> single;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const Index few = static_cast<Index>(hn::Lanes(quarter));
  const Index rows = left.rows(), depth = left.cols(), columns = right.cols();
  Index j = 0;
  const auto multiply = [&]<int kVectors>(auto tag, const Scalar* part,
                                          Index stride) {
    MultiplyStrip<kVectors>(tag, rows, left.data(), left.outerStride(), part,
                            stride, depth, result.data() + j,
                            result.outerStride());
  };
  // Few rows want many columns at a time, many rows a copy of the columns.
  if (rows < 4)
    for (; j + 8 * lanes <= columns; j += 8 * lanes)
      multiply.template operator()<8>(d, right.data() + j, right.outerStride());
  std::vector<Scalar> panel(rows < kPanelRows ? 0 : depth * 3 * lanes);
  for (; j + 3 * lanes <= columns; j += 3 * lanes) {
    if (panel.empty()) {
      multiply.template operator()<3>(d, right.data() + j, right.outerStride());
      continue;
    }
    for (Index k = 0; k < depth; ++k)
      for (Index v = 0; v < 3; ++v)
        hn::StoreU(hn::LoadU(d, right.data() + k * right.outerStride() + j +
                                    v * lanes),
                   d, panel.data() + (3 * k + v) * lanes);
    multiply.template operator()<3>(d, panel.data(), 3 * lanes);
  }
  if (j + 2 * lanes <= columns) {
    multiply.template operator()<2>(d, right.data() + j, right.outerStride());
    j += 2 * lanes;
  }
  if (j + lanes <= columns) {
    multiply.template operator()<1>(d, right.data() + j, right.outerStride());
    j += lanes;
  }
  for (; j + few <= columns; j += few)
    multiply.template operator()<1>(quarter, right.data() + j,
                                    right.outerStride());
  for (; j < columns; ++j)
    multiply.template operator()<1>(single, right.data() + j,
                                    right.outerStride());
}

template <typename Scalar>
void AddMultiplyRowsByTranspose(const ConstRowMatrixRef<Scalar>& left,
                                const ConstRowMatrixRef<Scalar>& right,
                                RowMatrixRef<Scalar> result) {
  if (!TooSmallForBlocks(left.cols(), right.rows())) {
    result.noalias() += left * right.transpose();
    return;
  }
  for (Index i = 0; i < result.rows(); ++i) {
    for (Index j = 0; j < result.cols(); ++j) {
      Scalar sum = 0;
      for (Index k = 0; k < left.cols(); ++k) sum += left(i, k) * right(j, k);
      result(i, j) += sum;
    }
  }
}

template <typename Scalar>
void AddTransposedProduct(const ConstRowMatrixRef<Scalar>& left,
                          const ConstRowMatrixRef<Scalar>& right, Index begin,
                          RowMatrixRef<Scalar> result) {
  if (!TooSmallForBlocks(left.rows(), right.cols())) {
    result.noalias() +=
        left.middleCols(begin, result.rows()).transpose() * right;
    return;
  }
  for (Index i = 0; i < result.rows(); ++i) {
    for (Index j = 0; j < result.cols(); ++j) {
      Scalar sum = 0;
      for (Index k = 0; k < left.rows(); ++k)
        sum += left(k, begin + i) * right(k, j);
      result(i, j) += sum;
    }
  }
}

#define POE_INSTANTIATE(Scalar)                                                \
  template void MultiplyRows<Scalar>(const ConstRowMatrixRef<Scalar>&,         \
                                     const ConstRowMatrixRef<Scalar>&,         \
                                     RowMatrixRef<Scalar>);                    \
  template void AddMultiplyRowsByTranspose<Scalar>(                            \
      const ConstRowMatrixRef<Scalar>&, const ConstRowMatrixRef<Scalar>&,      \
      RowMatrixRef<Scalar>);                                                   \
  template void AddTransposedProduct<Scalar>(const ConstRowMatrixRef<Scalar>&, \
                                             const ConstRowMatrixRef<Scalar>&, \
                                             Index, RowMatrixRef<Scalar>);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
