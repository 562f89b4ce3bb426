// poe reproduce usps
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/command/unit_products.h"
#include "client/cpp/io/image_grid.h"

namespace poe::client {
namespace {

constexpr int kDigits[] = {2, 3};
constexpr int kTrainingRows = 1000;
constexpr int kTestRows = 100;
constexpr int kExperts = 100;
constexpr int kShown = 20;
constexpr int kSplits = 20;

// What was found by cross-validation among the training images.
v1::TrainStart Settings(const ImageRows& images, uint64_t seed) {
  UnitProducts products{.model_name = "reproduce-usps",
                        .units = kExperts,
                        .epochs = 50,
                        .rate = 0.05};
  for (const int digit : kDigits) {
    products.class_names.push_back(absl::StrCat(digit));
  }
  v1::TrainStart start = StartOf(products, images, seed);
  start.add_stages()->mutable_separator()->set_rows(
      v1::SeparatorStage::ROWS_TRAINING);
  return start;
}

// Labels are 0 for a two and 1 for a three.
struct Split {
  ImageRows training;
  ImageRows test;
};

// The rows of one digit, in the order of the file.
std::vector<int64_t> RowsOf(const ImageRows& images, int digit) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < images.rows(); ++row) {
    if (images.labels[row] == digit) rows.push_back(row);
  }
  return rows;
}

void Take(const ImageRows& images, const std::vector<int64_t>& rows,
          size_t begin, size_t count, int32_t label, ImageRows& part) {
  for (size_t i = begin; i < begin + count; ++i) {
    part.Add(images, rows[i]);
    part.labels.back() = label;
  }
}

// Of each digit, in this order: the first rows to train, the last to test.
Split SplitRows(const ImageRows& images,
                const std::vector<std::vector<int64_t>>& rows) {
  const ImageRows none{.values = {},
                       .labels = {},
                       .height = images.height,
                       .width = images.width};
  Split split{none, none};
  for (size_t c = 0; c < rows.size(); ++c) {
    const auto label = static_cast<int32_t>(c);
    Take(images, rows[c], 0, kTrainingRows, label, split.training);
    Take(images, rows[c], rows[c].size() - kTestRows, kTestRows, label,
         split.test);
  }
  return split;
}

struct Errors {
  int64_t training = 0;
  int64_t test = 0;
};

absl::StatusOr<int64_t> CountErrorsOn(const ImageRows& images,
                                      Reproduction& reproduction) {
  const absl::StatusOr<Scores> scores =
      reproduction.Score(images.observations());
  if (!scores.ok()) return scores.status();
  return CountErrors(*scores, images.labels).errors;
}

absl::StatusOr<Errors> Run(const std::string& topic, const Split& split,
                           uint64_t seed, Reproduction& reproduction) {
  const absl::StatusOr<v1::Job> job =
      reproduction.Train(topic, Settings(split.training, seed),
                         split.training.observations(), split.training.labels);
  if (!job.ok()) return job.status();
  const absl::StatusOr<int64_t> training =
      CountErrorsOn(split.training, reproduction);
  if (!training.ok()) return training.status();
  const absl::StatusOr<int64_t> test = CountErrorsOn(split.test, reproduction);
  if (!test.ok()) return test.status();
  return Errors{.training = *training, .test = *test};
}

// Test images of both digits, and below each what the twos' and the threes'
// experts make of it.
absl::Status WriteReconstructions(const Split& split,
                                  Reproduction& reproduction) {
  std::vector<Picture> strips;
  for (const int64_t begin : {0, kTestRows}) {
    const ImageRows shown = Slice(split.test, begin, kShown);
    std::vector<std::vector<float>> lines(1);
    for (const uint8_t byte : shown.values) {
      lines[0].push_back(static_cast<float>(byte) / 255);
    }
    for (const int digit : kDigits) {
      const absl::StatusOr<std::vector<float>> line =
          reproduction.Reconstruct(absl::StrCat(digit), shown.observations());
      if (!line.ok()) return line.status();
      lines.push_back(*line);
    }
    for (const std::vector<float>& line : lines) {
      absl::StatusOr<Picture> picture =
          ImageGrid(line, kShown, shown.height, shown.width, kShown);
      if (!picture.ok()) return picture.status();
      strips.push_back(*std::move(picture));
    }
  }
  return reproduction.Write(StackVertically(strips, 4),
                            "usps-reconstructions.png");
}

absl::Status WriteExperts(const ImageRows& images, Reproduction& reproduction) {
  const absl::StatusOr<std::vector<Expert>> experts = reproduction.Experts();
  if (!experts.ok()) return experts.status();
  std::vector<float> weights;
  for (const Expert& expert : *experts) {
    weights.insert(weights.end(), expert.values.begin(), expert.values.end());
  }
  const absl::StatusOr<Picture> picture =
      SignedImageGrid(weights, static_cast<int64_t>(experts->size()),
                      images.height, images.width, kShown);
  if (!picture.ok()) return picture.status();
  return reproduction.Write(*picture, "usps-experts.png");
}

double Median(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  if (values.size() % 2 == 1) return static_cast<double>(values[half]);
  return static_cast<double>(values[half - 1] + values[half]) / 2;
}

}  // namespace

absl::Status ReproduceUsps(const ReproduceOptions& options, Context& context) {
  if (options.classes == "all") return ReproduceAllUsps(options, context);
  if (options.layers > 1) {
    return UsageError("--layers is for all classes: add --classes all");
  }
  const int splits = options.splits.value_or(kSplits);
  const absl::StatusOr<ImageRows> images = ReadImages(
      options.data, "usps-images-idx3-ubyte", "usps-labels-idx1-ubyte");
  if (!images.ok()) return images.status();
  std::vector<std::vector<int64_t>> rows;
  for (const int digit : kDigits) {
    rows.push_back(RowsOf(*images, digit));
    if (rows.back().size() < kTrainingRows + kTestRows) {
      return absl::InvalidArgumentError(absl::StrCat(
          options.data, " has ", rows.back().size(), " images of the digit ",
          digit, "; ", kTrainingRows + kTestRows, " are needed"));
    }
  }
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();

  constexpr auto kRight = Table::Align::kRight;
  Table table({{"split"},
               {"seed", kRight},
               {"training errors", kRight},
               {"test errors", kRight}});
  std::vector<int64_t> train_errors, errors, split_errors;
  const Split own = SplitRows(*images, rows);
  for (int i = 0; i < options.seeds; ++i) {
    const int seed = options.first_seed + i;
    const absl::StatusOr<Errors> found =
        Run(absl::StrCat("seed ", seed), own, seed, *reproduction);
    if (!found.ok()) return found.status();
    train_errors.push_back(found->training);
    errors.push_back(found->test);
    table.AddRow({"the paper's", absl::StrCat(seed),
                  absl::StrCat(found->training), absl::StrCat(found->test)});
    if (i > 0) continue;
    absl::Status status = WriteReconstructions(own, *reproduction);
    if (status.ok()) status = WriteExperts(own.test, *reproduction);
    if (!status.ok()) return status;
  }
  for (int i = 0; i < splits; ++i) {
    const int seed = options.first_seed + i;
    std::mt19937_64 engine(static_cast<uint64_t>(seed));
    for (std::vector<int64_t>& of_digit : rows) {
      std::shuffle(of_digit.begin(), of_digit.end(), engine);
    }
    const absl::StatusOr<Errors> found =
        Run(absl::StrCat("random split ", seed), SplitRows(*images, rows), seed,
            *reproduction);
    if (!found.ok()) return found.status();
    split_errors.push_back(found->test);
    table.AddRow({"random", absl::StrCat(seed), absl::StrCat(found->training),
                  absl::StrCat(found->test)});
  }
  std::cout << table.ToString() << "Of 200 test images: median "
            << Median(errors) << " errors on the paper's split";
  if (splits > 0) {
    std::cout << ", mean "
              << Mean(std::vector<double>(split_errors.begin(),
                                          split_errors.end()))
              << " on random splits";
  }
  std::cout << "\n";
  reproduction->End({{"errors", errors},
                     {"split_errors", split_errors},
                     {"train_errors", train_errors}});
  return absl::OkStatus();
}

}  // namespace poe::client
