// Matrix products whose rows do not depend on how many rows there are.
//
// Every element of a result is one chain of multiply-adds over the inner
// dimension, so that it has the same bits in any batch, at any position and for
// any split over threads. MultiplyRows, which scoring rests on, is as fast for
// one row as for many.
#ifndef POE_NUMERICS_MATRIX_PRODUCT_H_
#define POE_NUMERICS_MATRIX_PRODUCT_H_

#include <vector>

#include "Eigen/Core"

namespace poe {

using Index = Eigen::Index;

template <typename Scalar>
using RowMatrix =
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename Scalar>
using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
template <typename Scalar>
using RowMatrixRef = Eigen::Ref<RowMatrix<Scalar>, 0, Eigen::OuterStride<>>;
template <typename Scalar>
using ConstRowMatrixRef =
    Eigen::Ref<const RowMatrix<Scalar>, 0, Eigen::OuterStride<>>;

// Rows that the products take at a time; fewer take nearly as long.
inline constexpr Index kRowQuantum = 4;

// The number of rows a matrix of `rows` rows is stored with.
constexpr Index PaddedRows(Index rows) {
  return (rows + kRowQuantum - 1) / kRowQuantum * kRowQuantum;
}

// The right factor of many products, with its columns lying together as the
// products take them. Const methods are thread-safe, and so is SetColumns for
// different columns.
template <typename Scalar>
class PackedMatrix {
 public:
  // What it holds is lost.
  void Resize(Index rows, Index columns);

  // The columns from `first` on become the rows of `transposed`, each as long
  // as a column.
  void SetColumns(Index first, const ConstRowMatrixRef<Scalar>& transposed);

  // result = left * the columns from `first` on, as many as `result` has: the
  // same bits as of MultiplyRows with plain columns. For rows of `left` that
  // stay in the cache meanwhile: each panel of columns takes all of them.
  void MultiplyRows(const ConstRowMatrixRef<Scalar>& left, Index first,
                    RowMatrixRef<Scalar> result) const;

 private:
  // Calls body(offset in panels_, width of the panel, column, count) for each
  // part of the columns [first, end) that lies in one panel.
  template <typename Body>
  void ForPanels(Index first, Index end, Body body) const;

  Index rows_ = 0, columns_ = 0;
  // One panel of columns after another, each with its rows one after another.
  std::vector<Scalar> panels_;
};

// result = left * right, for any number of rows.
template <typename Scalar>
void MultiplyRows(const ConstRowMatrixRef<Scalar>& left,
                  const ConstRowMatrixRef<Scalar>& right,
                  RowMatrixRef<Scalar> result);

// result += left * right', for any number of rows.
template <typename Scalar>
void AddMultiplyRowsByTranspose(const ConstRowMatrixRef<Scalar>& left,
                                const ConstRowMatrixRef<Scalar>& right,
                                RowMatrixRef<Scalar> result);

// result += left' * right for the columns of `left` from `begin` on, as many
// as `result` has rows.
template <typename Scalar>
void AddTransposedProduct(const ConstRowMatrixRef<Scalar>& left,
                          const ConstRowMatrixRef<Scalar>& right, Index begin,
                          RowMatrixRef<Scalar> result);

}  // namespace poe

#endif  // POE_NUMERICS_MATRIX_PRODUCT_H_
