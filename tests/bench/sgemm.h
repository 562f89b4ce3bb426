// Bare single-precision matrix products of the libraries that Debian has.
#ifndef POE_TESTS_BENCH_SGEMM_H_
#define POE_TESTS_BENCH_SGEMM_H_

namespace poe::bench {

// c = op(a) op(b), row-major without gaps; op(a) is m x k, op(b) k x n, and op
// transposes where asked to.
using Sgemm = void (*)(bool transpose_a, bool transpose_b, int m, int n, int k,
                       const float* a, const float* b, float* c);

// Each takes the number of threads its products run on from now on.
Sgemm EigenSgemm(int threads);     // compiled for x86-64-v3
Sgemm OpenBlasSgemm(int threads);  // OpenBLAS and oneDNN choose their code
Sgemm OneDnnSgemm(int threads);    // by the processor

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_SGEMM_H_
