// poe reproduce clusters
#include <cstdint>
#include <iostream>
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
#include "client/cpp/io/plot.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr int kPointsPerCluster = 60;
constexpr int kExperts = 15;
constexpr int kUpdates = 2000;
constexpr int kSamples = 300;
constexpr int kSampleSteps = 25;
constexpr int kAnnealingSteps = 8;

// What was found on the seeds from 100 on. Experts start a little narrower than
// the data and a little less sure than the uniform; mixing logits move slowly,
// so that an expert finds its line before it has to be there for every point.
v1::TrainStart Settings(uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name("reproduce-clusters");
  start.set_seed(seed);
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_GAUSSIAN);
  spec.set_dimension(2);
  spec.add_coordinate_names("x");
  spec.add_coordinate_names("y");
  spec.set_box_margin(0.4);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(kExperts);
  v1::UnigaussSettings& unigauss = *group.mutable_unigauss();
  unigauss.set_centres(v1::UnigaussSettings::CENTRES_UNIFORM);
  unigauss.set_initial_standard_deviation(1.2);
  unigauss.set_initial_log_volume_odds(3.5);
  v1::ContrastiveDivergenceStage& stage =
      *start.add_stages()->mutable_contrastive_divergence();
  stage.set_updates(kUpdates);
  stage.set_batch_size(500);
  stage.set_gibbs_steps(1);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_kind(v1::OptimizerSettings::KIND_ADAM);
  optimizer.set_rate(0.04);
  optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_COSINE);
  optimizer.set_final_rate_share(0.3);
  optimizer.set_momentum(0.8);
  optimizer.set_second_decay(0.99);
  (*optimizer.mutable_rate_multipliers())["mixing_logit"] = 0.25;
  optimizer.set_average_share(0.2);
  return start;
}

constexpr int kPanel = 480;
constexpr Color kGridColor = Grey(225);
constexpr Color kDataColor = Grey(120);
constexpr Color kSampleColor = {31, 119, 180};
constexpr Color kColumnColor = {214, 39, 40};
constexpr Color kRowColor = {44, 120, 60};
constexpr Color kVagueColor = Grey(190);

absl::StatusOr<Plot> Panel() {
  absl::StatusOr<Plot> plot =
      Plot::Create({-1, kGridSide, -1, kGridSide}, kPanel, kPanel);
  if (plot.ok()) plot->DrawGridLines(1, kGridColor);
  return plot;
}

void DrawPoints(absl::Span<const float> points, Color color, double opacity,
                Plot& plot) {
  for (size_t i = 0; i + 1 < points.size(); i += 2) {
    plot.DrawPoint(points[i], points[i + 1], 1.5, color, opacity);
  }
}

// Figure 1, data and the experts' contours of one standard deviation, beside
// figure 2, the samples.
absl::StatusOr<Picture> DrawFigures(absl::Span<const float> data,
                                    absl::Span<const Expert> experts,
                                    absl::Span<const float> samples) {
  absl::StatusOr<Plot> fit = Panel();
  if (!fit.ok()) return fit.status();
  DrawPoints(data, kDataColor, 0.5, *fit);
  for (const Expert& expert : experts) {
    const double x = expert.deviations[0];
    const double y = expert.deviations[1];
    const Color color = x < 0.25   ? kColumnColor
                        : y < 0.25 ? kRowColor
                                   : kVagueColor;
    fit->DrawEllipse(expert.values[0], expert.values[1], x, y, 1.5, color);
  }
  absl::StatusOr<Plot> drawn = Panel();
  if (!drawn.ok()) return drawn.status();
  DrawPoints(samples, kSampleColor, 1, *drawn);
  return SideBySide({fit->picture(), drawn->picture()}, 8);
}

}  // namespace

absl::Status ReproduceClusters(const ReproduceOptions& options,
                               Context& context) {
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"seed", kRight},
               {"columns", kRight},
               {"rows", kRight},
               {"near", kRight},
               {"missing share", kRight},
               {"passed"}});
  Json figures = {{"covered", Json::array()},
                  {"near", Json::array()},
                  {"missing_share", Json::array()},
                  {"passed", Json::array()}};
  int passed = 0;
  for (int i = 0; i < options.seeds; ++i) {
    const int seed = options.first_seed + i;
    const std::vector<float> data =
        DrawClusters(static_cast<uint64_t>(seed), kPointsPerCluster);
    const absl::StatusOr<v1::Job> job =
        reproduction->Train(absl::StrCat("seed ", seed), Settings(seed),
                            MakeObservations(absl::MakeConstSpan(data), 2), {});
    if (!job.ok()) return job.status();
    const absl::StatusOr<std::vector<Expert>> experts = reproduction->Experts();
    if (!experts.ok()) return experts.status();
    v1::SampleRequest request;
    request.set_chains(kSamples);
    request.set_steps(kSampleSteps);
    request.set_annealing_steps(kAnnealingSteps);
    request.set_seed(seed);
    const absl::StatusOr<std::vector<float>> samples =
        reproduction->Sample(request);
    if (!samples.ok()) return samples.status();

    const GridCoverage coverage = CoverageOf(*experts);
    const GridHits hits = HitsOf(*samples);
    const bool good = IsGoodFit(coverage, hits);
    passed += good ? 1 : 0;
    table.AddRow({absl::StrCat(seed), absl::StrCat(coverage.columns, " of 5"),
                  absl::StrCat(coverage.rows, " of 5"),
                  absl::StrFormat("%.1f%%", 100 * hits.near),
                  absl::StrFormat("%.2f", hits.missing_share),
                  good ? "yes" : "no"});
    figures["covered"].push_back(coverage.complete());
    figures["near"].push_back(hits.near);
    figures["missing_share"].push_back(hits.missing_share);
    figures["passed"].push_back(good);
    const absl::StatusOr<Picture> picture =
        DrawFigures(data, *experts, *samples);
    if (!picture.ok()) return picture.status();
    const absl::Status status =
        reproduction->Write(*picture, absl::StrCat("clusters-", seed, ".png"));
    if (!status.ok()) return status;
  }
  std::cout << table.ToString() << passed << " of " << options.seeds
            << " seeds passed\n";
  reproduction->End(figures);
  return absl::OkStatus();
}

}  // namespace poe::client
