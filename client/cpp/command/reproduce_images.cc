// poe reproduce digits, poe reproduce fashion
#include <array>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/image_grid.h"

namespace poe::client {
namespace {

constexpr int kClasses = 10;
constexpr int kAcross = 20;
constexpr int kReconstructed = 2;
constexpr int kSampleSteps = 500;
constexpr int kStepsFromImages = 100;

struct Experiment {
  // Of the model and the pictures.
  std::string name;
  std::array<std::string, kClasses> class_names;
  int experts;
  int epochs;
  double rate;
  double held_out_share;
};

// What was found on images held out of training.
const Experiment& Digits() {
  static const auto* experiment = new Experiment{
      .name = "digits",
      .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
      .experts = 500,
      .epochs = 40,
      .rate = 0.1,
      .held_out_share = 0.15};
  return *experiment;
}

const Experiment& Fashion() {
  static const auto* experiment = new Experiment{
      .name = "fashion",
      .class_names = {"T-shirt", "Trouser", "Pullover", "Dress", "Coat",
                      "Sandal", "Shirt", "Sneaker", "Bag", "Boot"},
      .experts = 100,
      .epochs = 40,
      .rate = 0.1,
      .held_out_share = 0.15};
  return *experiment;
}

v1::TrainStart Settings(const Experiment& experiment, const ImageRows& images,
                        uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name(absl::StrCat("reproduce-", experiment.name));
  start.set_seed(seed);
  for (const std::string& name : experiment.class_names) {
    start.add_class_names(name);
  }
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_BERNOULLI);
  spec.set_dimension(images.dimension());
  spec.set_image_height(images.height);
  spec.set_image_width(images.width);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(experiment.experts);
  group.mutable_bernoulli_units();
  v1::ContrastiveDivergenceStage& stage =
      *start.add_stages()->mutable_contrastive_divergence();
  stage.set_epochs(experiment.epochs);
  stage.set_batch_size(100);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_rate(experiment.rate);
  optimizer.set_momentum(0.9);
  optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_LINEAR);
  optimizer.set_weight_decay(0.0002);
  start.set_held_out_share(experiment.held_out_share);
  v1::SeparatorStage& separator = *start.add_stages()->mutable_separator();
  separator.set_rows(v1::SeparatorStage::ROWS_HELD_OUT);
  separator.set_method(v1::SeparatorStage::METHOD_MAXIMUM_MARGIN);
  separator.set_cost(10);
  start.add_stages()->mutable_calibration();
  return start;
}

// The first experts of each class, a line for each class.
absl::Status WriteExperts(const Experiment& experiment, const ImageRows& images,
                          Reproduction& reproduction) {
  const absl::StatusOr<std::vector<Expert>> experts = reproduction.Experts();
  if (!experts.ok()) return experts.status();
  std::vector<float> weights;
  for (const Expert& expert : *experts) {
    if (expert.number >= kAcross) continue;
    weights.insert(weights.end(), expert.values.begin(), expert.values.end());
  }
  const absl::StatusOr<Picture> picture =
      SignedImageGrid(weights, int64_t{kClasses} * kAcross, images.height,
                      images.width, kAcross);
  if (!picture.ok()) return picture.status();
  return reproduction.Write(*picture,
                            absl::StrCat(experiment.name, "-experts.png"));
}

// Lines of test images, each above its reconstruction by its class's experts.
absl::Status WriteReconstructions(const Experiment& experiment,
                                  const ImageRows& test,
                                  Reproduction& reproduction) {
  std::vector<Picture> strips;
  for (int i = 0; i < kReconstructed; ++i) {
    const ImageRows shown = Slice(test, int64_t{i} * kAcross, kAcross);
    std::vector<float> originals;
    for (const uint8_t byte : shown.values) {
      originals.push_back(static_cast<float>(byte) / 255);
    }
    const absl::StatusOr<std::vector<float>> reconstructions =
        reproduction.Reconstruct(/*class_name=*/"", shown.observations());
    if (!reconstructions.ok()) return reconstructions.status();
    std::vector<Picture> lines;
    for (const auto& line : {originals, *reconstructions}) {
      absl::StatusOr<Picture> picture =
          ImageGrid(line, kAcross, test.height, test.width, kAcross);
      if (!picture.ok()) return picture.status();
      lines.push_back(*std::move(picture));
    }
    strips.push_back(StackVertically(lines, 0));
  }
  return reproduction.Write(
      StackVertically(strips, 4),
      absl::StrCat(experiment.name, "-reconstructions.png"));
}

// The first images of a class.
ImageRows OfClass(const ImageRows& images, int label, int64_t count) {
  ImageRows found = Slice(images, 0, 0);
  for (int64_t row = 0; row < images.rows() && found.rows() < count; ++row) {
    if (images.labels[row] == label) found.Add(images, row);
  }
  return found;
}

// A line of chains for each class, begun at random or at images of the class.
absl::Status WriteSamples(const Experiment& experiment, const ImageRows& images,
                          bool from_images, const std::string& file,
                          Reproduction& reproduction) {
  std::vector<Picture> lines;
  for (int label = 0; label < kClasses; ++label) {
    v1::SampleRequest request;
    request.set_class_name(experiment.class_names[label]);
    request.set_chains(kAcross);
    request.set_steps(from_images ? kStepsFromImages : kSampleSteps);
    request.set_mean(true);
    request.set_seed(0);
    if (from_images) {
      request.set_start(v1::SampleRequest::START_DATA);
      *request.mutable_start_from() =
          OfClass(images, label, kAcross).observations();
    }
    const absl::StatusOr<std::vector<float>> samples =
        reproduction.Sample(request);
    if (!samples.ok()) return samples.status();
    absl::StatusOr<Picture> line =
        ImageGrid(*samples, kAcross, images.height, images.width, kAcross);
    if (!line.ok()) return line.status();
    lines.push_back(*std::move(line));
  }
  return reproduction.Write(StackVertically(lines, 0),
                            absl::StrCat(experiment.name, file));
}

absl::Status Reproduce(const Experiment& experiment,
                       const ReproduceOptions& options, Context& context) {
  const absl::StatusOr<ImageRows> training = ReadImages(
      options.data, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  if (!training.ok()) return training.status();
  const absl::StatusOr<ImageRows> test = ReadImages(
      options.data, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
  if (!test.ok()) return test.status();
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();

  const v1::Observations training_rows = training->observations();
  const v1::Observations test_rows = test->observations();
  ErrorCounts all;
  all.classes.resize(kClasses);
  double seconds = 0;
  for (int i = 0; i < options.seeds; ++i) {
    const int seed = options.first_seed + i;
    const absl::StatusOr<v1::Job> job = reproduction->Train(
        absl::StrCat("seed ", seed), Settings(experiment, *training, seed),
        training_rows, training->labels);
    if (!job.ok()) return job.status();
    seconds += job->progress().seconds();
    const absl::StatusOr<Scores> scores = reproduction->Score(test_rows);
    if (!scores.ok()) return scores.status();
    const ErrorCounts counts = CountErrors(*scores, test->labels);
    all.rows += counts.rows;
    all.errors += counts.errors;
    for (int c = 0; c < kClasses; ++c) {
      all.classes[c].rows += counts.classes[c].rows;
      all.classes[c].errors += counts.classes[c].errors;
    }
    if (i > 0) continue;
    absl::Status status = WriteExperts(experiment, *training, *reproduction);
    if (status.ok()) {
      status = WriteReconstructions(experiment, *test, *reproduction);
    }
    if (status.ok()) {
      status = WriteSamples(experiment, *test, /*from_images=*/false,
                            "-samples.png", *reproduction);
    }
    if (status.ok()) {
      status = WriteSamples(experiment, *test, /*from_images=*/true,
                            "-chains-from-images.png", *reproduction);
    }
    if (!status.ok()) return status;
  }

  constexpr auto kRight = Table::Align::kRight;
  Table table({{"class"}, {"test images", kRight}, {"error", kRight}});
  Json per_class = Json::array();
  const auto share = [](const auto& counts) {
    return static_cast<double>(counts.errors) /
           static_cast<double>(counts.rows);
  };
  for (int c = 0; c < kClasses; ++c) {
    const ErrorCounts::Class& counts = all.classes[c];
    table.AddRow({experiment.class_names[c], FormatCount(counts.rows),
                  FormatShare(counts.errors, counts.rows)});
    per_class.push_back(share(counts));
  }
  table.AddRow({"all", FormatCount(all.rows),
                absl::StrFormat("%.2f%%", 100 * share(all))});
  const double train_seconds = seconds / options.seeds;
  std::cout << table.ToString()
            << absl::StrFormat("Trained in %.1f s\n", train_seconds);
  reproduction->End({{"test_error", share(all)},
                     {"per_class", per_class},
                     {"train_seconds", train_seconds}});
  return absl::OkStatus();
}

}  // namespace

absl::Status ReproduceDigits(const ReproduceOptions& options,
                             Context& context) {
  return Reproduce(Digits(), options, context);
}

absl::Status ReproduceFashion(const ReproduceOptions& options,
                              Context& context) {
  return Reproduce(Fashion(), options, context);
}

}  // namespace poe::client
