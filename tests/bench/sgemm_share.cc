#include "tests/bench/sgemm_share.h"

#include <cstdint>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "benchmark/benchmark.h"
#include "poe/class_trainer.h"
#include "tests/bench/kind_cases.h"
#include "tests/bench/sgemm.h"

namespace poe::bench {
namespace {

// So many that updates outweigh the copies and empty moments that a training
// begins with; usual ones have more.
constexpr int kEpochs = 5;
constexpr int kRows = 4000, kDimension = 256, kGaussians = 256;
// The usual batch, and one where passes over parameters weigh less.
constexpr int kBatches[] = {100, 500};
constexpr double kLeastShareSeconds = 0.1;  // of one repetition
constexpr const char* kOperationRate = "FLOP/s";

// Of one row, of which every product has 2 x 2D x G operations. Features,
// squares and distances (rows x 2D), times 2D x G give log densities, once for
// data and once for reconstructions; G x rows shares times features give
// gradients, as often; and where experts are drawn that speak or not, rows x G
// states times G x 2D give messages. The drawn component of a mixture sends its
// message without a product.
constexpr double kOneProduct = 2.0 * 2 * kDimension * kGaussians;
constexpr struct {
  const char* kind;
  Shape shape;
  double operations;
} kTrained[] = {
    {"unigauss", {kRows, kDimension, kGaussians}, 5 * kOneProduct},
    {"mixture", {kRows, kDimension, kGaussians / 4, 4}, 4 * kOneProduct}};

void ReportOperations(benchmark::State& state, double operations) {
  state.counters[kOperationRate] = benchmark::Counter(
      operations, benchmark::Counter::kIsIterationInvariantRate);
}

void Train(benchmark::State& state, const KindCase& made, int batch,
           int threads) {
  TrainingRows rows;
  new (&rows.values) Eigen::Map<const RowMatrix<float>>(
      made.data.values.data(), made.data.values.rows(),
      made.data.values.cols());
  std::vector<Index> numbers(kRows);
  std::iota(numbers.begin(), numbers.end(), Index{0});
  const RowSelection training(made.spec, rows, std::move(numbers));
  const RowSelection held_out(made.spec, rows, {});
  ContrastiveDivergenceSettings settings;
  settings.epochs = kEpochs;
  settings.batch_size = batch;
  settings.optimizer.rate = 1e-3;
  const Workers workers(threads, Workers::Idle::kStayAwake);
  std::optional<std::int64_t> kept_update;
  for (auto _ : state) {
    Product<float> product = made.product;
    const absl::Status status = TrainProduct(
        settings, training, held_out, /*seed=*/3, workers,
        [](const TrainingProgress&) {}, NeverInterrupt, product, kept_update);
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
}

void BareProducts(benchmark::State& state, int batch, Sgemm multiply) {
  constexpr int kFeatures = 2 * kDimension;
  const RowMatrix<float> features =
      RowMatrix<float>::Constant(batch, kFeatures, 0.5f);
  const RowMatrix<float> weights =
      RowMatrix<float>::Constant(kFeatures, kGaussians, 0.01f);
  RowMatrix<float> shares = RowMatrix<float>::Zero(batch, kGaussians);
  RowMatrix<float> messages = RowMatrix<float>::Zero(batch, kFeatures);
  RowMatrix<float> gradient(kFeatures, kGaussians);
  for (auto _ : state) {
    for (const RowMatrix<float>* input :
         {&features, &std::as_const(messages)}) {
      const float* x = input->data();
      multiply(false, false, batch, kGaussians, kFeatures, x, weights.data(),
               shares.data());
      multiply(true, false, kFeatures, kGaussians, batch, x, shares.data(),
               gradient.data());
      if (input == &features)
        multiply(false, true, batch, kFeatures, kGaussians, shares.data(),
                 weights.data(), messages.data());
    }
    benchmark::DoNotOptimize(gradient.data());
  }
  ReportOperations(state, batch * 5 * kOneProduct);
}

// Each takes the number of threads.
constexpr struct {
  const char* name;
  Sgemm (*on)(int threads);
} kLibraries[] = {{"eigen", EigenSgemm},
                  {"onednn", OneDnnSgemm},
                  {"openblas", OpenBlasSgemm}};

std::string NameOf(const std::string& what, int batch, int threads) {
  return absl::StrCat(what, "/batch_", batch, "/threads_", threads);
}

void RegisterShare(int batch, int threads) {
  // One thread by its processor's time, which others that use the machine do
  // not lengthen.
  const auto add = [&](const std::string& what, auto run) {
    auto* timed = benchmark::RegisterBenchmark(
        NameOf(what, batch, threads).c_str(), std::move(run));
    timed->MinTime(kLeastShareSeconds)->Unit(benchmark::kMillisecond);
    if (threads > 1) timed->UseRealTime();
  };
  for (const auto& trained : kTrained) {
    const auto made =
        std::make_shared<KindCase>(MakeCase(trained.kind, trained.shape));
    add(absl::StrCat(trained.kind, "/training"),
        [=, operations = trained.operations](benchmark::State& state) {
          Train(state, *made, batch, threads);
          ReportOperations(state, kEpochs * kRows * operations);
        });
  }
  for (const auto& library : kLibraries)
    add(absl::StrCat("sgemm/", library.name),
        [=, on = library.on](benchmark::State& state) {
          BareProducts(state, batch, on(threads));
        });
}

void ReportShare(const Medians& medians, int batch, int threads,
                 std::map<std::string, double>& results) {
  const auto rate = [&](const std::string& what) {
    return medians.at(NameOf(what, batch, threads)).at(kOperationRate);
  };
  double best = 0;
  const char* best_name = nullptr;
  for (const auto& library : kLibraries) {
    const double bare = rate(absl::StrCat("sgemm/", library.name));
    if (bare > best) {
      best = bare;
      best_name = library.name;
    }
  }
  std::cout << absl::StrFormat("%5d%9d%13.1f (%s)", batch, threads, best / 1e9,
                               best_name);
  for (const auto& trained : kTrained) {
    const double own = rate(absl::StrCat(trained.kind, "/training"));
    std::cout << absl::StrFormat("  %s %.1f, ratio %.2f", trained.kind,
                                 own / 1e9, own / best);
    results[NameOf(absl::StrCat(trained.kind, "/sgemm_share"), batch,
                   threads)] = own / best;
  }
  std::cout << "\n";
}

}  // namespace

void RegisterSgemmShare() {
  for (int batch : kBatches)
    for (int threads : {1, 2}) RegisterShare(batch, threads);
}

void ReportSgemmShare(const Medians& medians,
                      std::map<std::string, double>& results) {
  std::cout << absl::StrFormat(
      "\nCD-1 training, %d coordinates, %d Gaussians, in GFLOP/s of its matrix "
      "products;\nratio to the best bare products (bar: 0.33)\n"
      "batch  threads  bare products\n",
      kDimension, kGaussians);
  for (int batch : kBatches)
    for (int threads : {1, 2}) ReportShare(medians, batch, threads, results);
}

}  // namespace poe::bench
