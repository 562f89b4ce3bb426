#include <omp.h>

#include "oneapi/dnnl/dnnl.h"
#include "tests/bench/sgemm.h"

namespace poe::bench {
namespace {

void OneDnnMultiply(bool transpose_a, bool transpose_b, int m, int n, int k,
                    const float* a, const float* b, float* c) {
  dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1, a,
             transpose_a ? m : k, b, transpose_b ? k : n, 0, c, n);
}

}  // namespace

Sgemm OneDnnSgemm(int threads) {
  omp_set_num_threads(threads);
  return OneDnnMultiply;
}

}  // namespace poe::bench
