#include "poe/numerics/symmetric_eigen.h"

#include "Eigen/Eigenvalues"

namespace poe {

SymmetricEigen EigenOf(const Eigen::MatrixXd& matrix) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  return {solver.eigenvalues(), solver.eigenvectors()};
}

}  // namespace poe
