#include "tests/e2e/soak_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/tensor.h"
#include "poe/v1/registry.pb.h"

namespace poe::server {

using client::Client;

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

v1::ScoreRequest OneRow() {
  v1::ScoreRequest request;
  request.mutable_model()->set_name("model");
  *request.mutable_observations() =
      client::MakeObservations(std::vector<float>(kDimension, 1), kDimension);
  return request;
}

absl::Status Ignore(const v1::TrainResponse&) { return absl::OkStatus(); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Percentile99(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto nth =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() * 99 / 100);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

double ResidentMemory(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/statm"));
  double size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(getpagesize()) / (1 << 20);
}

SoakTest::SoakTest() {
  std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  folder_ = path;
}

SoakTest::~SoakTest() { std::filesystem::remove_all(folder_); }

void SoakTest::RunServer(const std::vector<std::string>& flags,
                         std::string& address,
                         std::unique_ptr<Program>& server) {
  std::vector<std::string> arguments = {
      "--listen=" + address,
      // Nobody reads the log, and a full pipe stops whoever writes to it.
      "--log_level=error"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  server = std::make_unique<Program>(arguments);
  const std::string line = server->ReadLineWith("listening on ");
  absl::string_view listening = line;
  ASSERT_TRUE(absl::ConsumePrefix(&listening, "listening on "))
      << line << "ended with " << server->Wait();
  address.assign(listening.begin(), listening.end());
}

void SoakTest::StartServer(const std::string& repository,
                           const std::vector<std::string>& flags) {
  std::vector<std::string> all = {
      absl::StrCat("--repository=", (folder_ / repository).string()),
      "--checkpoint_seconds=0.05"};
  all.insert(all.end(), flags.begin(), flags.end());
  RunServer(all, address_, server_);
  if (HasFatalFailure()) return;
  client_ = *Client::Connect(address_);
}

std::string SoakTest::ModelBytes() {
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

Load::Load(int callers, const Connect& connect,
           const v1::ScoreRequest& request) {
  for (int i = 0; i < callers; ++i) {
    threads_.emplace_back(
        [this, client = connect(), request] { Call(*client, request); });
  }
}

Load::Load(const std::string& address, int callers)
    : Load(
          callers, [&] { return *Client::Connect(address); }, OneRow()) {}

Load::~Load() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

double Load::Measure(const std::function<void()>& meanwhile) {
  {
    absl::MutexLock lock(&mutex_);
    times_.clear();
  }
  meanwhile();
  absl::MutexLock lock(&mutex_);
  return Percentile99(times_);
}

void Load::Call(Client& client, const v1::ScoreRequest& request) {
  while (!stop_) {
    const absl::Time begin = absl::Now();
    const bool ok = client.Score(request).ok();
    const double ms = absl::ToDoubleMilliseconds(absl::Now() - begin);
    ++(ok ? answered_ : failed_);
    absl::MutexLock lock(&mutex_);
    times_.push_back(ms);
  }
}

}  // namespace poe::server
