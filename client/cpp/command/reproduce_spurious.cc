// poe reproduce spurious
#include <cmath>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/plot.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

// Two clusters in opposite corners of a square.
constexpr int kClusters = 2;
constexpr double kSpacing = 4;
constexpr double kDeviation = 0.25;
constexpr int kPerCluster = 300;
// Farther than this from all clusters, nothing is explained by the data.
constexpr double kExplained = 4 * kDeviation;
// Of the box and the pictures.
constexpr double kLower = -1, kUpper = 5;
// Of the quadrature, nodes on a side.
constexpr int kNodes = 500;

std::vector<float> DrawData(uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> noise(0, kDeviation);
  std::vector<float> values;
  for (int i = 0; i < kClusters * kPerCluster; ++i) {
    const double centre = kSpacing * (i % kClusters);
    for (int k = 0; k < 2; ++k) {
      values.push_back(static_cast<float>(centre + noise(engine)));
    }
  }
  return values;
}

v1::Observations RowsOf(const std::vector<float>& values) {
  return MakeObservations(absl::MakeConstSpan(values), 2);
}

// What was found on the seeds from 100 on.
v1::TrainStart Settings(bool unlearn, uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name("reproduce-spurious");
  start.set_seed(seed);
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_GAUSSIAN);
  spec.set_dimension(2);
  for (int i = 0; i < 2; ++i) {
    spec.mutable_box()->add_lower(kLower);
    spec.mutable_box()->add_upper(kUpper);
  }
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(19);
  v1::UnigaussSettings& unigauss = *group.mutable_unigauss();
  unigauss.set_centres(v1::UnigaussSettings::CENTRES_UNIFORM);
  unigauss.set_initial_standard_deviation(0.5);
  unigauss.set_initial_log_volume_odds(7);
  unigauss.set_least_standard_deviation(0.2);
  v1::ContrastiveDivergenceStage& stage =
      *start.add_stages()->mutable_contrastive_divergence();
  stage.set_updates(4000);
  stage.set_batch_size(300);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_kind(v1::OptimizerSettings::KIND_ADAM);
  optimizer.set_rate(0.005);
  optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_COSINE);
  if (!unlearn) return start;
  v1::UnlearnStage& after = *start.add_stages()->mutable_unlearn();
  after.set_chains(500);
  after.set_steps(1000);
  after.set_gibbs_steps(5);
  after.set_updates(5000);
  after.set_batch_size(-1);
  *after.mutable_optimizer() = optimizer;
  after.mutable_optimizer()->set_rate(0.01);
  return start;
}

struct Found {
  double mass = 0;      // where no data are
  double held_out = 0;  // log probability of a held-out row
};

// By the midpoint rule on the box.
absl::StatusOr<double> MassOutside(Reproduction& reproduction) {
  constexpr double kStep = (kUpper - kLower) / kNodes;
  std::vector<float> nodes;
  for (int i = 0; i < kNodes; ++i) {
    for (int k = 0; k < kNodes; ++k) {
      const double x = kLower + (i + 0.5) * kStep;
      const double y = kLower + (k + 0.5) * kStep;
      bool explained = false;
      for (int c = 0; c < kClusters; ++c) {
        explained = explained ||
                    std::hypot(x - kSpacing * c, y - kSpacing * c) < kExplained;
      }
      if (explained) continue;
      nodes.push_back(static_cast<float>(x));
      nodes.push_back(static_cast<float>(y));
    }
  }
  const absl::StatusOr<std::vector<double>> log_probabilities =
      reproduction.LogProbabilities(RowsOf(nodes));
  if (!log_probabilities.ok()) return log_probabilities.status();
  double mass = 0;
  for (const double log_p : *log_probabilities) {
    mass += std::exp(log_p) * kStep * kStep;
  }
  return mass;
}

// The data and what long chains without data find.
absl::StatusOr<Picture> Draw(absl::Span<const float> data,
                             Reproduction& reproduction) {
  v1::SampleRequest request;
  request.set_chains(600);
  request.set_steps(1000);
  request.set_annealing_steps(500);
  request.set_seed(0);
  const absl::StatusOr<std::vector<float>> samples =
      reproduction.Sample(std::move(request));
  if (!samples.ok()) return samples.status();
  absl::StatusOr<Plot> plot =
      Plot::Create({kLower, kUpper, kLower, kUpper}, 480, 480);
  if (!plot.ok()) return plot.status();
  plot->DrawGridLines(1, Grey(225));
  const auto draw = [&](absl::Span<const float> points, Color color) {
    for (size_t i = 0; i + 1 < points.size(); i += 2) {
      plot->DrawPoint(points[i], points[i + 1], 1.5, color, 0.8);
    }
  };
  draw(data, Grey(150));
  draw(*samples, {31, 119, 180});
  return plot->picture();
}

}  // namespace

absl::Status ReproduceSpurious(const ReproduceOptions& options,
                               Context& context) {
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"seed", kRight},
               {"mass without data", kRight},
               {"unlearned", kRight},
               {"log p of held-out rows", kRight},
               {"unlearned", kRight}});
  Found before, after;
  for (int i = 0; i < options.seeds; ++i) {
    const auto seed = static_cast<uint64_t>(options.first_seed + i);
    const std::vector<float> data = DrawData(2 * seed);
    const v1::Observations held_out = RowsOf(DrawData(2 * seed + 1));
    Found found[2];
    std::vector<Picture> pictures;
    for (const bool unlearn : {false, true}) {
      const absl::StatusOr<v1::Job> job =
          reproduction->Train(absl::StrCat("seed ", seed),
                              Settings(unlearn, seed), RowsOf(data), {});
      if (!job.ok()) return job.status();
      const absl::StatusOr<double> mass = MassOutside(*reproduction);
      if (!mass.ok()) return mass.status();
      const absl::StatusOr<std::vector<double>> log_probabilities =
          reproduction->LogProbabilities(held_out);
      if (!log_probabilities.ok()) return log_probabilities.status();
      found[unlearn] = {*mass, Mean(*log_probabilities)};
      if (i > 0) continue;
      absl::StatusOr<Picture> picture = Draw(data, *reproduction);
      if (!picture.ok()) return picture.status();
      pictures.push_back(*std::move(picture));
    }
    table.AddRow({absl::StrCat(seed), absl::StrFormat("%.5f", found[0].mass),
                  absl::StrFormat("%.5f", found[1].mass),
                  absl::StrFormat("%.3f", found[0].held_out),
                  absl::StrFormat("%.3f", found[1].held_out)});
    before.mass += found[0].mass / options.seeds;
    before.held_out += found[0].held_out / options.seeds;
    after.mass += found[1].mass / options.seeds;
    after.held_out += found[1].held_out / options.seeds;
    if (i > 0) continue;
    const absl::Status status =
        reproduction->Write(SideBySide(pictures, 8), "spurious.png");
    if (!status.ok()) return status;
  }
  std::cout << table.ToString()
            << absl::StrFormat(
                   "Means: mass without data %.5f, unlearned %.5f; log p of "
                   "held-out rows %.3f, unlearned %.3f\n",
                   before.mass, after.mass, before.held_out, after.held_out);
  reproduction->End({{"mass_before", before.mass},
                     {"mass_after", after.mass},
                     {"held_out_before", before.held_out},
                     {"held_out_after", after.held_out}});
  return absl::OkStatus();
}

}  // namespace poe::client
