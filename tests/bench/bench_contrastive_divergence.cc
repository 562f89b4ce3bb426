// CD-1 at the shape of MNIST against the five matrix products that it consists
// of: how much of what a matrix library does bare is left in training.
//
// One item is one floating-point operation of those products, 10 B V H a batch.

#include <cstdint>
#include <iostream>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "poe/bases/bernoulli.h"
#include "poe/class_trainer.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/numerics/random.h"
#include "tests/bench/medians.h"
#include "tests/bench/sgemm.h"

ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(int, repetitions, 7, "Runs of each benchmark, at least 2.");

namespace poe::bench {
namespace {

constexpr int kRows = 60000, kVisible = 784, kHidden = 500, kBatch = 100;
constexpr int kThreads = 2;
constexpr int kUpdates = kRows / kBatch;
constexpr double kOperations = 10.0 * kBatch * kVisible * kHidden;

void ReportOperations(benchmark::State& state, double batches) {
  state.counters["FLOP/s"] = benchmark::Counter(
      batches * kOperations, benchmark::Counter::kIsIterationInvariantRate);
}

// Grey levels, four fifths of them black.
RowMatrix<float> MakeImages() {
  RowMatrix<float> images(kRows, kVisible);
  std::vector<std::uint32_t> bits(kVisible);
  for (Index n = 0; n < kRows; ++n) {
    FillBits({1, Purpose::kTest}, n, absl::MakeSpan(bits));
    for (Index i = 0; i < kVisible; ++i) {
      const double uniform = bits[i] / 4294967296.0;
      images(n, i) = uniform < 0.8 ? 0.0f : static_cast<float>(uniform);
    }
  }
  return images;
}

Product<float> MakeProduct() {
  RowMatrix<float> weights(kVisible, kHidden);
  std::vector<double> row(kHidden);
  for (Index i = 0; i < kVisible; ++i) {
    FillNormal({2, Purpose::kTest}, i, absl::MakeSpan(row));
    for (Index j = 0; j < kHidden; ++j) {
      weights(i, j) = 0.01f * static_cast<float>(row[j]);
    }
  }
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(
      *BernoulliUnits<float>::Create(weights, Vector<float>::Zero(kHidden)));
  return *Product<float>::Create(
      *BernoulliBase<float>::Create(Vector<float>::Zero(kVisible)),
      std::move(groups));
}

// One epoch by the trainer, hidden units sampled.
void TrainOneEpoch(benchmark::State& state, const RowMatrix<float>& images) {
  DataSpec spec;
  spec.family = Family::kBernoulli;
  spec.dimension = kVisible;
  TrainingRows rows;
  new (&rows.values)
      Eigen::Map<const RowMatrix<float>>(images.data(), kRows, kVisible);
  std::vector<Index> numbers(kRows);
  std::iota(numbers.begin(), numbers.end(), Index{0});
  const RowSelection training(spec, rows, std::move(numbers));
  const RowSelection held_out(spec, rows, {});
  ContrastiveDivergenceSettings settings;
  settings.epochs = 1;
  settings.batch_size = kBatch;
  const Workers workers(kThreads, Workers::Idle::kStayAwake);
  Product<float> product = MakeProduct();
  std::optional<std::int64_t> kept_update;
  for (auto _ : state) {
    const absl::Status status = TrainProduct(
        settings, training, held_out, /*seed=*/3, workers,
        [](const TrainingProgress&) {}, NeverInterrupt, product, kept_update);
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
  ReportOperations(state, kUpdates);
}

void BareProducts(benchmark::State& state, const RowMatrix<float>& images,
                  Sgemm multiply) {
  const RowMatrix<float> weights =
      RowMatrix<float>::Constant(kVisible, kHidden, 0.01f);
  RowMatrix<float> hidden = RowMatrix<float>::Zero(kBatch, kHidden);
  RowMatrix<float> visible = RowMatrix<float>::Zero(kBatch, kVisible);
  RowMatrix<float> gradient(kVisible, kHidden);
  for (auto _ : state) {
    for (int batch = 0; batch < kUpdates; ++batch) {
      const float* data = images.row(batch * kBatch).data();
      multiply(false, false, kBatch, kHidden, kVisible, data, weights.data(),
               hidden.data());
      multiply(true, false, kVisible, kHidden, kBatch, data, hidden.data(),
               gradient.data());
      multiply(false, true, kBatch, kVisible, kHidden, hidden.data(),
               weights.data(), visible.data());
      multiply(false, false, kBatch, kHidden, kVisible, visible.data(),
               weights.data(), hidden.data());
      multiply(true, false, kVisible, kHidden, kBatch, visible.data(),
               hidden.data(), gradient.data());
    }
    benchmark::DoNotOptimize(gradient.data());
  }
  ReportOperations(state, kUpdates);
}

void Register(const std::string& name,
              std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(run))
      ->Iterations(1)
      ->UseRealTime()
      ->Unit(benchmark::kSecond);
}

void Run() {
  const RowMatrix<float> images = MakeImages();
  Register("contrastive_divergence",
           [&](benchmark::State& state) { TrainOneEpoch(state, images); });
  const std::map<std::string, Sgemm> libraries = {
      {"eigen", EigenSgemm(kThreads)},
      {"onednn", OneDnnSgemm(kThreads)},
      {"openblas", OpenBlasSgemm(kThreads)}};
  for (const auto& [name, multiply] : libraries) {
    Register("sgemm_" + name,
             [&images, multiply = multiply](benchmark::State& state) {
               BareProducts(state, images, multiply);
             });
  }

  const Medians medians = RunAll(absl::GetFlag(FLAGS_repetitions));
  const double trained = medians.at("contrastive_divergence").at("FLOP/s");
  double best = 0;
  std::string best_name;
  for (const auto& [name, multiply] : libraries) {
    const double rate = medians.at("sgemm_" + name).at("FLOP/s");
    if (rate > best) {
      best = rate;
      best_name = name;
    }
  }
  std::cout << absl::StrFormat(
      "\nCD-1, %d x %d, %d hidden, batch %d, %d threads: %.1f GFLOP/s\n"
      "the bare products at their best (%s): %.1f GFLOP/s\n"
      "ratio: %.2f (bar: 0.50)\n",
      kRows, kVisible, kHidden, kBatch, kThreads, trained / 1e9, best_name,
      best / 1e9, trained / best);
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty()) {
    WriteJson(json, medians,
              {{"contrastive_divergence_to_sgemm", trained / best}});
  }
}

}  // namespace
}  // namespace poe::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  poe::bench::Run();
}
