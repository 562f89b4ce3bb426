// The eigenvalues and eigenvectors of a symmetric matrix.
#ifndef POE_NUMERICS_SYMMETRIC_EIGEN_H_
#define POE_NUMERICS_SYMMETRIC_EIGEN_H_

#include "Eigen/Core"

namespace poe {

// A = vectors diag(values) vectors'.
struct SymmetricEigen {
  Eigen::VectorXd values;   // n, ascending
  Eigen::MatrixXd vectors;  // n x n, orthonormal columns
};

// A: n x n, finite, n at least 1; only its lower triangle is read. Thread-safe.
SymmetricEigen EigenOf(const Eigen::MatrixXd& matrix);

}  // namespace poe

#endif  // POE_NUMERICS_SYMMETRIC_EIGEN_H_
