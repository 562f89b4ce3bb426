// A server in this process with models of its own, and stubs to talk to it.
#ifndef POE_TESTS_SERVER_SERVING_TEST_H_
#define POE_TESTS_SERVER_SERVING_TEST_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/model.h"
#include "poe/v1/registry.grpc.pb.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "server/server.h"

namespace poe::server {

class ServingTest : public ::testing::Test {
 protected:
  ServingTest();
  ~ServingTest() override;

  // Publishes the next version of a model. Before StartServer.
  std::int64_t Publish(absl::string_view name, const Model& model);

  // On a free port, with the repository of this test.
  void StartServer(ServerOptions options = {});

  const std::filesystem::path& folder() const { return folder_; }
  std::string repository() const { return (folder_ / "models").string(); }
  Server& server() { return *server_; }
  void StopServer() { server_.reset(); }
  std::shared_ptr<grpc::Channel> NewChannel() const;
  v1::ProductOfExperts::Stub& stub() { return *stub_; }
  v1::ModelRegistry::Stub& registry() { return *registry_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::ProductOfExperts::Stub> stub_;
  std::unique_ptr<v1::ModelRegistry::Stub> registry_;
};

// With "digits", two versions of two classes, and "density", of one class, both
// of 12 coordinates, and "large", of one class and 784. At most 5000 rows and
// 50,000 steps.
class DigitsServingTest : public ServingTest {
 protected:
  static constexpr Index kDimension = 12;

  DigitsServingTest();

  // Version 1 of "digits".
  const Model& digits() const { return digits_; }

 private:
  const Model digits_;
};

// A model of binary data: for each class, Bernoulli units with random weights
// that depend on `seed`. With two or more classes, a separator.
Model RandomModel(Index dimension, Index experts,
                  const std::vector<std::string>& class_names, unsigned seed);

// Rows of zeros and ones that depend on `seed`, N x D float32.
RowMatrix<float> RandomBits(Index rows, Index columns, unsigned seed);
v1::Observations ToObservations(const RowMatrix<float>& rows);
// The float64 elements of a tensor.
std::vector<double> Doubles(const v1::Tensor& tensor);
std::vector<float> Floats(const v1::Tensor& tensor);

// The reason in the status's google.rpc.ErrorInfo; empty if there is none.
std::string ErrorReason(const grpc::Status& status);

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_SERVING_TEST_H_
