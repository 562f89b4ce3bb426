#include "tests/fuzz/models.h"

#include <utility>

#include "tests/server/codec/test_models.h"

namespace poe::fuzz {
namespace {

Model MakeTwoClasses() {
  Model model = server::MakeBernoulliModel(4, 2, {"low", "high"}, 1);
  model.data_spec.image_height = model.data_spec.image_width = 2;
  model.calibration =
      *ProbabilityCalibration::Create(0.5, Eigen::Vector2d(-0.1, 0.1));
  for (ClassModel& one : model.classes)
    one.percentiles = *ScorePercentiles::Create({-5, -3, -2});
  return model;
}

Model MakeTwoLayers() {
  Model model = server::MakeBernoulliModel(4, 3, {"data"}, 1);
  Model top = server::MakeBernoulliModel(3, 2, {"data"}, 2);
  model.classes[0].layers.push_back(std::move(top.classes[0].layers[0]));
  return model;
}

std::vector<server::KindModel> MakeModels() {
  std::vector<server::KindModel> models = server::ModelsOfAllKinds();
  models.push_back({"TwoClasses", MakeTwoClasses()});
  models.push_back({"RealValues", server::MakeRealModel()});
  models.push_back({"TwoLayers", MakeTwoLayers()});
  return models;
}

}  // namespace

const std::vector<server::KindModel>& Models() {
  static const auto& models = *new std::vector<server::KindModel>(MakeModels());
  return models;
}

const Model& FindModel(absl::string_view name) {
  for (const server::KindModel& one : Models())
    if (one.name == name) return one.model;
  return Models()[0].model;
}

}  // namespace poe::fuzz
