#include "poe/numerics/matrix_product.h"

#include <algorithm>
#include <cstring>

#include "gtest/gtest.h"
#include "poe/numerics/workers.h"

namespace poe {
namespace {

template <typename Scalar>
class MatrixProductTest : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MatrixProductTest, Scalars);

template <typename Scalar>
RowMatrix<Scalar> Random(Index rows, Index cols, unsigned seed) {
  std::srand(seed);
  return RowMatrix<Scalar>::Random(rows, cols);
}

template <typename Scalar>
bool SameBits(const RowMatrix<Scalar>& a, const RowMatrix<Scalar>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::memcmp(a.data(), b.data(), sizeof(Scalar) * a.size()) == 0;
}

constexpr Index kDepths[] = {1, 2, 3, 5, 8, 13, 15, 16, 31, 100, 289, 784};
constexpr Index kColumns[] = {1, 2, 3, 4, 7, 10, 13, 16, 25, 33, 100, 250};

TYPED_TEST(MatrixProductTest, RowsDoNotDependOnTheirNumber) {
  constexpr Index kRows = 64;
  for (Index depth : kDepths) {
    for (Index columns : kColumns) {
      const auto left = Random<TypeParam>(kRows, depth, 1);
      const auto right = Random<TypeParam>(depth, columns, 2);
      const RowMatrix<TypeParam> transposed = right.transpose();
      RowMatrix<TypeParam> all(kRows, columns);
      MultiplyRows<TypeParam>(left, right, all);
      RowMatrix<TypeParam> all_added =
          RowMatrix<TypeParam>::Ones(kRows, columns);
      AddMultiplyRowsByTranspose<TypeParam>(left, transposed, all_added);
      for (Index size : {4, 8, 12, 20, 36}) {
        for (Index begin = 0; begin + size <= kRows; begin += 12) {
          const RowMatrix<TypeParam> part = left.middleRows(begin, size);
          RowMatrix<TypeParam> result(size, columns);
          MultiplyRows<TypeParam>(part, right, result);
          EXPECT_TRUE(SameBits<TypeParam>(result, all.middleRows(begin, size)))
              << depth << " x " << columns << ", " << size << " rows";
          RowMatrix<TypeParam> added =
              RowMatrix<TypeParam>::Ones(size, columns);
          AddMultiplyRowsByTranspose<TypeParam>(part, transposed, added);
          EXPECT_TRUE(
              SameBits<TypeParam>(added, all_added.middleRows(begin, size)))
              << depth << " x " << columns << ", " << size << " rows";
        }
      }
    }
  }
}

TYPED_TEST(MatrixProductTest, PackedColumnsGiveTheBitsOfPlainOnes) {
  for (Index depth : kDepths) {
    for (Index columns : kColumns) {
      const auto right = Random<TypeParam>(depth, columns, 7);
      const RowMatrix<TypeParam> transposed = right.transpose();
      PackedMatrix<TypeParam> packed;
      packed.Resize(depth, columns);
      // In pieces that do not end where panels do.
      for (Index first = 0; first < columns; first += 7)
        packed.SetColumns(
            first,
            transposed.middleRows(first, std::min<Index>(7, columns - first)));
      for (Index rows : {1, 3, 4, 8, 31, 150}) {
        const auto left = Random<TypeParam>(rows, depth, 8);
        RowMatrix<TypeParam> plain(rows, columns), result(rows, columns);
        MultiplyRows<TypeParam>(left, right, plain);
        for (Index first = 0; first < columns; first += 10)
          packed.MultiplyRows(
              left, first,
              result.middleCols(first, std::min<Index>(10, columns - first)));
        EXPECT_TRUE(SameBits<TypeParam>(result, plain))
            << rows << " x " << depth << " x " << columns;
        packed.MultiplyRows(left, 0, result);
        EXPECT_TRUE(SameBits<TypeParam>(result, plain))
            << rows << " x " << depth << " x " << columns;
      }
    }
  }
}

TYPED_TEST(MatrixProductTest, TransposedProductDoesNotDependOnItsSplit) {
  for (Index rows : {1, 4, 20, 100, 200}) {
    for (Index left_columns : {1, 3, 4, 17, 50, 131}) {
      for (Index columns : kColumns) {
        const auto left = Random<TypeParam>(rows, left_columns, 3);
        const auto right = Random<TypeParam>(rows, columns, 4);
        RowMatrix<TypeParam> whole =
            RowMatrix<TypeParam>::Ones(left_columns, columns);
        AddTransposedProduct<TypeParam>(left, right, 0, whole);
        const RowMatrix<TypeParam> plain =
            (left.transpose() * right).array() + TypeParam{1};
        EXPECT_LT((whole - plain).cwiseAbs().maxCoeff(), 1e-3);
        for (int threads : {2, 3}) {
          const Workers workers(threads);
          RowMatrix<TypeParam> split =
              RowMatrix<TypeParam>::Ones(left_columns, columns);
          workers.ParallelFor(left_columns, 4, [&](Index begin, Index end) {
            AddTransposedProduct<TypeParam>(
                left, right, begin, split.middleRows(begin, end - begin));
          });
          EXPECT_TRUE(SameBits<TypeParam>(whole, split))
              << rows << " x " << left_columns << " x " << columns;
        }
      }
    }
  }
}

TYPED_TEST(MatrixProductTest, ProductsAgreeWithPlainSums) {
  for (Index depth : kDepths) {
    for (Index columns : kColumns) {
      const auto left = Random<TypeParam>(8, depth, 5);
      const auto right = Random<TypeParam>(depth, columns, 6);
      RowMatrix<TypeParam> result(8, columns);
      MultiplyRows<TypeParam>(left, right, result);
      for (Index i = 0; i < 8; ++i) {
        for (Index j = 0; j < columns; ++j) {
          double sum = 0;
          for (Index k = 0; k < depth; ++k)
            sum += static_cast<double>(left(i, k)) * right(k, j);
          EXPECT_NEAR(result(i, j), sum, 1e-4);
        }
      }
    }
  }
}

TEST(PaddedRowsTest, RoundsUpToTheQuantum) {
  EXPECT_EQ(PaddedRows(0), 0);
  EXPECT_EQ(PaddedRows(1), 4);
  EXPECT_EQ(PaddedRows(4), 4);
  EXPECT_EQ(PaddedRows(5), 8);
}

}  // namespace
}  // namespace poe
