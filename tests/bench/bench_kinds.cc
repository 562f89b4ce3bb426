// What each kind of expert costs: time of a row, growth with N, D, M, K and T,
// use of both cores, and training against bare matrix products.

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "tests/bench/kind_scaling.h"
#include "tests/bench/medians.h"
#include "tests/bench/sgemm_share.h"

ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(int, repetitions, 7, "Runs of each benchmark, at least 2.");

namespace poe::bench {
namespace {

void Run() {
  RegisterScaling();
  RegisterSgemmShare();
  const Medians medians = RunAll(absl::GetFlag(FLAGS_repetitions));
  std::map<std::string, double> results;
  ReportScaling(medians, results);
  ReportSgemmShare(medians, results);
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty()) WriteJson(json, medians, results);
}

}  // namespace
}  // namespace poe::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  poe::bench::Run();
}
