// One ScoreStream call.
#ifndef POE_SERVER_SERVICES_SCORE_STREAM_REACTOR_H_
#define POE_SERVER_SERVICES_SCORE_STREAM_REACTOR_H_

#include <optional>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/request_codec.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/request_scope.h"

namespace poe::server {

// Answers requests in their order with the version that the first one found.
// The next request is read once the answer before it is written: a client that
// does not read is not read from. Deletes itself when done; what it refers to
// must outlive it.
class ScoreStreamReactor final
    : public grpc::ServerBidiReactor<v1::ScoreRequest, v1::ScoreResponse> {
 public:
  ScoreStreamReactor(RequestScope scope, const ModelRepository& repository,
                     const RequestLimits& limits, const Workers& workers,
                     Executor& executor);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

  // Finds the model for the first request; later ones may only repeat it.
  absl::Status PinModel();
  // Scores `request_` and writes the response. Ends the stream if `status` is
  // not OK or the request is refused.
  void Answer(absl::Status status, const Workers& workers);
  void End(const absl::Status& status) { Finish(scope_.Finish(status)); }

  RequestScope scope_;
  const ModelRepository& repository_;
  const RequestLimits& limits_;
  const Workers& workers_;
  Executor& executor_;
  std::optional<ServedModel> served_;
  v1::ScoreRequest request_;
  v1::ScoreResponse response_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_SCORE_STREAM_REACTOR_H_
