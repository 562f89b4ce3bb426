// What log scores and a CD-1 gradient of each kind of expert cost, and how that
// grows with the size of everything they depend on.
#ifndef POE_TESTS_BENCH_KIND_SCALING_H_
#define POE_TESTS_BENCH_KIND_SCALING_H_

#include <map>
#include <string>

#include "tests/bench/medians.h"

namespace poe::bench {

// To be run on one thread at a base size and with each parameter four times as
// large, and on two threads with four times the rows.
void RegisterScaling();

// Prints a table of it and adds to `results`, under KIND/QUESTION/...: row_us,
// time of a row at the base size; exponent_N, exponent_D, ..., e where time
// grows as the parameter to the power e; speedup, time on one thread by that on
// two.
void ReportScaling(const Medians& medians,
                   std::map<std::string, double>& results);

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_KIND_SCALING_H_
