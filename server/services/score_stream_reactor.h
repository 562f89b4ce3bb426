// One ScoreStream call.
#ifndef POE_SERVER_SERVICES_SCORE_STREAM_REACTOR_H_
#define POE_SERVER_SERVICES_SCORE_STREAM_REACTOR_H_

#include <optional>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/request_codec.h"
#include "server/model_repository.h"
#include "server/request_scope.h"
#include "server/services/batched_answer.h"

namespace poe::server {

// Answers requests in their order with the version that the first one found.
// The next request is read once the answer before it is written: a client that
// does not read is not read from. Deletes itself when done; what it refers to
// must outlive it.
class ScoreStreamReactor final
    : public grpc::ServerBidiReactor<v1::ScoreRequest, v1::ScoreResponse> {
 public:
  ScoreStreamReactor(RequestScope scope, const ModelRepository& repository,
                     const RequestLimits& limits, const Batching& batching);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

  // Waits for the next request.
  void Read();
  // Finds the model for the first request; later ones may only repeat it.
  absl::Status PinModel();
  // Writes the response, or ends the stream if there is none.
  void Answer(const absl::Status& status);
  void End(const absl::Status& status) { Finish(scope_.Finish(status)); }

  RequestScope scope_;
  const ModelRepository& repository_;
  const RequestLimits& limits_;
  const Batching& batching_;
  std::optional<ServedModel> served_;
  v1::ScoreRequest request_;
  v1::ScoreResponse response_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_SCORE_STREAM_REACTOR_H_
