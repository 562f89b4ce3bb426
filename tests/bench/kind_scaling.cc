#include "tests/bench/kind_scaling.h"

#include <cmath>
#include <functional>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "poe/contrastive_divergence.h"
#include "tests/bench/kind_cases.h"

namespace poe::bench {
namespace {

constexpr Index kGrowth = 4;
constexpr double kLeastScalingSeconds = 0.03;  // of one repetition
constexpr const char* kRowRate = "rows/s";

constexpr struct {
  const char* name;
  Index Shape::*size;
} kParameters[] = {{"N", &Shape::rows},
                   {"D", &Shape::dimension},
                   {"M", &Shape::experts},
                   {"K", &Shape::states},
                   {"T", &Shape::length}};

// Time of the processor is that of one thread, which others that use the
// machine do not lengthen; of two threads only real time can be told.
enum class Clock { kProcessor, kReal };

void LogScores(benchmark::State& state, const KindCase& made,
               const Workers& workers) {
  for (auto _ : state)
    benchmark::DoNotOptimize(made.product.LogScores(made.data, workers));
}

void Gradient(benchmark::State& state, const KindCase& made,
              const Workers& workers) {
  ContrastiveDivergence<float> divergence(made.product);
  for (auto _ : state)
    divergence.ComputeGradient(made.data, {}, /*gibbs_steps=*/1,
                               Reconstruction::kMean, /*seed=*/3, /*step=*/0,
                               workers);
}

constexpr struct {
  const char* name;
  void (*run)(benchmark::State&, const KindCase&, const Workers&);
} kQuestions[] = {{"log_scores", LogScores}, {"cd1_gradient", Gradient}};

void RegisterQuestions(const std::string& kind, const std::string& variant,
                       const Shape& shape, int threads, Clock clock) {
  const auto made = std::make_shared<KindCase>(MakeCase(kind, shape));
  const auto workers =
      std::make_shared<Workers>(threads, Workers::Idle::kStayAwake);
  for (const auto& question : kQuestions) {
    auto* timed = benchmark::RegisterBenchmark(
        absl::StrCat(kind, "/", question.name, "/", variant).c_str(),
        [made, workers, run = question.run](benchmark::State& state) {
          run(state, *made, *workers);
          state.counters[kRowRate] =
              benchmark::Counter(static_cast<double>(made->data.size),
                                 benchmark::Counter::kIsIterationInvariantRate);
        });
    timed->MinTime(kLeastScalingSeconds)->Unit(benchmark::kMillisecond);
    if (clock == Clock::kReal) timed->UseRealTime();
  }
}

Shape Grown(Shape shape, Index Shape::*size) {
  shape.*size *= kGrowth;
  return shape;
}

}  // namespace

void RegisterScaling() {
  for (const Kind& kind : Kinds()) {
    RegisterQuestions(kind.name, "base", kind.base, 1, Clock::kProcessor);
    for (const auto& [name, size] : kParameters)
      if (kind.base.*size > 0)
        RegisterQuestions(kind.name, absl::StrCat(kGrowth, name),
                          Grown(kind.base, size), 1, Clock::kProcessor);
    const Shape many = Grown(kind.base, &Shape::rows);
    RegisterQuestions(kind.name, "one_thread", many, 1, Clock::kReal);
    RegisterQuestions(kind.name, "two_threads", many, 2, Clock::kReal);
  }
}

void ReportScaling(const Medians& medians,
                   std::map<std::string, double>& results) {
  std::cout << absl::StrFormat(
      "\n%-13s%-13s%5s%5s%5s%4s%4s%9s%5s%5s%5s%5s%5s%11s\n", "kind", "question",
      "N", "D", "M", "K", "T", "us a row", "^N", "^D", "^M", "^K", "^T",
      "2 threads");
  for (const Kind& kind : Kinds()) {
    for (const auto& question : kQuestions) {
      const std::string prefix =
          absl::StrCat(kind.name, "/", question.name, "/");
      const auto row_seconds = [&](const std::string& variant) {
        return 1 / medians.at(prefix + variant).at(kRowRate);
      };
      std::string sizes, exponents;
      for (const auto& [name, size] : kParameters) {
        const int width = size == &Shape::rows || size == &Shape::dimension ||
                                  size == &Shape::experts
                              ? 5
                              : 4;
        if (kind.base.*size == 0) {
          absl::StrAppend(&sizes, absl::StrFormat("%*s", width, "-"));
          absl::StrAppend(&exponents, "    -");
          continue;
        }
        absl::StrAppend(&sizes, absl::StrFormat("%*d", width, kind.base.*size));
        double growth =
            row_seconds(absl::StrCat(kGrowth, name)) / row_seconds("base");
        if (size == &Shape::rows) growth *= kGrowth;
        const double exponent =
            std::log(growth) / std::log(static_cast<double>(kGrowth));
        absl::StrAppend(&exponents, absl::StrFormat("%5.2f", exponent));
        results[absl::StrCat(prefix, "exponent_", name)] = exponent;
      }
      const double row_us = 1e6 * row_seconds("base");
      const double speedup =
          row_seconds("one_thread") / row_seconds("two_threads");
      results[prefix + "row_us"] = row_us;
      results[prefix + "speedup"] = speedup;
      std::cout << absl::StrFormat("%-13s%-13s%s%9.2f%s%9.2f x\n", kind.name,
                                   question.name, sizes, row_us, exponents,
                                   speedup);
    }
  }
  std::cout << "A row of a sequential kind is a sequence of T frames. K: "
               "components, states,\nlatent dimensions or trees. Time grows as "
               "N to the power ^N.\n";
}

}  // namespace poe::bench
