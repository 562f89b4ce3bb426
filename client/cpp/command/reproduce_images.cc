// poe reproduce digits, poe reproduce fashion
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/class_pictures.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/command/unit_products.h"

namespace poe::client {
namespace {

constexpr int kClasses = 10;

struct Experiment {
  // Of the pictures.
  std::string name;
  UnitProducts products;
  double held_out_share = 0.15;
  v1::SeparatorStage::Method separator =
      v1::SeparatorStage::METHOD_MAXIMUM_MARGIN;
  double cost = 10;
};

// What was found on images held out of training.
Experiment Digits(int layers) {
  UnitProducts products{
      .model_name = "reproduce-digits",
      .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
      .layers = layers,
      .units = 500,
      .epochs = 40,
      .rate = 0.1,
      .weight_decay = 0.0002};
  if (layers == 1) return {.name = "digits", .products = products};
  products.epochs = 30;
  products.rate = 0.05;
  return {.name = absl::StrCat("digits-", layers, "-layers"),
          .products = products,
          .held_out_share = 0.2,
          .separator = v1::SeparatorStage::METHOD_LOGISTIC,
          .cost = 1};
}

Experiment Fashion() {
  return {.name = "fashion",
          .products = {
              .model_name = "reproduce-fashion",
              .class_names = {"T-shirt", "Trouser", "Pullover", "Dress", "Coat",
                              "Sandal", "Shirt", "Sneaker", "Bag", "Boot"},
              .units = 100,
              .epochs = 40,
              .rate = 0.1,
              .weight_decay = 0.0002}};
}

v1::TrainStart Settings(const Experiment& experiment, const ImageRows& images,
                        uint64_t seed) {
  v1::TrainStart start = StartOf(experiment.products, images, seed);
  start.set_held_out_share(experiment.held_out_share);
  v1::SeparatorStage& separator = *start.add_stages()->mutable_separator();
  separator.set_rows(v1::SeparatorStage::ROWS_HELD_OUT);
  separator.set_method(experiment.separator);
  separator.set_cost(experiment.cost);
  start.add_stages()->mutable_calibration();
  return start;
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
    const absl::Status status = WriteClassPictures(
        experiment.name, experiment.products.class_names, *test, *reproduction);
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
    table.AddRow({experiment.products.class_names[c], FormatCount(counts.rows),
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
                     {"train_seconds", train_seconds},
                     {"layers", experiment.products.layers}});
  return absl::OkStatus();
}

}  // namespace

absl::Status ReproduceDigits(const ReproduceOptions& options,
                             Context& context) {
  return Reproduce(Digits(options.layers), options, context);
}

absl::Status ReproduceFashion(const ReproduceOptions& options,
                              Context& context) {
  return Reproduce(Fashion(), options, context);
}

}  // namespace poe::client
