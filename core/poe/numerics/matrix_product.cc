#include "poe/numerics/matrix_product.h"

namespace poe {
namespace {

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
  if (!TooSmallForBlocks(left.cols(), right.cols())) {
    result.noalias() = left * right;
    return;
  }
  for (Index i = 0; i < result.rows(); ++i) {
    for (Index j = 0; j < result.cols(); ++j) {
      Scalar sum = 0;
      for (Index k = 0; k < left.cols(); ++k) sum += left(i, k) * right(k, j);
      result(i, j) = sum;
    }
  }
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
