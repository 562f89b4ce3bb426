#include "poe/numerics/matrix_product.h"

#include <algorithm>
#include <vector>

#include "hwy/highway.h"

namespace poe {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// 32 vectors hold a block of 8 rows, 16 one of 4.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64;

// A matrix of which an element is found by its row and column.
template <typename Scalar>
struct Strided {
  const Scalar* data;
  Index row_stride, column_stride;

  const Scalar* at(Index row, Index column) const {
    return data + row * row_stride + column * column_stride;
  }
};

template <typename Scalar>
Strided<Scalar> Plain(const ConstRowMatrixRef<Scalar>& matrix) {
  return {matrix.data(), matrix.outerStride(), 1};
}

template <typename Scalar>
Strided<Scalar> Transposed(const ConstRowMatrixRef<Scalar>& matrix) {
  return {matrix.data(), 1, matrix.outerStride()};
}

// A block of `result` = left * right, or `result` +=: kRows rows of kVectors
// vectors. Each element is one chain of fused multiply-adds over k = 0, 1, ...,
// whatever the block it lies in, so that its bits depend on its row and column
// alone. Elements of a row of `right` follow each other.
template <int kRows, int kVectors, bool kAdd, class D,
          typename Scalar = hn::TFromD<D>>
void MultiplyBlock(D d, Strided<Scalar> left, const Scalar* right,
                   Index right_stride, Index depth, Scalar* result,
                   Index result_stride) {
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  hn::Vec<D> sums[kRows][kVectors];
  for (auto& row : sums)
    for (auto& sum : row) sum = hn::Zero(d);
  for (Index k = 0; k < depth; ++k) {
    for (int i = 0; i < kRows; ++i) {
      const auto factor = hn::Set(d, *left.at(i, k));
      for (int v = 0; v < kVectors; ++v)
        sums[i][v] = hn::MulAdd(
            factor, hn::LoadU(d, right + k * right_stride + v * lanes),
            sums[i][v]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      Scalar* const to = result + i * result_stride + v * lanes;
      auto sum = sums[i][v];
      if constexpr (kAdd) sum = hn::Add(hn::LoadU(d, to), sum);
      hn::StoreU(sum, d, to);
    }
  }
}

// All rows of kVectors vectors of columns.
template <int kVectors, bool kAdd, class D, typename Scalar = hn::TFromD<D>>
void MultiplyStrip(D d, Index rows, Strided<Scalar> left, const Scalar* right,
                   Index right_stride, Index depth, Scalar* result,
                   Index result_stride) {
  Index i = 0;
  const auto multiply = [&]<int kRows>() {
    for (; i + kRows <= rows; i += kRows)
      MultiplyBlock<kRows, kVectors, kAdd>(
          d, {left.at(i, 0), left.row_stride, left.column_stride}, right,
          right_stride, depth, result + i * result_stride, result_stride);
  };
  if constexpr (kManyRegisters && kVectors <= 3)
    multiply.template operator()<8>();
  multiply.template operator()<4>();
  multiply.template operator()<1>();
}

// From this many rows on it pays to copy columns together.
constexpr Index kPanelRows = 32;

constexpr int kPanelVectors = 3;

template <typename Scalar>
Index PanelWidth() {
  return kPanelVectors *
         static_cast<Index>(hn::Lanes(hn::ScalableTag<Scalar>()));
}

// Columns that `lie_together` need not be copied.
template <bool kAdd, typename Scalar>
void Multiply(Strided<Scalar> left, Index depth, Strided<Scalar> right,
              bool lie_together, RowMatrixRef<Scalar> result) {
  const hn::ScalableTag<Scalar> d;
  const hn::CappedTag<Scalar, 4> quarter;
  const hn::CappedTag<Scalar, 1> single;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const Index few = static_cast<Index>(hn::Lanes(quarter));
  const Index rows = result.rows(), columns = result.cols();
  // Few rows want many columns at a time, many rows a copy of the columns, and
  // columns that lie apart want it in any case.
  const bool scattered = right.column_stride != 1;
  std::vector<Scalar> panel(scattered || (rows >= kPanelRows && !lie_together)
                                ? depth * PanelWidth<Scalar>()
                                : 0);
  Index j = 0;
  const auto multiply = [&]<int kVectors>(auto tag, bool copy) {
    const Index width = kVectors * static_cast<Index>(hn::Lanes(tag));
    const Scalar* part = right.at(0, j);
    Index stride = right.row_stride;
    if (scattered) {
      for (Index c = 0; c < width; ++c)
        for (Index k = 0; k < depth; ++k)
          panel[k * width + c] = *right.at(k, j + c);
    } else if (copy) {
      for (Index k = 0; k < depth; ++k)
        for (int v = 0; v < kVectors; ++v)
          hn::StoreU(hn::LoadU(tag, right.at(k, j) + v * hn::Lanes(tag)), tag,
                     panel.data() + k * width + v * hn::Lanes(tag));
    }
    if (scattered || copy) {
      part = panel.data();
      stride = width;
    }
    MultiplyStrip<kVectors, kAdd>(tag, rows, left, part, stride, depth,
                                  result.data() + j, result.outerStride());
  };
  if (rows < 4 && !scattered)
    for (; j + 8 * lanes <= columns; j += 8 * lanes)
      multiply.template operator()<8>(d, false);
  for (; j + kPanelVectors * lanes <= columns; j += kPanelVectors * lanes)
    multiply.template operator()<kPanelVectors>(d, !panel.empty());
  for (; j + 2 * lanes <= columns; j += 2 * lanes)
    multiply.template operator()<2>(d, false);
  for (; j + lanes <= columns; j += lanes)
    multiply.template operator()<1>(d, false);
  for (; j + few <= columns; j += few)
    multiply.template operator()<1>(quarter, false);
  for (; j < columns; ++j) multiply.template operator()<1>(single, false);
}

}  // namespace

template <typename Scalar>
void PackedMatrix<Scalar>::Resize(Index rows, Index columns) {
  rows_ = rows;
  columns_ = columns;
  panels_.resize(rows * columns);
}

template <typename Scalar>
template <typename Body>
void PackedMatrix<Scalar>::ForPanels(Index first, Index end, Body body) const {
  const Index greatest = PanelWidth<Scalar>();
  while (first < end) {
    const Index panel = first / greatest * greatest;
    const Index width = std::min(greatest, columns_ - panel);
    const Index count = std::min(end, panel + width) - first;
    body(panel * rows_ + (first - panel), width, first, count);
    first += count;
  }
}

template <typename Scalar>
void PackedMatrix<Scalar>::SetColumns(
    Index first, const ConstRowMatrixRef<Scalar>& transposed) {
  ForPanels(first, first + transposed.rows(),
            [&](Index offset, Index width, Index column, Index count) {
              const auto from = transposed.middleRows(column - first, count);
              Scalar* to = panels_.data() + offset;
              for (Index row = 0; row < rows_; ++row, to += width)
                for (Index c = 0; c < count; ++c) to[c] = from(c, row);
            });
}

template <typename Scalar>
void PackedMatrix<Scalar>::MultiplyRows(const ConstRowMatrixRef<Scalar>& left,
                                        Index first,
                                        RowMatrixRef<Scalar> result) const {
  ForPanels(first, first + result.cols(),
            [&](Index offset, Index width, Index column, Index count) {
              Multiply<false, Scalar>(Plain<Scalar>(left), rows_,
                                      {panels_.data() + offset, width, 1},
                                      /*lie_together=*/true,
                                      result.middleCols(column - first, count));
            });
}

template <typename Scalar>
void MultiplyRows(const ConstRowMatrixRef<Scalar>& left,
                  const ConstRowMatrixRef<Scalar>& right,
                  RowMatrixRef<Scalar> result) {
  Multiply<false>(Plain<Scalar>(left), left.cols(), Plain<Scalar>(right),
                  /*lie_together=*/false, result);
}

template <typename Scalar>
void AddMultiplyRowsByTranspose(const ConstRowMatrixRef<Scalar>& left,
                                const ConstRowMatrixRef<Scalar>& right,
                                RowMatrixRef<Scalar> result) {
  Multiply<true>(Plain<Scalar>(left), left.cols(), Transposed<Scalar>(right),
                 /*lie_together=*/false, result);
}

template <typename Scalar>
void AddTransposedProduct(const ConstRowMatrixRef<Scalar>& left,
                          const ConstRowMatrixRef<Scalar>& right, Index begin,
                          RowMatrixRef<Scalar> result) {
  Strided<Scalar> columns = Transposed<Scalar>(left);
  columns.data = columns.at(begin, 0);
  Multiply<true>(columns, left.rows(), Plain<Scalar>(right),
                 /*lie_together=*/false, result);
}

#define POE_INSTANTIATE(Scalar)                                                \
  template class PackedMatrix<Scalar>;                                         \
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
