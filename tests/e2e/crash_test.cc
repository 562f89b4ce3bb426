// kill -9 at random moments of training: every restart serves, and the job ends
// with the same bits as one that nobody disturbed. POE_CRASHES says how often
// the server is killed; 5 unless it is set.

#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "gtest/gtest.h"
#include "tests/e2e/program.h"

namespace poe::server {
namespace {

using client::Client;

constexpr std::int64_t kRows = 300, kDimension = 24;

int Crashes() {
  const char* const text = getenv("POE_CRASHES");
  int crashes = 0;
  return text != nullptr && absl::SimpleAtoi(text, &crashes) ? crashes : 5;
}

// Missing values and chains that go on from update to update are remembered
// too.
v1::TrainStart Start(std::int64_t updates) {
  v1::TrainStart start;
  start.set_model_name("model");
  start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  start.mutable_data_spec()->set_dimension(kDimension);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(20);
  group.mutable_bernoulli_units();
  v1::ContrastiveDivergenceStage& learn =
      *start.add_stages()->mutable_contrastive_divergence();
  learn.set_updates(updates);
  learn.mutable_optimizer()->set_kind(v1::OptimizerSettings::KIND_ADAM);
  v1::UnlearnStage& unlearn = *start.add_stages()->mutable_unlearn();
  unlearn.set_updates(updates / 2);
  unlearn.set_chains(20);
  unlearn.set_steps(100);
  start.set_seed(11);
  start.set_request_id("the only one");
  start.set_detach(true);
  start.set_expected_rows(kRows);
  return start;
}

v1::Observations Rows() {
  std::mt19937 random(5);
  std::vector<float> values;
  std::vector<std::uint8_t> observed;
  for (std::int64_t i = 0; i < kRows * kDimension; ++i) {
    values.push_back(static_cast<float>(random() % 2));
    observed.push_back(random() % 10 > 0 ? 1 : 0);
  }
  return client::MakeObservations(values, kDimension, observed);
}

class CrashTest : public ::testing::Test {
 protected:
  CrashTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~CrashTest() override { std::filesystem::remove_all(folder_); }

  // On the same port as before, if there was one.
  void StartServer(const std::string& repository) {
    server_ = std::make_unique<Program>(std::vector<std::string>{
        absl::StrCat("--repository=", (folder_ / repository).string()),
        "--listen=" + address_, "--checkpoint_seconds=0.05"});
    const std::string line = server_->ReadLineWith("listening on ");
    absl::string_view address = line;
    ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << line;
    address_ = std::string(address);
    client_ = *Client::Connect(address_);
  }

  // The parameters of the model that answers.
  std::string ModelBytes() {
    v1::GetModelRequest request;
    request.mutable_model()->set_name("model");
    request.set_include_parameters(true);
    auto model = client_->GetModel(request);
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return "";
    EXPECT_EQ(model->model().version(), 1);
    model->mutable_parameters()->clear_training();
    return model->parameters().SerializeAsString();
  }

  std::filesystem::path folder_;
  std::string address_ = "localhost:0";
  std::unique_ptr<Program> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(CrashTest, AJobEndsWithTheSameBitsHoweverOftenTheServerDies) {
  const int crashes = Crashes();
  const v1::TrainStart start = Start(3000 + 1000 * crashes);
  const auto ignore = [](const v1::TrainResponse&) { return absl::OkStatus(); };
  StartServer("undisturbed");
  ASSERT_FALSE(HasFatalFailure());
  const auto job = client_->TrainAll(start, Rows(), {}, ignore);
  ASSERT_TRUE(job.ok()) << job.status();
  const std::string wanted = ModelBytes();
  server_.reset();

  StartServer("disturbed");
  ASSERT_FALSE(HasFatalFailure());
  std::atomic<bool> ended = false;
  absl::Status outcome;
  std::thread trainer([&] {
    // Takes broken streams up by itself, but gives up when the server is gone
    // for long.
    const auto client = Client::Connect(address_);
    do {
      outcome = (*client)->TrainAll(start, Rows(), {}, ignore).status();
    } while (absl::IsUnavailable(outcome));
    ended = true;
  });
  std::mt19937 random(1);
  int killed = 0;
  for (; killed < crashes && !ended; ++killed) {
    absl::SleepFor(absl::Milliseconds(30 + random() % 300));
    server_->Signal(SIGKILL);
    EXPECT_LT(server_->Wait(), 0);
    StartServer("disturbed");
    if (HasFatalFailure()) break;
    const auto models = client_->ListModels();
    EXPECT_TRUE(models.ok()) << models.status();
  }
  trainer.join();
  RecordProperty("killed", killed);
  EXPECT_GT(killed, 0);
  ASSERT_TRUE(outcome.ok()) << outcome;
  EXPECT_EQ(ModelBytes(), wanted);
}

}  // namespace
}  // namespace poe::server
