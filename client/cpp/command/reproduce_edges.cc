// poe reproduce edges
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/edge_images.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/image_grid.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr int kTrainingImages = 10000;
constexpr int kHeldOutImages = 3000;
constexpr int kExperts = 40;
constexpr int kShown = 10;
// What counts as an edge, and as an expert that is used.
constexpr double kEdgeLikeness = 0.8;
constexpr double kLeastShare = 0.1, kMostShare = 0.9;

// What was found on seeds from 100 on.
v1::TrainStart Settings(uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name("reproduce-edges");
  start.set_seed(seed);
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_GAUSSIAN);
  spec.set_dimension(kEdgePixels);
  spec.set_image_height(kEdgeSide);
  spec.set_image_width(kEdgeSide);
  v1::ProductSettings& product = *start.add_products();
  v1::GroupSettings& group = *product.add_groups();
  group.set_num_experts(kExperts);
  v1::UnigaussSettings& unigauss = *group.mutable_unigauss();
  unigauss.set_centres(v1::UnigaussSettings::CENTRES_DATA);
  unigauss.set_initial_standard_deviation(0.8);
  unigauss.set_initial_log_volume_odds(105);
  v1::ContrastiveDivergenceStage& stage =
      *start.add_stages()->mutable_contrastive_divergence();
  stage.set_updates(5000);
  stage.set_batch_size(100);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_kind(v1::OptimizerSettings::KIND_ADAM);
  optimizer.set_rate(0.003);
  return start;
}

// Share of the squared distances to `centres` that `explained` leaves out.
double ExplainedShare(absl::Span<const float> images,
                      absl::Span<const float> explanations,
                      absl::Span<const float> centres) {
  double left = 0, all = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    left += std::pow(images[i] - explanations[i], 2);
    all += std::pow(images[i] - centres[i], 2);
  }
  return 1 - left / all;
}

// The mean image of `of`, and each image's own mean, in the shape of `images`.
std::vector<float> MeanImages(absl::Span<const float> of, size_t count) {
  std::vector<double> sums(kEdgePixels, 0);
  for (size_t i = 0; i < of.size(); ++i) sums[i % kEdgePixels] += of[i];
  std::vector<float> means;
  for (size_t i = 0; i < count * kEdgePixels; ++i) {
    means.push_back(static_cast<float>(sums[i % kEdgePixels] * kEdgePixels /
                                       static_cast<double>(of.size())));
  }
  return means;
}

std::vector<float> OwnMeans(absl::Span<const float> images) {
  std::vector<float> means(images.size());
  for (size_t n = 0; n < images.size(); n += kEdgePixels) {
    double sum = 0;
    for (int i = 0; i < kEdgePixels; ++i) sum += images[n + i];
    std::fill_n(means.begin() + n, kEdgePixels,
                static_cast<float>(sum / kEdgePixels));
  }
  return means;
}

// For each expert, the share of the images on which it chooses its Gaussian:
// the mean over images of 1 - (1 - pi) / V / f(x).
absl::StatusOr<std::vector<double>> GaussianShares(
    const v1::Observations& images, const v1::Model& model,
    Reproduction& reproduction) {
  v1::ScoreRequest request;
  *request.mutable_observations() = images;
  request.set_per_expert(true);
  const absl::StatusOr<v1::ScoreResponse> response =
      reproduction.Ask(std::move(request));
  if (!response.ok()) return response.status();
  const absl::StatusOr<std::vector<double>> scores =
      TensorDoubles(response->expert_scores(0).log_scores());
  if (!scores.ok()) return scores.status();
  const absl::StatusOr<std::vector<double>> logits = TensorDoubles(
      model.classes(0).layers(0).groups(0).unigauss().mixing_logit());
  if (!logits.ok()) return logits.status();
  double log_volume = 0;
  for (int i = 0; i < kEdgePixels; ++i) {
    log_volume += std::log(model.data_spec().box().upper(i) -
                           model.data_spec().box().lower(i));
  }
  std::vector<double> shares(kExperts, 0);
  std::vector<double> counts(kExperts, 0);
  for (size_t i = 0; i < scores->size(); ++i) {
    if (std::isnan((*scores)[i])) continue;  // out of the box
    const size_t m = i % kExperts;
    const double log_uniform = -std::log1p(std::exp((*logits)[m])) - log_volume;
    shares[m] += 1 - std::exp(log_uniform - (*scores)[i]);
    counts[m] += 1;
  }
  for (int m = 0; m < kExperts; ++m) shares[m] /= counts[m];
  return shares;
}

struct Figures {
  double gaussian_share = 0;
  int used_experts = 0;
  double explained = 0;
  double contrast_explained = 0;
  double kmeans_contrast_explained = 0;
  int edge_means = 0;

  bool passed() const {
    return gaussian_share >= 0.4 && gaussian_share <= 0.6 &&
           used_experts >= 32 && explained >= 0.94 &&
           contrast_explained >= 0.79 &&
           contrast_explained >= kmeans_contrast_explained + 0.15 &&
           2 * edge_means >= kExperts;
  }
};

absl::Status WritePictures(int seed, const std::vector<Expert>& experts,
                           absl::Span<const float> images,
                           absl::Span<const float> reconstructions,
                           Reproduction& reproduction) {
  std::vector<float> means;
  for (const Expert& expert : experts) {
    means.insert(means.end(), expert.values.begin(), expert.values.end());
  }
  const ImageGridOptions options = {.magnification = 6, .gap = 4};
  const absl::StatusOr<Picture> grid =
      ImageGrid(means, kExperts, kEdgeSide, kEdgeSide, 10, options);
  if (!grid.ok()) return grid.status();
  absl::Status status =
      reproduction.Write(*grid, absl::StrCat("edges-means-", seed, ".png"));
  if (!status.ok()) return status;
  std::vector<float> pairs(images.begin(),
                           images.begin() + kShown * kEdgePixels);
  pairs.insert(pairs.end(), reconstructions.begin(),
               reconstructions.begin() + kShown * kEdgePixels);
  const absl::StatusOr<Picture> rows =
      ImageGrid(pairs, 2 * kShown, kEdgeSide, kEdgeSide, kShown, options);
  if (!rows.ok()) return rows.status();
  return reproduction.Write(
      *rows, absl::StrCat("edges-reconstructions-", seed, ".png"));
}

absl::StatusOr<Figures> Run(int seed, Reproduction& reproduction) {
  const std::vector<float> all =
      DrawEdges(static_cast<uint64_t>(seed), kTrainingImages + kHeldOutImages);
  const auto training =
      absl::MakeConstSpan(all).subspan(0, kTrainingImages * kEdgePixels);
  const auto held_out =
      absl::MakeConstSpan(all).subspan(kTrainingImages * kEdgePixels);
  const absl::StatusOr<v1::Job> job =
      reproduction.Train(absl::StrCat("seed ", seed), Settings(seed),
                         MakeObservations(training, kEdgePixels), {});
  if (!job.ok()) return job.status();
  const absl::StatusOr<v1::Model> model = reproduction.Model();
  if (!model.ok()) return model.status();
  const absl::StatusOr<std::vector<Expert>> experts =
      ReadExperts(*model, /*class_name=*/"", /*layer=*/0);
  if (!experts.ok()) return experts.status();
  const v1::Observations rows = MakeObservations(held_out, kEdgePixels);
  const absl::StatusOr<std::vector<double>> shares =
      GaussianShares(rows, *model, reproduction);
  if (!shares.ok()) return shares.status();
  const absl::StatusOr<std::vector<float>> reconstructions =
      reproduction.Reconstruct("", rows);
  if (!reconstructions.ok()) return reconstructions.status();

  Figures figures;
  for (const double share : *shares) {
    figures.gaussian_share += share / kExperts;
    if (share >= kLeastShare && share <= kMostShare) ++figures.used_experts;
  }
  const std::vector<float> own_means = OwnMeans(held_out);
  figures.explained = ExplainedShare(held_out, *reconstructions,
                                     MeanImages(training, kHeldOutImages));
  figures.contrast_explained =
      ExplainedShare(held_out, *reconstructions, own_means);
  const std::vector<float> centres =
      KMeans(training, kExperts, static_cast<uint64_t>(seed));
  figures.kmeans_contrast_explained =
      ExplainedShare(held_out, NearestCentres(held_out, centres), own_means);
  for (const Expert& expert : *experts) {
    if (EdgeLikeness(expert.values) >= kEdgeLikeness) ++figures.edge_means;
  }
  const absl::Status status =
      WritePictures(seed, *experts, held_out, *reconstructions, reproduction);
  if (!status.ok()) return status;
  return figures;
}

}  // namespace

absl::Status ReproduceEdges(const ReproduceOptions& options, Context& context) {
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"seed", kRight},
               {"Gaussian", kRight},
               {"used", kRight},
               {"explained", kRight},
               {"of contrast", kRight},
               {"by k-means", kRight},
               {"edges", kRight},
               {"passed"}});
  Json json = {{"gaussian_share", Json::array()},
               {"used_experts", Json::array()},
               {"explained", Json::array()},
               {"contrast_explained", Json::array()},
               {"kmeans_contrast_explained", Json::array()},
               {"edge_means", Json::array()}};
  for (int i = 0; i < options.seeds; ++i) {
    const int seed = options.first_seed + i;
    const absl::StatusOr<Figures> figures = Run(seed, *reproduction);
    if (!figures.ok()) return figures.status();
    table.AddRow({absl::StrCat(seed),
                  absl::StrFormat("%.2f", figures->gaussian_share),
                  absl::StrCat(figures->used_experts, " of ", kExperts),
                  absl::StrFormat("%.3f", figures->explained),
                  absl::StrFormat("%.3f", figures->contrast_explained),
                  absl::StrFormat("%.3f", figures->kmeans_contrast_explained),
                  absl::StrCat(figures->edge_means, " of ", kExperts),
                  figures->passed() ? "yes" : "no"});
    json["gaussian_share"].push_back(figures->gaussian_share);
    json["used_experts"].push_back(figures->used_experts);
    json["explained"].push_back(figures->explained);
    json["contrast_explained"].push_back(figures->contrast_explained);
    json["kmeans_contrast_explained"].push_back(
        figures->kmeans_contrast_explained);
    json["edge_means"].push_back(figures->edge_means);
  }
  std::cout << table.ToString();
  reproduction->End(json);
  return absl::OkStatus();
}

}  // namespace poe::client
