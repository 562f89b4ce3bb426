// Annealed importance sampling of a restricted Boltzmann machine at the shape
// of MNIST, and where its time goes: the same matrix products, random bits and
// elementwise functions are timed alone.

#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "poe/annealed_importance.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/random.h"
#include "tests/bench/medians.h"

ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(int, repetitions, 5, "Runs of each benchmark, at least 2.");
ABSL_FLAG(int, temperatures, 1000, "Inverse temperatures of a run.");

namespace poe::bench {
namespace {

constexpr int kChains = 100, kVisible = 784, kHidden = 500, kThreads = 2;
// Of the two products that a temperature needs.
constexpr double kOperations = 4.0 * kChains * kVisible * kHidden;
// What figures are given for.
constexpr double kWanted = 10000;

RowMatrix<float> MakeWeights() {
  RowMatrix<float> weights(kVisible, kHidden);
  std::vector<double> row(kHidden);
  for (Index i = 0; i < kVisible; ++i) {
    FillNormal({2, Purpose::kTest}, i, absl::MakeSpan(row));
    for (Index j = 0; j < kHidden; ++j)
      weights(i, j) = 0.05f * static_cast<float>(row[j]);
  }
  return weights;
}

Product<float> MakeProduct() {
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(*BernoulliUnits<float>::Create(
      MakeWeights(), Vector<float>::Zero(kHidden)));
  return *Product<float>::Create(
      *BernoulliBase<float>::Create(Vector<float>::Zero(kVisible)),
      std::move(groups));
}

void ReportTemperatures(benchmark::State& state) {
  state.counters["seconds"] =
      benchmark::Counter(absl::GetFlag(FLAGS_temperatures) / kWanted,
                         benchmark::Counter::kIsIterationInvariantRate |
                             benchmark::Counter::kInvert);
}

void Anneal(benchmark::State& state) {
  const Product<float> product = MakeProduct();
  const Workers workers(kThreads, Workers::Idle::kStayAwake);
  AnnealedImportanceOptions options;
  options.chains = kChains;
  options.inverse_temperatures =
      EvenInverseTemperatures(absl::GetFlag(FLAGS_temperatures));
  for (auto _ : state) {
    const auto estimate = EstimateLogPartition(product, options, workers,
                                               NeverInterrupt, IgnoreProgress);
    if (!estimate.ok())
      state.SkipWithError(estimate.status().ToString().c_str());
  }
  ReportTemperatures(state);
}

// Does `part` for the chains of each worker, once for each temperature.
void Repeat(benchmark::State& state,
            const std::function<void(Index begin, Index end)>& part) {
  const Workers workers(kThreads, Workers::Idle::kStayAwake);
  for (auto _ : state)
    for (int k = 0; k < absl::GetFlag(FLAGS_temperatures); ++k)
      workers.ParallelFor(kChains, kRowQuantum, part);
  ReportTemperatures(state);
}

// x W, and z W'.
void Products(benchmark::State& state) {
  const RowMatrix<float> weights = MakeWeights();
  const RowMatrix<float> x = RowMatrix<float>::Ones(kChains, kVisible);
  RowMatrix<float> hidden(kChains, kHidden);
  RowMatrix<float> messages = RowMatrix<float>::Zero(kChains, kVisible);
  Repeat(state, [&](Index begin, Index end) {
    MultiplyRows<float>(x.middleRows(begin, end - begin), weights,
                        hidden.middleRows(begin, end - begin));
    AddMultiplyRowsByTranspose<float>(hidden.middleRows(begin, end - begin),
                                      weights,
                                      messages.middleRows(begin, end - begin));
  });
}

void RandomBits(benchmark::State& state) {
  Repeat(state, [](Index begin, Index end) {
    std::vector<std::uint32_t> hidden(kHidden), visible(kVisible);
    for (Index n = begin; n < end; ++n) {
      FillBits({1, Purpose::kLatents}, n, absl::MakeSpan(hidden));
      FillBits({1, Purpose::kData}, n, absl::MakeSpan(visible));
      benchmark::DoNotOptimize(hidden.data());
      benchmark::DoNotOptimize(visible.data());
    }
  });
}

// Two log scores, and the probabilities of hidden and visible units.
void Elementwise(benchmark::State& state) {
  RowMatrix<float> hidden = RowMatrix<float>::Random(kChains, kHidden);
  RowMatrix<float> visible = RowMatrix<float>::Random(kChains, kVisible);
  Repeat(state, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const absl::Span<float> on(hidden.row(n).data(), kHidden);
      for (float scale : {0.1f, 0.2f})
        benchmark::DoNotOptimize(SumSoftplus<float>(scale, on));
      Logistic(on);
      Logistic(absl::Span<float>(visible.row(n).data(), kVisible));
    }
  });
}

void Register(const std::string& name, void (*run)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name.c_str(), run)
      ->Iterations(1)
      ->UseRealTime()
      ->Unit(benchmark::kSecond);
}

void Run() {
  Register("total", Anneal);
  Register("matrix_products", Products);
  Register("random_bits", RandomBits);
  Register("elementwise", Elementwise);
  const Medians medians = RunAll(absl::GetFlag(FLAGS_repetitions));
  const auto seconds = [&](const std::string& name) {
    return medians.at(name).at("seconds");
  };
  const double total = seconds("total");
  std::cout << absl::StrFormat(
      "\n%d chains, %d x %d, %d threads, %.0f temperatures\n", kChains,
      kVisible, kHidden, kThreads, kWanted);
  std::map<std::string, double> results = {{"seconds", total}};
  double rest = total;
  const auto print = [&](const std::string& name, double part) {
    std::cout << absl::StrFormat("%-16s %6.1f s %4.0f %%\n", name, part,
                                 100 * part / total);
  };
  print("total", total);
  for (const char* name : {"matrix_products", "random_bits", "elementwise"}) {
    print(name, seconds(name));
    results[absl::StrCat(name, "_share")] = seconds(name) / total;
    rest -= seconds(name);
  }
  print("rest", rest);
  std::cout << absl::StrFormat(
      "matrix products alone: %.1f GFLOP/s\n",
      kWanted * kOperations / seconds("matrix_products") / 1e9);
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty()) WriteJson(json, medians, results);
}

}  // namespace
}  // namespace poe::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  poe::bench::Run();
}
