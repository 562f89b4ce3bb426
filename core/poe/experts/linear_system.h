// One linear dynamical system in double: what filter, smoother, expectation
// maximization and exact log Z share.
#ifndef POE_EXPERTS_LINEAR_SYSTEM_H_
#define POE_EXPERTS_LINEAR_SYSTEM_H_

#include "poe/numerics/matrix_product.h"

namespace poe {

// y_1 ~ N(m_1, P_1), y_t = A y_{t-1} + N(0, Q), x_t = C y_t + d + N(0, R), R
// diagonal; L latent dimensions, D observed ones. Covariances are kept as lower
// triangular factors of positive diagonal: P_1 = F F'.
struct LinearSystem {
  Vector<double> initial_mean;          // m_1, L
  RowMatrix<double> initial_factor;     // of P_1, L x L
  RowMatrix<double> transition;         // A, L x L
  RowMatrix<double> transition_factor;  // of Q, L x L
  RowMatrix<double> emission;           // C, D x L
  Vector<double> offset;                // d, D
  Vector<double> log_variance;          // log R, D

  Index latents() const { return initial_mean.size(); }  // L
  Index dimension() const { return offset.size(); }      // D
};

constexpr Index TriangleSize(Index rows) { return rows * (rows + 1) / 2; }

// The lower triangular factor whose rows lie end to end in `log_cholesky`, with
// logarithms on the diagonal, and back.
RowMatrix<double> FactorOf(const Vector<double>& log_cholesky, Index rows);
Vector<double> LogCholeskyOf(const RowMatrix<double>& factor);

// Replaces `a` (n x k) by the upper triangular or trapezoidal R with R'R = a'a
// and no negative diagonal, min(n, k) x k, by Householder reflections: a'a is
// never formed.
void ReduceToTriangle(RowMatrix<double>& a);

// Values beyond `most`, and what overflow has made of them, brought back to it.
inline constexpr double kFar = 1e60;
inline double Bounded(double value, double most = kFar) {
  if (!(value > -most)) return -most;
  return value < most ? value : most;
}

}  // namespace poe

#endif  // POE_EXPERTS_LINEAR_SYSTEM_H_
