#include "tests/server/repository_testing.h"

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/codec/model_codec.h"

namespace poe::server {
namespace {

void SetTensor(const std::vector<std::int64_t>& shape,
               const std::vector<float>& values, v1::Tensor& tensor) {
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  tensor.set_element_type(v1::ELEMENT_TYPE_FLOAT32);
  tensor.set_data(values.data(), values.size() * sizeof(float));
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string path = ::testing::TempDir() + "/poe_repository_XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path_); }

std::string TemporaryFolder::operator/(absl::string_view name) const {
  return absl::StrCat(path_.string(), "/", name);
}

std::string ReadWholeFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void WriteWholeFile(const std::filesystem::path& path,
                    absl::string_view contents) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << contents;
  EXPECT_TRUE(file.good()) << path;
}

v1::Model TwoBits(double bias) {
  v1::Model model;
  model.set_schema_version(kSchemaVersion);
  model.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  model.mutable_data_spec()->set_dimension(2);
  v1::ClassModel& data = *model.add_classes();
  data.set_name("data");
  v1::Product& product = *data.add_layers();
  SetTensor({2}, {static_cast<float>(bias), 0},
            *product.mutable_base()->mutable_bernoulli()->mutable_bias());
  v1::BernoulliUnits& units = *product.add_groups()->mutable_bernoulli_units();
  SetTensor({2, 1}, {0, 0}, *units.mutable_weights());
  SetTensor({1}, {0}, *units.mutable_bias());
  return model;
}

double BiasOf(const Model& model) {
  const v1::Tensor tensor =
      EncodeModel(model).classes(0).layers(0).base().bernoulli().bias();
  float bias = 0;
  tensor.data().copy(reinterpret_cast<char*>(&bias), sizeof(bias));
  return bias;
}

v1::ModelSelector Select(absl::string_view name) {
  v1::ModelSelector selector;
  selector.set_name(std::string(name));
  return selector;
}

v1::ModelSelector Select(absl::string_view name, std::int64_t version) {
  v1::ModelSelector selector = Select(name);
  selector.set_version(version);
  return selector;
}

v1::ModelSelector SelectLabel(absl::string_view name, absl::string_view label) {
  v1::ModelSelector selector = Select(name);
  selector.set_label(std::string(label));
  return selector;
}

std::int64_t PublishTwoBits(ModelRepository& repository, absl::string_view name,
                            double bias) {
  const v1::Model stored = TwoBits(bias);
  absl::StatusOr<Model> decoded = DecodeModel(stored);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  const absl::StatusOr<std::int64_t> version = repository.Publish(
      name, stored, std::make_shared<const Model>(*std::move(decoded)));
  EXPECT_TRUE(version.ok()) << version.status();
  return version.value_or(0);
}

}  // namespace poe::server
