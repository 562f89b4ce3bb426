// Runs benchmarks in turn, several times each, and keeps the medians: what is
// compared is measured side by side, so that a busy machine slows both.
#ifndef POE_TESTS_BENCH_MEDIANS_H_
#define POE_TESTS_BENCH_MEDIANS_H_

#include <map>
#include <string>

namespace poe::bench {

// Benchmark name -> counter name -> median over repetitions.
using Medians = std::map<std::string, std::map<std::string, double>>;

// Runs everything that is registered, in random order, prints the usual table
// and returns the medians of the benchmarks' counters.
Medians RunAll(int repetitions);

// Writes {"benchmarks": medians, "results": results} as one JSON object; exits
// with a message if the file cannot be written.
void WriteJson(const std::string& path, const Medians& medians,
               const std::map<std::string, double>& results);

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_MEDIANS_H_
