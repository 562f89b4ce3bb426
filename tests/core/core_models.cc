#include "tests/core/core_models.h"

#include <string>
#include <utility>
#include <vector>

#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"
#include "poe/gibbs.h"
#include "poe/initialization.h"
#include "poe/numerics/random.h"
#include "poe/scoring.h"

namespace poe {
namespace {

constexpr double kLower = -1, kUpper = 5, kShift = 2, kScale = 1.5;

// Percentiles, and for several classes a separator and probabilities, that
// tell rows between `lower` and `upper` apart.
void AddJudgement(float lower, float upper, Model& model) {
  const Index classes = model.num_classes(), layers = model.num_layers();
  const RowMatrix<float> rows =
      UniformMatrix(200, model.data_spec.dimension, lower, upper, 42);
  const RowMatrix<double> log_scores =
      Score(model, RowsOf(rows), {}, Workers::Inline(), NeverInterrupt)
          ->log_scores;
  for (Index c = 0; c < classes; ++c) {
    const Vector<double> sums =
        log_scores.middleCols(c * layers, layers).rowwise().sum();
    model.classes[c].percentiles =
        ScorePercentiles::FromScores({sums.begin(), sums.end()});
  }
  if (classes < 2) return;
  SeparatorParameters parameters;
  parameters.feature_mean = log_scores.colwise().mean();
  parameters.feature_scale = Eigen::VectorXd::LinSpaced(classes * layers, 3, 5);
  parameters.weights = RowMatrix<double>::Zero(classes, classes * layers);
  for (Index c = 0; c < classes; ++c)
    parameters.weights.row(c).segment(c * layers, layers).setOnes();
  parameters.biases = Eigen::VectorXd::Zero(classes);
  model.separator = *Separator::Create(std::move(parameters));
  model.calibration = *ProbabilityCalibration::Create(
      0.7, Eigen::VectorXd::LinSpaced(classes, -0.3, 0.3));
}

template <typename MakeProduct>
void AddClasses(Index classes, MakeProduct make, Model& model) {
  for (Index c = 0; c < classes; ++c) {
    ClassModel one;
    one.name = std::to_string(c);
    one.layers.push_back(make(static_cast<std::uint64_t>(c)));
    model.classes.push_back(std::move(one));
  }
}

}  // namespace

RowMatrix<float> NormalMatrix(Index rows, Index cols, std::uint64_t seed) {
  RowMatrix<float> values(rows, cols);
  std::vector<double> row(cols);
  for (Index n = 0; n < rows; ++n) {
    FillNormal({seed, Purpose::kTest, 40, 0}, static_cast<std::uint64_t>(n),
               absl::MakeSpan(row));
    for (Index i = 0; i < cols; ++i) values(n, i) = static_cast<float>(row[i]);
  }
  return values;
}

RowMatrix<float> UniformMatrix(Index rows, Index cols, float lower, float upper,
                               std::uint64_t seed) {
  RowMatrix<float> values(rows, cols);
  std::vector<double> row(cols);
  for (Index n = 0; n < rows; ++n) {
    FillUniform({seed, Purpose::kTest, 41, 0}, static_cast<std::uint64_t>(n),
                absl::MakeSpan(row));
    for (Index i = 0; i < cols; ++i)
      values(n, i) = lower + (upper - lower) * static_cast<float>(row[i]);
  }
  return values;
}

RawRows RowsOf(const RowMatrix<float>& values) {
  return {.values = Eigen::Map<const RowMatrix<float>>(
              values.data(), values.rows(), values.cols()),
          .row_ids = {},
          .observed = {}};
}

Product<float> BernoulliProduct(Index dimension, Index experts,
                                std::uint64_t seed) {
  const Vector<float> bias = NormalMatrix(dimension, 1, 100 + seed);
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(*BernoulliUnits<float>::Create(
      NormalMatrix(dimension, experts, 200 + seed),
      NormalMatrix(experts, 1, 300 + seed)));
  return *Product<float>::Create(*BernoulliBase<float>::Create(bias),
                                 std::move(groups));
}

Model BernoulliModel(Index dimension, Index experts, Index classes) {
  return LayeredModel({dimension, experts}, classes);
}

Model LayeredModel(const std::vector<Index>& widths, Index classes) {
  Model model;
  model.data_spec.dimension = widths[0];
  AddClasses(
      classes,
      [&](std::uint64_t seed) {
        return BernoulliProduct(widths[0], widths[1], seed);
      },
      model);
  for (Index c = 0; c < classes; ++c)
    for (std::size_t l = 2; l < widths.size(); ++l)
      model.classes[c].layers.push_back(
          BernoulliProduct(widths[l - 1], widths[l], 40 * l + c));
  AddJudgement(0, 1, model);
  return model;
}

Product<float> UnigaussProduct(const DataSpec& spec, Index experts,
                               std::uint64_t seed) {
  const PreprocessedBox box = BoxOf(spec);
  GaussianBase<float>::Settings base;
  base.lower = box.lower;
  base.upper = box.upper;
  Unigauss<float>::Settings settings;
  settings.mean = NormalMatrix(experts, spec.dimension, 400 + seed);
  settings.log_variance =
      RowMatrix<float>::Constant(experts, spec.dimension, -0.5f);
  settings.mixing_logit = NormalMatrix(experts, 1, 500 + seed);
  settings.log_volume = box.log_volume;
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(*Unigauss<float>::Create(std::move(settings)));
  return *Product<float>::Create(*GaussianBase<float>::Create(std::move(base)),
                                 std::move(groups));
}

Model UnigaussModel(Index dimension, Index experts, Index classes) {
  Model model;
  DataSpec& spec = model.data_spec;
  spec.family = Family::kGaussian;
  spec.dimension = dimension;
  spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  spec.preprocessing.shift.assign(dimension, kShift);
  spec.preprocessing.scale.assign(dimension, kScale);
  spec.box.emplace();
  spec.box->lower.assign(dimension, kLower);
  spec.box->upper.assign(dimension, kUpper);
  AddClasses(
      classes,
      [&](std::uint64_t seed) { return UnigaussProduct(spec, experts, seed); },
      model);
  AddJudgement(kLower, kUpper, model);
  return model;
}

}  // namespace poe
