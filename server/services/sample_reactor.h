// One Sample call.
#ifndef POE_SERVER_SERVICES_SAMPLE_REACTOR_H_
#define POE_SERVER_SERVICES_SAMPLE_REACTOR_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.pb.h"
#include "server/byte_budget.h"
#include "server/codec/request_codec.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/request_scope.h"
#include "server/steady_time.h"

namespace poe::server {

// Runs the chains in a thread of the executor, which waits for each message to
// be taken by the client before it goes on. Deletes itself when done.
class SampleReactor final
    : public grpc::ServerWriteReactor<v1::SampleResponse> {
 public:
  // A client that takes longer than `patience` over one message is cut off, so
  // that it does not hold a thread for ever. What is referred to must outlive
  // the call.
  SampleReactor(RequestScope scope, const v1::SampleRequest& request,
                const ModelRepository& repository, const RequestLimits& limits,
                const Workers& workers, absl::Duration patience);

  // Begins the work, or ends the call if the executor is full or the request
  // is over the budget.
  void Start(Executor& executor, ByteBudget& budget);

 private:
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override { delete this; }

  absl::Status Run();
  // Sends `response_` and returns when the client has taken it.
  absl::Status Send() ABSL_LOCKS_EXCLUDED(mutex_);

  enum class Write { kPending, kDone, kFailed };

  RequestScope scope_;
  const v1::SampleRequest& request_;
  const ModelRepository& repository_;
  const RequestLimits& limits_;
  const Workers& workers_;
  const absl::Duration patience_;
  ByteBudget::Hold hold_;
  v1::SampleResponse response_;
  absl::Mutex mutex_;
  Write write_ ABSL_GUARDED_BY(mutex_) = Write::kDone;
  SteadyCondition write_is_over_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_SAMPLE_REACTOR_H_
