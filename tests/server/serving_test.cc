#include "tests/server/serving_test.h"

#include <stdlib.h>

#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/product.h"
#include "poe/separator.h"
#include "server/codec/model_codec.h"
#include "server/model_repository.h"

namespace poe::server {
namespace {

template <typename T>
std::vector<T> ElementsOf(const v1::Tensor& tensor) {
  std::vector<T> elements(tensor.data().size() / sizeof(T));
  std::memcpy(elements.data(), tensor.data().data(), tensor.data().size());
  return elements;
}

Product<float> MakeProduct(Index dimension, Index experts,
                           std::mt19937& generator) {
  std::normal_distribution<float> normal(0.0f, 0.5f);
  const auto draw = [&] { return normal(generator); };
  const RowMatrix<float> weights =
      RowMatrix<float>::NullaryExpr(dimension, experts, draw);
  const Vector<float> hidden_bias = Vector<float>::NullaryExpr(experts, draw);
  const Vector<float> visible_bias =
      Vector<float>::NullaryExpr(dimension, draw);
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(*BernoulliUnits<float>::Create(weights, hidden_bias));
  return *Product<float>::Create(*BernoulliBase<float>::Create(visible_bias),
                                 std::move(groups));
}

}  // namespace

ServingTest::ServingTest() {
  std::string path = ::testing::TempDir() + "/poe_serving_XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  folder_ = path;
}

ServingTest::~ServingTest() {
  server_.reset();
  std::filesystem::remove_all(folder_);
}

std::int64_t ServingTest::Publish(absl::string_view name, const Model& model) {
  auto opened = ModelRepository::Open(repository());
  EXPECT_TRUE(opened.ok()) << opened.status();
  auto version = (*opened)->Publish(name, EncodeModel(model),
                                    std::make_shared<const Model>(model));
  EXPECT_TRUE(version.ok()) << version.status();
  return *version;
}

void ServingTest::StartServer(ServerOptions options) {
  options.repository = repository();
  options.listen = "localhost:0";
  auto server = Server::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  stub_ = v1::ProductOfExperts::NewStub(NewChannel());
  registry_ = v1::ModelRegistry::NewStub(NewChannel());
}

std::shared_ptr<grpc::Channel> ServingTest::NewChannel() const {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(absl::StrCat("localhost:", server_->port()),
                                   grpc::InsecureChannelCredentials(),
                                   arguments);
}

DigitsServingTest::DigitsServingTest()
    : digits_(RandomModel(kDimension, 5, {"two", "three"}, 1)) {
  Publish("digits", digits_);
  Publish("digits", RandomModel(kDimension, 5, {"two", "three"}, 2));
  Publish("density", RandomModel(kDimension, 5, {"data"}, 3));
  Publish("large", RandomModel(784, 500, {"data"}, 4));
  ServerOptions options;
  options.threads = 2;
  options.limits.rows = 5000;
  options.limits.steps = 50'000;
  StartServer(options);
  // Servers load the newest version of each model.
  v1::LoadModelRequest request;
  request.set_name("digits");
  request.set_version(1);
  grpc::ClientContext context;
  v1::ModelInfo info;
  EXPECT_TRUE(registry().LoadModel(&context, request, &info).ok());
}

Model RandomModel(Index dimension, Index experts,
                  const std::vector<std::string>& class_names, unsigned seed) {
  std::mt19937 generator(seed);
  Model model;
  model.data_spec.family = Family::kBernoulli;
  model.data_spec.dimension = dimension;
  for (const std::string& name : class_names) {
    ClassModel& one = model.classes.emplace_back();
    one.name = name;
    one.layers.push_back(MakeProduct(dimension, experts, generator));
  }
  const Index classes = model.num_classes();
  if (classes > 1) {
    model.separator = *Separator::Create(
        {.feature_mean = Eigen::VectorXd::Zero(classes),
         .feature_scale = Eigen::VectorXd::Ones(classes),
         .weights = RowMatrix<double>::Identity(classes, classes),
         .biases = Eigen::VectorXd::Zero(classes)});
  }
  return model;
}

RowMatrix<float> RandomBits(Index rows, Index columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution coin;
  return RowMatrix<float>::NullaryExpr(
      rows, columns, [&] { return coin(generator) ? 1.0f : 0.0f; });
}

v1::Observations ToObservations(const RowMatrix<float>& rows) {
  v1::Observations observations;
  v1::Tensor& dense = *observations.mutable_dense();
  dense.add_shape(rows.rows());
  dense.add_shape(rows.cols());
  dense.set_element_type(v1::ELEMENT_TYPE_FLOAT32);
  dense.set_data(rows.data(), rows.size() * sizeof(float));
  return observations;
}

std::vector<double> Doubles(const v1::Tensor& tensor) {
  return ElementsOf<double>(tensor);
}

std::vector<float> Floats(const v1::Tensor& tensor) {
  return ElementsOf<float>(tensor);
}

std::string ErrorReason(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return "";
  google::rpc::ErrorInfo info;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&info)) return info.reason();
  }
  return "";
}

}  // namespace poe::server
