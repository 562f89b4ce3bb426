// How much of what matrix libraries do bare is left in training the kinds whose
// cost is matrix products over rows and Gaussians.
#ifndef POE_TESTS_BENCH_SGEMM_SHARE_H_
#define POE_TESTS_BENCH_SGEMM_SHARE_H_

#include <map>
#include <string>

#include "tests/bench/medians.h"

namespace poe::bench {

// Training of unigauss experts and of mixtures by CD-1, and the bare products,
// by size of batch and number of threads.
void RegisterSgemmShare();

// Prints the shares and adds them to `results`, as
// KIND/sgemm_share/batch_B/threads_N.
void ReportSgemmShare(const Medians& medians,
                      std::map<std::string, double>& results);

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_SGEMM_SHARE_H_
