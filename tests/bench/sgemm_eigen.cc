#include "Eigen/Core"
#include "tests/bench/sgemm.h"

namespace poe::bench {
namespace {

using Matrix =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Input = Eigen::Map<const Matrix>;
using Output = Eigen::Map<Matrix>;

void Multiply(bool transpose_a, bool transpose_b, int m, int n, int k,
              const float* a, const float* b, float* c) {
  const Input left(a, transpose_a ? k : m, transpose_a ? m : k);
  const Input right(b, transpose_b ? n : k, transpose_b ? k : n);
  Output result(c, m, n);
  if (transpose_a) {
    result.noalias() = left.transpose() * right;
  } else if (transpose_b) {
    result.noalias() = left * right.transpose();
  } else {
    result.noalias() = left * right;
  }
}

}  // namespace

Sgemm EigenSgemm(int threads) {
  Eigen::setNbThreads(threads);
  return Multiply;
}

}  // namespace poe::bench
