// poe reproduce usps --classes all
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <random>
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

constexpr int64_t kTestShare = 4;  // a quarter of the images: 2,750 of 11,000
constexpr int kSplits = 5;
constexpr char kName[] = "usps-all";

// What was found on images held out of the training images of other splits.
v1::TrainStart Settings(const ImageRows& images, int layers, uint64_t seed) {
  UnitProducts products{.model_name = "reproduce-usps-all",
                        .layers = layers,
                        .units = 500,
                        .epochs = 60,
                        .rate = 0.05,
                        .weight_decay = 0.0002};
  for (int digit = 0; digit < 10; ++digit) {
    products.class_names.push_back(absl::StrCat(digit));
  }
  v1::TrainStart start = StartOf(products, images, seed);
  start.set_held_out_share(0.2);
  v1::SeparatorStage& separator = *start.add_stages()->mutable_separator();
  separator.set_rows(v1::SeparatorStage::ROWS_HELD_OUT);
  separator.set_method(v1::SeparatorStage::METHOD_LOGISTIC);
  return start;
}

struct Split {
  ImageRows training;
  ImageRows test;
};

Split SplitAtRandom(const ImageRows& images, uint64_t seed) {
  std::vector<int64_t> rows(images.rows());
  std::iota(rows.begin(), rows.end(), 0);
  std::mt19937_64 engine(seed);
  std::shuffle(rows.begin(), rows.end(), engine);
  Split split{Slice(images, 0, 0), Slice(images, 0, 0)};
  const int64_t test = images.rows() / kTestShare;
  for (int64_t i = 0; i < images.rows(); ++i) {
    (i < test ? split.test : split.training).Add(images, rows[i]);
  }
  return split;
}

}  // namespace

absl::Status ReproduceAllUsps(const ReproduceOptions& options,
                              Context& context) {
  const int splits = options.splits.value_or(kSplits);
  if (splits == 0) {
    return UsageError(
        "--classes all has random splits only: --splits 0 "
        "leaves none");
  }
  const absl::StatusOr<ImageRows> images = ReadImages(
      options.data, "usps-images-idx3-ubyte", "usps-labels-idx1-ubyte");
  if (!images.ok()) return images.status();
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();

  constexpr auto kRight = Table::Align::kRight;
  Table table({{"split"}, {"test images", kRight}, {"errors", kRight}, {""}});
  std::vector<double> errors;
  for (int i = 0; i < splits; ++i) {
    const int seed = options.first_seed + i;
    const Split split = SplitAtRandom(*images, seed);
    const v1::TrainStart start = Settings(split.training, options.layers, seed);
    const absl::StatusOr<v1::Job> job = reproduction->Train(
        absl::StrCat("random split ", seed), start,
        split.training.observations(), split.training.labels);
    if (!job.ok()) return job.status();
    const absl::StatusOr<Scores> scores =
        reproduction->Score(split.test.observations());
    if (!scores.ok()) return scores.status();
    const ErrorCounts counts = CountErrors(*scores, split.test.labels);
    errors.push_back(static_cast<double>(counts.errors) /
                     static_cast<double>(counts.rows));
    table.AddRow({absl::StrCat("random, seed ", seed), FormatCount(counts.rows),
                  absl::StrCat(counts.errors),
                  FormatShare(counts.errors, counts.rows)});
    if (i > 0) continue;
    const absl::Status status = WriteClassPictures(
        kName, {start.class_names().begin(), start.class_names().end()},
        split.test, *reproduction);
    if (!status.ok()) return status;
  }
  const double mean =
      std::accumulate(errors.begin(), errors.end(), 0.0) / splits;
  double squares = 0;
  for (const double error : errors) squares += (error - mean) * (error - mean);
  const double spread = std::sqrt(squares / std::max(splits - 1, 1));
  std::cout << table.ToString()
            << absl::StrFormat(
                   "Mean %.2f%%, standard deviation over splits %.2f%%\n",
                   100 * mean, 100 * spread);
  reproduction->End({{"layers", options.layers},
                     {"errors", errors},
                     {"mean", mean},
                     {"spread", spread}});
  return absl::OkStatus();
}

}  // namespace poe::client
