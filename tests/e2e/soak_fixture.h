// What the cases of the stress test share: the real server, a model to train
// for it, callers, and measures of them.
#ifndef POE_TESTS_E2E_SOAK_FIXTURE_H_
#define POE_TESTS_E2E_SOAK_FIXTURE_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/cpp/client.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/tensor.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/program.h"

namespace poe::server {

inline constexpr std::int64_t kRows = 300, kDimension = 24;

// A training of "model" on Rows() that goes on without its client and has the
// request_id "the only one". Missing values and chains that go on from update
// to update are remembered too.
v1::TrainStart Start(std::int64_t updates);

// kRows x kDimension random bits, of which a tenth are missing.
v1::Observations Rows();

// Asks "model" for the score of one row.
v1::ScoreRequest OneRow();

// For what the server answers to a training.
absl::Status Ignore(const v1::TrainResponse& response);

double Median(std::vector<double> values);

// The 99th percentile; 0 of no values.
double Percentile99(std::vector<double> values);

// Of a process, in MiB.
double ResidentMemory(int pid);

// A folder for repositories, and a server.
class SoakTest : public ::testing::Test {
 protected:
  SoakTest();
  ~SoakTest() override;

  // A poe-server with `flags` that listens on `address`, HOST:PORT, which
  // becomes that with the port taken. Fails the test fatally if it does not.
  void RunServer(const std::vector<std::string>& flags, std::string& address,
                 std::unique_ptr<Program>& server);

  // Sets server_ and client_, with a repository in the folder; on the same port
  // as before, if there was one.
  void StartServer(const std::string& repository,
                   const std::vector<std::string>& flags = {});

  // The parameters of "model" in its first version, which answers.
  std::string ModelBytes();

  std::filesystem::path folder_;
  std::string address_ = "localhost:0";
  std::unique_ptr<Program> server_;
  std::unique_ptr<client::Client> client_;
};

// Callers in threads that ask again and again, until it is destroyed.
class Load {
 public:
  using Connect = std::function<std::unique_ptr<client::Client>()>;

  // Each caller connects for itself.
  Load(int callers, const Connect& connect, const v1::ScoreRequest& request);

  // That ask for OneRow().
  Load(const std::string& address, int callers);
  ~Load();

  // The 99th percentile of the times of the calls that ended meanwhile, in ms.
  double Measure(const std::function<void()>& meanwhile);

  // Of all calls so far.
  std::int64_t failed() const { return failed_; }
  std::int64_t answered() const { return answered_; }

 private:
  void Call(client::Client& client, const v1::ScoreRequest& request);

  std::atomic<bool> stop_ = false;
  std::atomic<std::int64_t> failed_ = 0, answered_ = 0;
  absl::Mutex mutex_;
  std::vector<double> times_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace poe::server

#endif  // POE_TESTS_E2E_SOAK_FIXTURE_H_
