// poe reproduce trees
#include <cmath>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "Eigen/Dense"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/image_grid.h"
#include "client/cpp/io/plot.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr int kSide = 8;
constexpr int kPixels = kSide * kSide;
constexpr int kTrainingPatches = 40000;
constexpr int kTestPatches = 10000;
constexpr int kTrees = 4;
constexpr int kShown = 60;
// No variance given the others falls below, in any of the three models.
constexpr double kLeastDeviation = 0.01;
constexpr double kLog2Pi = 1.8378770664093454836;

// count x kPixels: patches at random places of random images, each byte b at
// a uniform point of [b, b + 1) / 256.
std::vector<float> DrawPatches(const ImageRows& images, int count,
                               uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_int_distribution<int64_t> image(0, images.rows() - 1);
  std::uniform_int_distribution<int> top(0, images.height - kSide);
  std::uniform_int_distribution<int> left(0, images.width - kSide);
  std::uniform_real_distribution<double> within(0, 1);
  std::vector<float> patches;
  for (int n = 0; n < count; ++n) {
    const uint8_t* pixels =
        images.values.data() + image(engine) * images.dimension();
    const int row = top(engine), column = left(engine);
    for (int i = 0; i < kPixels; ++i) {
      const int at = (row + i / kSide) * images.width + column + i % kSide;
      patches.push_back(
          static_cast<float>((pixels[at] + within(engine)) / 256));
    }
  }
  return patches;
}

v1::TrainStart Settings(uint64_t seed, int trees) {
  v1::TrainStart start;
  start.set_model_name("reproduce-trees");
  start.set_seed(seed);
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
  spec.set_dimension(kPixels);
  spec.set_image_height(kSide);
  spec.set_image_width(kSide);
  v1::ProductSettings& product = *start.add_products();
  v1::GroupSettings& group = *product.add_groups();
  group.set_num_experts(trees);
  group.mutable_gaussian_tree()->set_num_trees(1);
  group.mutable_gaussian_tree()->set_least_standard_deviation(kLeastDeviation);
  // So wide that it does not matter beside the trees.
  product.mutable_base()->set_deviation_multiple(1e3);
  product.mutable_base()->set_fixed_variance(true);
  // Chow and Liu's trees, and then all together by the exact gradient.
  start.add_stages()->mutable_initialize();
  if (trees > 1) {
    v1::ContrastiveDivergenceStage& stage =
        *start.add_stages()->mutable_contrastive_divergence();
    stage.set_exact(true);
    stage.set_updates(2000);
    stage.set_batch_size(-1);
    v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
    optimizer.set_kind(v1::OptimizerSettings::KIND_ADAM);
    optimizer.set_rate(0.02);
    optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_COSINE);
  }
  return start;
}

absl::StatusOr<std::vector<double>> LogProbabilities(
    const std::vector<float>& patches, Reproduction& reproduction) {
  v1::ScoreRequest request;
  *request.mutable_observations() =
      MakeObservations(absl::MakeConstSpan(patches), kPixels);
  const absl::StatusOr<v1::ScoreResponse> response =
      reproduction.Ask(std::move(request));
  if (!response.ok()) return response.status();
  return TensorDoubles(response->log_probabilities());
}

// Under a Gaussian with the mean and all covariances of the training patches.
std::vector<double> FullGaussian(const std::vector<float>& training,
                                 const std::vector<float>& test) {
  using Rows =
      Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto rows = [](const std::vector<float>& values) -> Eigen::MatrixXd {
    return Eigen::Map<const Rows>(
               values.data(),
               static_cast<Eigen::Index>(values.size()) / kPixels, kPixels)
        .cast<double>();
  };
  const Eigen::MatrixXd seen = rows(training);
  const Eigen::RowVectorXd mean = seen.colwise().mean();
  const Eigen::MatrixXd centred = seen.rowwise() - mean;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(
      centred.transpose() * centred / static_cast<double>(seen.rows()));
  const Eigen::ArrayXd variance =
      eigen.eigenvalues().array().max(kLeastDeviation * kLeastDeviation);
  const Eigen::MatrixXd projected =
      (rows(test).rowwise() - mean) * eigen.eigenvectors();
  const double constant = variance.log().sum() + kPixels * kLog2Pi;
  std::vector<double> log_densities;
  for (Eigen::Index n = 0; n < projected.rows(); ++n) {
    log_densities.push_back(
        -(projected.row(n).transpose().array().square() / variance).sum() / 2 -
        constant / 2);
  }
  return log_densities;
}

// Of the mean of the differences.
double StandardError(const std::vector<double>& a,
                     const std::vector<double>& b) {
  const double mean = Mean(a) - Mean(b);
  double squares = 0;
  for (size_t n = 0; n < a.size(); ++n) {
    squares += std::pow(a[n] - b[n] - mean, 2);
  }
  const auto count = static_cast<double>(a.size());
  return std::sqrt(squares / (count - 1) / count);
}

// The edges of every tree over the pixels, side by side.
absl::StatusOr<Picture> DrawTrees(const v1::GaussianTree& tree) {
  std::vector<Picture> panels;
  for (int m = 0; (m + 1) * kPixels <= tree.parent_size(); ++m) {
    absl::StatusOr<Plot> plot = Plot::Create({-1, kSide, -1, kSide}, 200, 200);
    if (!plot.ok()) return plot.status();
    for (int i = 0; i < kPixels; ++i) {
      const double x = i % kSide, y = kSide - 1 - i / kSide;
      plot->DrawPoint(x, y, 3, kBlack);
      const int parent = tree.parent(m * kPixels + i);
      if (parent < 0) continue;
      const double to_x = parent % kSide, to_y = kSide - 1 - parent / kSide;
      for (double s = 0; s <= 1; s += 0.02) {
        plot->DrawPoint(x + s * (to_x - x), y + s * (to_y - y), 1,
                        Color{31, 119, 180});
      }
    }
    panels.push_back(plot->picture());
  }
  return SideBySide(panels, 8);
}

absl::Status WritePictures(const std::vector<float>& test,
                           Reproduction& reproduction) {
  const absl::StatusOr<v1::Model> model = reproduction.Model();
  if (!model.ok()) return model.status();
  const absl::StatusOr<Picture> trees =
      DrawTrees(model->classes(0).layers(0).groups(0).gaussian_tree());
  if (!trees.ok()) return trees.status();
  absl::Status status = reproduction.Write(*trees, "trees-edges.png");
  if (!status.ok()) return status;
  v1::SampleRequest request;
  request.set_chains(kShown);
  request.set_steps(1);
  request.set_seed(1);
  absl::StatusOr<std::vector<float>> shown = reproduction.Sample(request);
  if (!shown.ok()) return shown.status();
  shown->insert(shown->begin(), test.begin(), test.begin() + kShown * kPixels);
  const absl::StatusOr<Picture> grid = ImageGrid(
      *shown, 2 * kShown, kSide, kSide, 20, {.magnification = 4, .gap = 3});
  if (!grid.ok()) return grid.status();
  return reproduction.Write(*grid, "trees-patches.png");
}

}  // namespace

absl::Status ReproduceTrees(const ReproduceOptions& options, Context& context) {
  const absl::StatusOr<ImageRows> training_images = ReadImages(
      options.data, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  if (!training_images.ok()) return training_images.status();
  const absl::StatusOr<ImageRows> test_images = ReadImages(
      options.data, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
  if (!test_images.ok()) return test_images.status();
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"seed", kRight},
               {"product", kRight},
               {"one tree", kRight},
               {"full covariance", kRight},
               {"gain", kRight},
               {"its error", kRight},
               {"passed"}});
  // Means over the runs; the error is that of the mean gain.
  double all_product = 0, all_trees = 0, all_full = 0, squared_errors = 0;
  for (int i = 0; i < options.seeds; ++i) {
    const auto seed = static_cast<uint64_t>(options.first_seed + i);
    const std::vector<float> training =
        DrawPatches(*training_images, kTrainingPatches, 2 * seed);
    const std::vector<float> test =
        DrawPatches(*test_images, kTestPatches, 2 * seed + 1);
    std::vector<std::vector<double>> scores;
    for (const int trees : {1, kTrees}) {
      const absl::StatusOr<v1::Job> job = reproduction->Train(
          absl::StrCat("seed ", seed, ", trees: ", trees),
          Settings(seed, trees),
          MakeObservations(absl::MakeConstSpan(training), kPixels), {});
      if (!job.ok()) return job.status();
      absl::StatusOr<std::vector<double>> log_probabilities =
          LogProbabilities(test, *reproduction);
      if (!log_probabilities.ok()) return log_probabilities.status();
      scores.push_back(*std::move(log_probabilities));
    }
    const double tree = Mean(scores[0]), product = Mean(scores[1]);
    const double full = Mean(FullGaussian(training, test));
    const double error = StandardError(scores[1], scores[0]);
    table.AddRow({absl::StrCat(seed), absl::StrFormat("%.3f", product),
                  absl::StrFormat("%.3f", tree), absl::StrFormat("%.3f", full),
                  absl::StrFormat("%.3f", product - tree),
                  absl::StrFormat("%.3f", error),
                  product > tree + 3 * error ? "yes" : "no"});
    all_product += product / options.seeds;
    all_trees += tree / options.seeds;
    all_full += full / options.seeds;
    squared_errors += error * error;
    if (i + 1 < options.seeds) continue;
    const absl::Status status = WritePictures(test, *reproduction);
    if (!status.ok()) return status;
  }
  std::cout << "Log likelihood of a held-out patch, nats:\n"
            << table.ToString();
  reproduction->End({{"product", all_product},
                     {"tree", all_trees},
                     {"full", all_full},
                     {"se", std::sqrt(squared_errors) / options.seeds}});
  return absl::OkStatus();
}

}  // namespace poe::client
