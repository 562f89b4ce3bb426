// poe reproduce pool
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "client/cpp/command/cluster_grid.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/image_grid.h"
#include "client/cpp/io/plot.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

// Real-valued rows.
struct Rows {
  std::vector<float> values;
  int64_t dimension = 0;

  v1::Observations observations() const {
    return MakeObservations(absl::MakeConstSpan(values), dimension);
  }
};

struct Experiment {
  std::string name;  // of the model and the pictures
  Rows training, test;
  int height = 0, width = 0;    // of images
  double lower = 0, upper = 1;  // of the box
  // Experts are mixtures of Gaussians, as many for each part of the
  // coordinates, each fitted to its half of the rows; a coordinate is in
  // `overlap` parts.
  std::vector<std::vector<int32_t>> parts = {};
  int overlap = 1;
  int experts = 2;
  int components = 5;
  double least_deviation = 0.01;
  // Of a random start.
  double vague_deviation = 1;
  // Of what follows the fits or the random start.
  int updates = 2000;
  double rate = 0.002;
  int samples = 300;

  // Softens the product as if each coordinate had one expert.
  double power() const { return 1.0 / (overlap * experts); }
};

Experiment Clusters(uint64_t seed) {
  constexpr int kPoints = 60;
  return {.name = "pool-clusters",
          .training = {DrawClusters(2 * seed, kPoints), 2},
          .test = {DrawClusters(2 * seed + 1, kPoints), 2},
          .lower = -1,
          .upper = kGridSide,
          .parts = {{0}, {1}},
          .vague_deviation = 1.5};
}

// Images with noise that makes up for their 256 grey levels.
Rows Dequantized(const ImageRows& images, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> noise(0, 1);
  Rows rows{.values = {}, .dimension = images.dimension()};
  rows.values.reserve(images.values.size());
  for (const uint8_t byte : images.values) {
    rows.values.push_back((static_cast<float>(byte) + noise(engine)) / 256);
  }
  return rows;
}

// The upper, lower, left and right halves of images.
std::vector<std::vector<int32_t>> Halves(int height, int width) {
  std::vector<std::vector<int32_t>> halves(4);
  for (int32_t row = 0; row < height; ++row) {
    for (int32_t column = 0; column < width; ++column) {
      const int32_t pixel = row * width + column;
      halves[row < height / 2 ? 0 : 1].push_back(pixel);
      halves[column < width / 2 ? 2 : 3].push_back(pixel);
    }
  }
  return halves;
}

absl::StatusOr<Experiment> Digits(const std::string& folder, uint64_t seed) {
  constexpr int64_t kTraining = 10000, kTest = 5000;
  const absl::StatusOr<ImageRows> training =
      ReadImages(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  if (!training.ok()) return training.status();
  const absl::StatusOr<ImageRows> test =
      ReadImages(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
  if (!test.ok()) return test.status();
  if (training->rows() < kTraining || test->rows() < kTest) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, " has ", training->rows(), " training and ", test->rows(),
        " test images; ", kTraining, " and ", kTest, " are needed"));
  }
  return Experiment{
      .name = "pool-digits",
      .training = Dequantized(Slice(*training, 0, kTraining), 2 * seed),
      .test = Dequantized(Slice(*test, 0, kTest), 2 * seed + 1),
      .height = training->height,
      .width = training->width,
      .parts = Halves(training->height, training->width),
      .overlap = 2,
      .experts = 1,
      .components = 10,
      .least_deviation = 0.1,
      .vague_deviation = 0.5,
      .updates = 1000,
      .rate = 0.001,
      .samples = 40};
}

enum class Stages { kApart, kPooled, kTogether, kFromRandom };

// Of one expert of part `part`, or of all experts for -1.
v1::TrainStart Settings(const Experiment& experiment, Stages stages, int part,
                        uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name(absl::StrCat("reproduce-", experiment.name));
  start.set_seed(seed);
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_GAUSSIAN);
  spec.set_dimension(experiment.training.dimension);
  spec.set_image_height(experiment.height);
  spec.set_image_width(experiment.width);
  for (int64_t i = 0; i < experiment.training.dimension; ++i) {
    spec.mutable_box()->add_lower(experiment.lower);
    spec.mutable_box()->add_upper(experiment.upper);
  }
  v1::ProductSettings& product = *start.add_products();
  for (int i = 0; i < static_cast<int>(experiment.parts.size()); ++i) {
    if (part >= 0 && i != part) continue;
    v1::GroupSettings& group = *product.add_groups();
    group.set_num_experts(part >= 0 ? 1 : experiment.experts);
    group.mutable_coordinates()->Add(experiment.parts[i].begin(),
                                     experiment.parts[i].end());
    v1::GaussianMixtureSettings& mixture = *group.mutable_gaussian_mixture();
    mixture.set_num_components(experiment.components);
    mixture.set_least_standard_deviation(experiment.least_deviation);
    mixture.set_initial_standard_deviation(experiment.vague_deviation);
  }
  if (stages != Stages::kFromRandom) {
    v1::InitializeStage& fit = *start.add_stages()->mutable_initialize();
    fit.set_row_share(0.5);
    if (stages != Stages::kApart) fit.set_power(experiment.power());
  }
  if (stages == Stages::kTogether || stages == Stages::kFromRandom) {
    v1::ContrastiveDivergenceStage& together =
        *start.add_stages()->mutable_contrastive_divergence();
    together.set_updates(experiment.updates);
    together.set_batch_size(500);
    v1::OptimizerSettings& optimizer = *together.mutable_optimizer();
    optimizer.set_kind(v1::OptimizerSettings::KIND_ADAM);
    optimizer.set_rate(experiment.rate);
    optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_COSINE);
  }
  return start;
}

// Mean log probability of the test rows.
absl::StatusOr<double> LogProbability(const Experiment& experiment,
                                      const v1::TrainStart& start,
                                      Reproduction& reproduction) {
  const absl::StatusOr<v1::Job> job =
      reproduction.Train(absl::StrCat("seed ", start.seed()), start,
                         experiment.training.observations(), {});
  if (!job.ok()) return job.status();
  const absl::StatusOr<std::vector<double>> found =
      reproduction.LogProbabilities(experiment.test.observations());
  if (!found.ok()) return found.status();
  return Mean(*found);
}

absl::StatusOr<double> LogProbability(const Experiment& experiment,
                                      Stages stages, uint64_t seed,
                                      Reproduction& reproduction) {
  if (stages != Stages::kApart) {
    return LogProbability(experiment, Settings(experiment, stages, -1, seed),
                          reproduction);
  }
  double best = -std::numeric_limits<double>::infinity();
  for (int part = 0; part < static_cast<int>(experiment.parts.size()); ++part) {
    const absl::StatusOr<double> found = LogProbability(
        experiment, Settings(experiment, stages, part, seed), reproduction);
    if (!found.ok()) return found;
    best = std::max(best, *found);
  }
  return best;
}

absl::StatusOr<Picture> DrawPoints(const Experiment& experiment,
                                   absl::Span<const float> samples) {
  absl::StatusOr<Plot> plot =
      Plot::Create({-1, kGridSide, -1, kGridSide}, 480, 480);
  if (!plot.ok()) return plot.status();
  plot->DrawGridLines(1, Grey(225));
  const auto draw = [&](absl::Span<const float> points, Color color) {
    for (size_t i = 0; i + 1 < points.size(); i += 2) {
      plot->DrawPoint(points[i], points[i + 1], 1.5, color, 0.7);
    }
  };
  draw(experiment.test.values, Grey(150));
  draw(samples, {31, 119, 180});
  return plot->picture();
}

// Draws of the model trained last: points over those of the test, or means of
// images.
absl::Status WriteSamples(const Experiment& experiment,
                          const std::string& stage,
                          Reproduction& reproduction) {
  v1::SampleRequest request;
  request.set_chains(experiment.samples);
  request.set_steps(500);
  request.set_annealing_steps(250);
  request.set_mean(experiment.height > 0);
  request.set_seed(0);
  const absl::StatusOr<std::vector<float>> samples =
      reproduction.Sample(std::move(request));
  if (!samples.ok()) return samples.status();
  const absl::StatusOr<Picture> picture =
      experiment.height == 0
          ? DrawPoints(experiment, *samples)
          : ImageGrid(*samples, experiment.samples, experiment.height,
                      experiment.width, 20);
  if (!picture.ok()) return picture.status();
  return reproduction.Write(*picture,
                            absl::StrCat(experiment.name, "-", stage, ".png"));
}

}  // namespace

absl::Status ReproducePool(const ReproduceOptions& options, Context& context) {
  const bool on_digits = options.on == "digits";
  if (on_digits && options.data.empty()) {
    return UsageError("--on digits needs --data, the folder of the images");
  }
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();
  struct Line {
    const char* key;
    const char* text;
    Stages stages;
    std::vector<double> found = {};
  };
  Line lines[] = {
      {"apart", "best expert of those fitted apart", Stages::kApart},
      {"pooled", "their product, softened", Stages::kPooled},
      {"from_random", "a product from a vague start", Stages::kFromRandom},
      {"together", "the softened product, trained together",
       Stages::kTogether}};
  for (int i = 0; i < options.seeds; ++i) {
    const auto seed = static_cast<uint64_t>(options.first_seed + i);
    const absl::StatusOr<Experiment> experiment =
        on_digits ? Digits(options.data, seed) : Clusters(seed);
    if (!experiment.ok()) return experiment.status();
    for (Line& line : lines) {
      const absl::StatusOr<double> found =
          LogProbability(*experiment, line.stages, seed, *reproduction);
      if (!found.ok()) return found.status();
      line.found.push_back(*found);
      if (i > 0 || line.stages == Stages::kApart) continue;
      const absl::Status status =
          WriteSamples(*experiment, line.key, *reproduction);
      if (!status.ok()) return status;
    }
  }
  Table table({{"model"}, {"log p of a test row", Table::Align::kRight}});
  Json figures;
  figures["on"] = options.on;
  for (const Line& line : lines) {
    table.AddRow({line.text, absl::StrFormat("%.4f", Mean(line.found))});
    figures[line.key] = Mean(line.found);
  }
  std::cout << table.ToString();
  reproduction->End(figures);
  return absl::OkStatus();
}

}  // namespace poe::client
