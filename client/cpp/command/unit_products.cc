#include "client/cpp/command/unit_products.h"

#include <string>

namespace poe::client {
namespace {

void SetProduct(const UnitProducts& products, v1::ProductSettings& settings) {
  v1::GroupSettings& group = *settings.add_groups();
  group.set_num_experts(products.units);
  group.mutable_bernoulli_units();
}

void SetDivergence(const UnitProducts& products,
                   v1::ContrastiveDivergenceStage& stage) {
  stage.set_epochs(products.epochs);
  stage.set_batch_size(100);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_rate(products.rate);
  optimizer.set_momentum(0.9);
  optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_LINEAR);
  optimizer.set_weight_decay(products.weight_decay);
}

}  // namespace

v1::TrainStart StartOf(const UnitProducts& products, const ImageRows& images,
                       uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name(products.model_name);
  start.set_seed(seed);
  for (const std::string& name : products.class_names) {
    start.add_class_names(name);
  }
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_BERNOULLI);
  spec.set_dimension(images.dimension());
  spec.set_image_height(images.height);
  spec.set_image_width(images.width);
  SetProduct(products, *start.add_products());
  SetDivergence(products,
                *start.add_stages()->mutable_contrastive_divergence());
  for (int layer = 1; layer < products.layers; ++layer) {
    v1::NextLayerStage& stage = *start.add_stages()->mutable_next_layer();
    SetProduct(products, *stage.mutable_product());
    SetDivergence(products, *stage.mutable_contrastive_divergence());
  }
  return start;
}

}  // namespace poe::client
