#include "tests/bench/medians.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "benchmark/benchmark.h"

namespace poe::bench {
namespace {

class MedianReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        std::cerr << run.benchmark_name() << ": " << run.error_message << "\n";
        std::exit(EXIT_FAILURE);
      }
      if (run.aggregate_name != "median") continue;
      for (const auto& [name, counter] : run.counters) {
        medians_[run.run_name.function_name][name] = counter.value;
      }
      ConsoleReporter::ReportRuns({run});
    }
  }

  const Medians& medians() const { return medians_; }

 private:
  Medians medians_;
};

std::string JsonObject(const std::map<std::string, double>& numbers) {
  return absl::StrCat("{",
                      absl::StrJoin(numbers, ", ",
                                    [](std::string* out, const auto& entry) {
                                      absl::StrAppend(out, "\"", entry.first,
                                                      "\": ", entry.second);
                                    }),
                      "}");
}

}  // namespace

Medians RunAll(int repetitions) {
  std::string repetitions_flag =
      absl::StrCat("--benchmark_repetitions=", repetitions);
  std::string interleaving = "--benchmark_enable_random_interleaving=true";
  std::string aggregates = "--benchmark_report_aggregates_only=true";
  std::string program = "bench";
  std::vector<char*> arguments = {program.data(), repetitions_flag.data(),
                                  interleaving.data(), aggregates.data()};
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return reporter.medians();
}

void WriteJson(const std::string& path, const Medians& medians,
               const std::map<std::string, double>& results) {
  std::ofstream file(path);
  file << "{\"benchmarks\": {"
       << absl::StrJoin(medians, ", ",
                        [](std::string* out, const auto& entry) {
                          absl::StrAppend(out, "\"", entry.first,
                                          "\": ", JsonObject(entry.second));
                        })
       << "}, \"results\": " << JsonObject(results) << "}\n";
  if (!file.flush()) {
    std::cerr << "cannot write " << path << "\n";
    std::exit(EXIT_FAILURE);
  }
}

}  // namespace poe::bench
