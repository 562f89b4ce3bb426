// One ExportModel call.
#ifndef POE_SERVER_SERVICES_EXPORT_REACTOR_H_
#define POE_SERVER_SERVICES_EXPORT_REACTOR_H_

#include <optional>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "poe/v1/registry.pb.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/request_scope.h"

namespace poe::server {

// Sends the files of a version, a piece each time the one before has gone, so
// that one piece is in memory whatever the client does. Pieces are read in the
// thread that gRPC calls back. Deletes itself when done; what it refers to must
// outlive it.
class ExportReactor final
    : public grpc::ServerWriteReactor<v1::ModelFileChunk> {
 public:
  ExportReactor(RequestScope scope, const v1::ExportModelRequest& request,
                const ModelRepository& repository);

  // Opens the files in a thread of the executor and begins, or ends the call.
  void Start(Executor& executor);

 private:
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

  absl::Status Open();
  void SendNext();
  void End(const absl::Status& status) { Finish(scope_.Finish(status)); }

  RequestScope scope_;
  const v1::ExportModelRequest& request_;
  const ModelRepository& repository_;
  std::optional<OutgoingVersion> files_;
  v1::ModelFileChunk chunk_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_EXPORT_REACTOR_H_
