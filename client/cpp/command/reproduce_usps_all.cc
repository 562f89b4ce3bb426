// poe reproduce usps --classes all
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <map>
#include <numeric>
#include <random>
#include <set>
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

// As `digits` has it, with twice the epochs for a seventh of the images.
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

// For each image, whether the same stands under another label too. (In one copy
// of the data that is in use the digits 5, 6 and 7 are the same images.)
std::vector<bool> FindAmbiguous(const ImageRows& images) {
  const auto bytes = [&](int64_t row) {
    const int64_t dimension = images.dimension();
    return std::string(images.values.begin() + row * dimension,
                       images.values.begin() + (row + 1) * dimension);
  };
  std::map<std::string, std::set<int32_t>> labels;
  for (int64_t row = 0; row < images.rows(); ++row) {
    labels[bytes(row)].insert(images.labels[row]);
  }
  std::vector<bool> ambiguous(images.rows());
  for (int64_t row = 0; row < images.rows(); ++row) {
    ambiguous[row] = labels[bytes(row)].size() > 1;
  }
  return ambiguous;
}

struct Split {
  ImageRows training, test;
  std::vector<int64_t> test_rows;  // in the file
};

Split SplitAtRandom(const ImageRows& images, uint64_t seed) {
  std::vector<int64_t> rows(images.rows());
  std::iota(rows.begin(), rows.end(), 0);
  std::mt19937_64 engine(seed);
  std::shuffle(rows.begin(), rows.end(), engine);
  const int64_t test = images.rows() / kTestShare;
  Split split{Slice(images, 0, 0),
              Slice(images, 0, 0),
              {rows.begin(), rows.begin() + test}};
  for (int64_t i = 0; i < images.rows(); ++i) {
    (i < test ? split.test : split.training).Add(images, rows[i]);
  }
  return split;
}

// Shares of errors among all test images, and among those of one label.
struct Errors {
  std::vector<double> all, distinct;
};

void AddErrors(const Scores& scores, const Split& split,
               const std::vector<bool>& ambiguous, Errors& errors) {
  int64_t wrong = 0, distinct = 0, distinct_wrong = 0;
  for (int64_t n = 0; n < scores.rows; ++n) {
    const bool is_wrong = scores.labels[n] != split.test.labels[n];
    wrong += is_wrong ? 1 : 0;
    if (ambiguous[split.test_rows[n]]) continue;
    ++distinct;
    distinct_wrong += is_wrong ? 1 : 0;
  }
  errors.all.push_back(static_cast<double>(wrong) /
                       static_cast<double>(scores.rows));
  errors.distinct.push_back(static_cast<double>(distinct_wrong) /
                            static_cast<double>(distinct));
}

double StandardDeviation(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values)
    squares += std::pow(value - Mean(values), 2);
  return std::sqrt(squares /
                   static_cast<double>(std::max<size_t>(values.size() - 1, 1)));
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
  const std::vector<bool> ambiguous = FindAmbiguous(*images);
  const int64_t shared = std::count(ambiguous.begin(), ambiguous.end(), true);
  Table table({{"split"},
               {"test images", kRight},
               {"errors", kRight},
               {"of images under one label", kRight}});
  Errors errors;
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
    AddErrors(*scores, split, ambiguous, errors);
    table.AddRow({absl::StrCat("random, seed ", seed),
                  FormatCount(split.test.rows()),
                  absl::StrFormat("%.2f%%", 100 * errors.all.back()),
                  absl::StrFormat("%.2f%%", 100 * errors.distinct.back())});
    if (i > 0) continue;
    const absl::Status status = WriteClassPictures(
        kName, {start.class_names().begin(), start.class_names().end()},
        split.test, *reproduction);
    if (!status.ok()) return status;
  }
  table.AddRow({"mean", "", absl::StrFormat("%.2f%%", 100 * Mean(errors.all)),
                absl::StrFormat("%.2f%%", 100 * Mean(errors.distinct))});
  table.AddRow(
      {"standard deviation", "",
       absl::StrFormat("%.2f%%", 100 * StandardDeviation(errors.all)),
       absl::StrFormat("%.2f%%", 100 * StandardDeviation(errors.distinct))});
  std::cout << table.ToString();
  if (shared > 0) {
    std::cout << FormatCount(shared, "image") << " of "
              << FormatCount(images->rows())
              << " stand under several labels, which nobody could tell apart\n";
  }
  reproduction->End({{"layers", options.layers},
                     {"errors", errors.all},
                     {"mean", Mean(errors.all)},
                     {"spread", StandardDeviation(errors.all)},
                     {"distinct_errors", errors.distinct},
                     {"distinct_mean", Mean(errors.distinct)},
                     {"distinct_spread", StandardDeviation(errors.distinct)},
                     {"images_under_several_labels", shared}});
  return absl::OkStatus();
}

}  // namespace poe::client
