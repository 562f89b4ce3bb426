#include "tests/server/codec/test_models.h"

#include <cmath>
#include <memory>
#include <utility>

#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"
#include "poe/initialization.h"
#include "poe/raw_rows.h"

namespace poe::server {

RowMatrix<float> DrawMatrix(Index rows, Index columns,
                            std::mt19937& generator) {
  std::normal_distribution<float> normal;
  return RowMatrix<float>::NullaryExpr(rows, columns,
                                       [&] { return normal(generator); });
}

RowMatrix<float> DrawRawRows(const DataSpec& spec, Index frames) {
  std::mt19937 generator(3);
  const RowMatrix<float> values = DrawMatrix(frames, spec.dimension, generator);
  if (spec.family == Family::kBernoulli)
    return values.unaryExpr([](float v) { return v > 0 ? 1.0f : 0.25f; });
  if (spec.family == Family::kCategorical)
    return values.unaryExpr([&](float v) {
      return std::fmod(std::floor(std::abs(4 * v)),
                       static_cast<float>(spec.num_symbols));
    });
  return Unprocess(spec, values);
}

Model MakeBernoulliModel(Index dimension, Index experts,
                         const std::vector<std::string>& class_names,
                         unsigned seed) {
  std::mt19937 generator(seed);
  Model model;
  model.data_spec.family = Family::kBernoulli;
  model.data_spec.dimension = dimension;
  for (const std::string& name : class_names) {
    std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
    groups.push_back(*BernoulliUnits<float>::Create(
        DrawMatrix(dimension, experts, generator),
        DrawMatrix(experts, 1, generator)));
    ClassModel& one = model.classes.emplace_back();
    one.name = name;
    one.layers.push_back(*Product<float>::Create(
        *BernoulliBase<float>::Create(DrawMatrix(dimension, 1, generator)),
        std::move(groups)));
  }
  const Index classes = model.num_classes();
  if (classes > 1)
    model.separator = *Separator::Create(
        {.feature_mean = Eigen::VectorXd::Constant(classes, -3),
         .feature_scale = Eigen::VectorXd::Constant(classes, 0.7),
         .weights = RowMatrix<double>::Identity(classes, classes),
         .biases = Eigen::VectorXd::Zero(classes)});
  return model;
}

Model MakeRealModel() {
  std::mt19937 generator(5);
  Model model;
  DataSpec& spec = model.data_spec;
  spec.family = Family::kGaussian;
  spec.dimension = 3;
  spec.preprocessing = {
      Preprocessing::Kind::kStandardize, {0.1, -7, 1e3}, {1.0 / 3, 2, 77.7}};
  spec.box = Box{{-2.1, -17, 700}, {2, 11.3, 1400}};
  const PreprocessedBox box = BoxOf(spec);

  GaussianBase<float>::Settings base;
  base.lower = box.lower;
  base.upper = box.upper;
  base.mean = DrawMatrix(3, 1, generator);
  base.log_variance = DrawMatrix(3, 1, generator);
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  for (const Index columns : {1, 3}) {
    Unigauss<float>::Settings settings;
    settings.mean = DrawMatrix(4, 3, generator);
    settings.log_variance = DrawMatrix(4, columns, generator);
    settings.mixing_logit = DrawMatrix(4, 1, generator);
    settings.log_volume = box.log_volume;
    // A spread that is wider than the bounds of a group made anew.
    settings.greatest_log_variance = 40;
    settings.log_variance(0, 0) = 37.5f;
    settings.power = columns == 1 ? 1 : 0.3f;
    groups.push_back(*Unigauss<float>::Create(std::move(settings)));
  }
  groups.push_back(*BernoulliUnits<float>::Create(DrawMatrix(3, 2, generator),
                                                  DrawMatrix(2, 1, generator)));
  ClassModel& one = model.classes.emplace_back();
  one.name = "data";
  one.layers.push_back(*Product<float>::Create(
      *GaussianBase<float>::Create(std::move(base)), std::move(groups)));
  one.percentiles = *ScorePercentiles::Create({-30, -10, -9.5});
  RowMatrix<double> usual(10, 2);
  usual.col(0).setLinSpaced(-4, -0.1);
  usual.col(1).setLinSpaced(-2, 1.0 / 3);
  one.usual_verdicts = *UsualVerdicts::Create(std::move(usual));
  return model;
}

}  // namespace poe::server
