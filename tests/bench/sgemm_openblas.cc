#include "cblas.h"
#include "tests/bench/sgemm.h"

namespace poe::bench {
namespace {

void OpenBlasMultiply(bool transpose_a, bool transpose_b, int m, int n, int k,
                      const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
              transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
              transpose_a ? m : k, b, transpose_b ? k : n, 0, c, n);
}

}  // namespace

Sgemm OpenBlasSgemm(int threads) {
  openblas_set_num_threads(threads);
  return OpenBlasMultiply;
}

}  // namespace poe::bench
