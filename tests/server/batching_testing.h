// A service whose batcher waits at a gate before each batch, over a real
// connection.
#ifndef POE_TESTS_SERVER_BATCHING_TESTING_H_
#define POE_TESTS_SERVER_BATCHING_TESTING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "grpcpp/grpcpp.h"
#include "server/batcher.h"
#include "server/byte_budget.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/request_observer.h"
#include "server/services/batched_answer.h"
#include "tests/server/serving_test.h"

namespace poe::server {

// Whether the status says when to try again.
bool HasRetryInfo(const grpc::Status& status);

// Waits until `reached` is true.
template <typename Condition>
void Await(Condition reached) {
  while (!reached()) std::this_thread::yield();
}

// A call that does not wait for its answer.
template <typename Response>
struct Asked {
  grpc::ClientContext context;
  Response response;
  grpc::Status status;
  absl::Notification answered;

  auto Callback() {
    return [this](grpc::Status got) {
      status = std::move(got);
      answered.Notify();
    };
  }
};

// With "large", of two classes and kDimension coordinates: large enough for its
// calls to be worth a batch. The test brings the service.
class BatchingTest : public ServingTest {
 protected:
  static constexpr Index kDimension = 784;

  BatchingTest();

  // Opens the gate and ends the service, while the test's own members live.
  void TearDown() override;

  // What the service is made of; `bytes` is the limit of the budget.
  void StartBatcher(const Batcher::Options& options, std::int64_t bytes);
  Batching batching() {
    return {.budget = *budget_, .compute = executor_, .batcher = *batcher_};
  }

  // The service on a free port, its calls observed, and a way to it. After
  // StartBatcher.
  std::shared_ptr<grpc::Channel> Serve(
      grpc::Service& service, std::vector<RequestObserver*> observers = {});

  // Returns when the only thread of the batcher has begun to answer this call,
  // which has been asked and which TearDown waits for.
  void AwaitOccupied(const absl::Notification& answered);
  void AwaitWaiting(std::size_t calls);

  absl::Notification gate_;
  std::atomic<int> batches_ = 0;  // begun
  std::atomic<Index> rows_ = 0;   // answered
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<ByteBudget> budget_;
  std::unique_ptr<Batcher> batcher_;
  Executor executor_{1, 100};
  std::unique_ptr<grpc::Server> grpc_;

 private:
  const absl::Notification* occupant_answered_ = nullptr;
};

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_BATCHING_TESTING_H_
