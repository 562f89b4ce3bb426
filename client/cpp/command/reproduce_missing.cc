// poe reproduce missing
#include <algorithm>
#include <array>
#include <cstdint>
#include <future>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "Eigen/Core"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/table.h"
#include "client/cpp/command/unit_products.h"
#include "client/cpp/io/image_grid.h"

namespace poe::client {
namespace {

using Matrix =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr const char* kHalves[] = {"lower", "random"};
constexpr int kSteps = 200;
constexpr int kChains = 10;
// Rows asked about at a time.
constexpr int64_t kBlock = 500;
constexpr int kShown = 20;

// What was found on training images that were kept back: reconstructions of ten
// steps, because chains that fill in go far from where they start.
v1::TrainStart Settings(const ImageRows& images, uint64_t seed) {
  v1::TrainStart start = StartOf({.model_name = "reproduce-missing",
                                  .class_names = {"clothes"},
                                  .units = 500,
                                  .epochs = 10,
                                  .rate = 0.05},
                                 images, seed);
  v1::ContrastiveDivergenceStage& stage =
      *start.mutable_stages(0)->mutable_contrastive_divergence();
  stage.set_gibbs_steps(10);
  return start;
}

Matrix GreyLevels(const ImageRows& images) {
  return Eigen::Map<const Eigen::Matrix<uint8_t, Eigen::Dynamic, Eigen::Dynamic,
                                        Eigen::RowMajor>>(
             images.values.data(), images.rows(), images.dimension())
             .cast<float>() /
         255;
}

// 1 where a pixel is observed: the upper half of each image, or half of its
// pixels drawn at random.
Matrix MaskOf(const std::string& what, int64_t rows, int height, int width,
              uint64_t seed) {
  Matrix mask = Matrix::Zero(rows, int64_t{height} * width);
  if (what == "lower") {
    mask.leftCols(int64_t{height / 2} * width).setOnes();
    return mask;
  }
  std::vector<int64_t> pixels(mask.cols());
  for (int64_t i = 0; i < mask.cols(); ++i) pixels[i] = i;
  std::mt19937_64 engine(seed);
  for (int64_t n = 0; n < rows; ++n) {
    std::shuffle(pixels.begin(), pixels.end(), engine);
    for (int64_t i = 0; i < mask.cols() / 2; ++i) mask(n, pixels[i]) = 1;
  }
  return mask;
}

// For rows [begin, end) the training image whose observed pixels are nearest.
void FindNeighbours(const Matrix& test, const Matrix& mask,
                    const Matrix& training, int64_t begin, int64_t end,
                    std::vector<int64_t>& neighbours) {
  constexpr int64_t kTraining = 2000;
  const auto observed = mask.middleRows(begin, end - begin);
  const Matrix known =
      test.middleRows(begin, end - begin).cwiseProduct(observed);
  std::vector<float> least(end - begin, std::numeric_limits<float>::max());
  for (int64_t first = 0; first < training.rows(); first += kTraining) {
    const auto part = training.middleRows(
        first, std::min(kTraining, training.rows() - first));
    const Matrix squares = part.cwiseAbs2();
    // Without the squares of the test image, the same for all.
    Matrix distances = observed * squares.transpose();
    distances.noalias() -= 2 * known * part.transpose();
    for (int64_t n = 0; n < distances.rows(); ++n) {
      Eigen::Index nearest;
      const float distance = distances.row(n).minCoeff(&nearest);
      if (distance >= least[n]) continue;
      least[n] = distance;
      neighbours[begin + n] = first + nearest;
    }
  }
}

Matrix Neighbours(const Matrix& test, const Matrix& mask,
                  const Matrix& training) {
  std::vector<int64_t> numbers(test.rows());
  const auto find = [&](int64_t first, int64_t last) {
    for (int64_t begin = first; begin < last; begin += kBlock) {
      FindNeighbours(test, mask, training, begin,
                     std::min(begin + kBlock, last), numbers);
    }
  };
  const int64_t half = test.rows() / 2;
  std::future<void> other =
      std::async(std::launch::async, [&] { find(half, test.rows()); });
  find(0, half);
  other.get();
  Matrix neighbours(test.rows(), test.cols());
  for (int64_t n = 0; n < test.rows(); ++n) {
    neighbours.row(n) = training.row(numbers[n]);
  }
  return neighbours;
}

absl::StatusOr<Matrix> ConditionalMeans(const ImageRows& test,
                                        const Matrix& mask, uint64_t seed,
                                        Reproduction& reproduction) {
  Matrix means(mask.rows(), mask.cols());
  for (int64_t begin = 0; begin < test.rows(); begin += kBlock) {
    const int64_t count = std::min(kBlock, test.rows() - begin);
    v1::ReconstructRequest request;
    v1::Observations& observations = *request.mutable_observations();
    observations = Slice(test, begin, count).observations();
    const auto observed = mask.middleRows(begin, count).cast<char>().eval();
    observations.set_mask(observed.data(), observed.size());
    request.set_chains(kChains);
    request.set_steps(kSteps);
    request.set_seed(seed + static_cast<uint64_t>(begin));
    const absl::StatusOr<std::vector<float>> filled =
        reproduction.Reconstruct(std::move(request));
    if (!filled.ok()) return filled.status();
    means.middleRows(begin, count) =
        Eigen::Map<const Matrix>(filled->data(), count, mask.cols());
  }
  return means;
}

// Per missing pixel, means over runs.
struct Errors {
  double conditional = 0, mean = 0, neighbour = 0;
};

double SquaredError(const Matrix& guess, const Matrix& test,
                    const Matrix& mask) {
  const auto missing = 1 - mask.array();
  const double sum =
      ((guess - test).array().square() * missing).cast<double>().sum();
  return sum / missing.cast<double>().sum();
}

// Lines of test images, what is known of them, the conditional means and the
// nearest training images.
absl::Status WriteLines(const std::string& name, const ImageRows& images,
                        const Matrix& test, const Matrix& mask,
                        const Matrix& means, const Matrix& neighbours,
                        Reproduction& reproduction) {
  const Matrix known = (mask.array() > 0).select(test, 0.5F);
  const Matrix nearest = (mask.array() > 0).select(test, neighbours);
  std::vector<Picture> lines;
  for (const Matrix* line : {&test, &known, &means, &nearest}) {
    const std::vector<float> values(line->data(),
                                    line->data() + kShown * line->cols());
    absl::StatusOr<Picture> picture =
        ImageGrid(values, kShown, images.height, images.width, kShown);
    if (!picture.ok()) return picture.status();
    lines.push_back(*std::move(picture));
  }
  return reproduction.Write(StackVertically(lines, 4),
                            absl::StrCat("missing-", name, ".png"));
}

}  // namespace

absl::Status ReproduceMissing(const ReproduceOptions& options,
                              Context& context) {
  const absl::StatusOr<ImageRows> training = ReadImages(
      options.data, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  if (!training.ok()) return training.status();
  const absl::StatusOr<ImageRows> test = ReadImages(
      options.data, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
  if (!test.ok()) return test.status();
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();

  const Matrix seen = GreyLevels(*training), truth = GreyLevels(*test);
  const Matrix mean_image = seen.colwise().mean().replicate(truth.rows(), 1);
  std::array<Errors, 2> errors;
  for (int i = 0; i < options.seeds; ++i) {
    const int seed = options.first_seed + i;
    const absl::StatusOr<v1::Job> job = reproduction->Train(
        absl::StrCat("seed ", seed), Settings(*training, seed),
        training->observations(), {});
    if (!job.ok()) return job.status();
    for (size_t k = 0; k < errors.size(); ++k) {
      const Matrix mask =
          MaskOf(kHalves[k], truth.rows(), test->height, test->width, seed);
      const absl::StatusOr<Matrix> means =
          ConditionalMeans(*test, mask, seed, *reproduction);
      if (!means.ok()) return means.status();
      const Matrix neighbours = Neighbours(truth, mask, seen);
      errors[k].conditional +=
          SquaredError(*means, truth, mask) / options.seeds;
      errors[k].mean += SquaredError(mean_image, truth, mask) / options.seeds;
      errors[k].neighbour +=
          SquaredError(neighbours, truth, mask) / options.seeds;
      if (i > 0) continue;
      const absl::Status status = WriteLines(kHalves[k], *test, truth, mask,
                                             *means, neighbours, *reproduction);
      if (!status.ok()) return status;
    }
  }

  constexpr auto kRight = Table::Align::kRight;
  Table table({{"missing"},
               {"conditional mean", kRight},
               {"mean image", kRight},
               {"nearest image", kRight}});
  Json figures;
  for (size_t k = 0; k < errors.size(); ++k) {
    const Errors& found = errors[k];
    table.AddRow({absl::StrCat(kHalves[k], " half"),
                  absl::StrFormat("%.5f", found.conditional),
                  absl::StrFormat("%.5f", found.mean),
                  absl::StrFormat("%.5f", found.neighbour)});
    figures[kHalves[k]] = {{"error", found.conditional},
                           {"mean_error", found.mean},
                           {"neighbour_error", found.neighbour}};
  }
  std::cout << "Mean squared error per missing pixel, grey levels 0 to 1\n"
            << table.ToString();
  reproduction->End(figures);
  return absl::OkStatus();
}

}  // namespace poe::client
