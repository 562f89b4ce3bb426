#include "poe/experts/linear_system.h"

#include <algorithm>
#include <cmath>

namespace poe {

RowMatrix<double> FactorOf(const Vector<double>& log_cholesky, Index rows) {
  RowMatrix<double> factor = RowMatrix<double>::Zero(rows, rows);
  Index next = 0;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < i; ++j) factor(i, j) = log_cholesky(next++);
    factor(i, i) = std::exp(log_cholesky(next++));
  }
  return factor;
}

Vector<double> LogCholeskyOf(const RowMatrix<double>& factor) {
  Vector<double> log_cholesky(TriangleSize(factor.rows()));
  Index next = 0;
  for (Index i = 0; i < factor.rows(); ++i) {
    for (Index j = 0; j < i; ++j) log_cholesky(next++) = factor(i, j);
    log_cholesky(next++) = std::log(factor(i, i));
  }
  return log_cholesky;
}

void ReduceToTriangle(RowMatrix<double>& a) {
  const Index rows = a.rows(), cols = a.cols();
  const Index rank = std::min(rows, cols);
  Vector<double> products(cols);
  for (Index j = 0; j < rank; ++j) {
    double square = 0;
    for (Index i = j; i < rows; ++i) square += a(i, j) * a(i, j);
    const double norm = std::sqrt(square);
    if (norm == 0) continue;
    // The reflection I - v v' / (norm |v_j|), v = a_j + sign(a_jj) norm e_j.
    const double diagonal = a(j, j) > 0 ? -norm : norm;
    a(j, j) -= diagonal;
    const double scale = 1 / (norm * std::abs(a(j, j)));
    products.setZero();
    for (Index i = j; i < rows; ++i)
      for (Index k = j + 1; k < cols; ++k) products(k) += a(i, j) * a(i, k);
    for (Index i = j; i < rows; ++i) {
      const double share = scale * a(i, j);
      for (Index k = j + 1; k < cols; ++k) a(i, k) -= share * products(k);
    }
    a(j, j) = diagonal;
    for (Index i = j + 1; i < rows; ++i) a(i, j) = 0;
  }
  a.conservativeResize(rank, cols);
  for (Index j = 0; j < rank; ++j)
    if (a(j, j) < 0) a.row(j) *= -1;
}

}  // namespace poe
