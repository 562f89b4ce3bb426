// One ImportModel call.
#ifndef POE_SERVER_SERVICES_IMPORT_REACTOR_H_
#define POE_SERVER_SERVICES_IMPORT_REACTOR_H_

#include <memory>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "poe/v1/registry.pb.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/request_scope.h"

namespace poe::server {

// Takes the files of a version, a piece at a time: the next is read once the
// one before is written, in a thread of `uploads`. When all have come the
// version is checked and stored in one of `files`. A call that ends early
// leaves nothing. Deletes itself when done; what it refers to must outlive it.
class ImportReactor final
    : public grpc::ServerReadReactor<v1::ImportModelRequest> {
 public:
  ImportReactor(RequestScope scope, ModelRepository& repository,
                Executor& uploads, Executor& files, v1::ModelInfo& response);

 private:
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

  // Waits for the next message.
  void Read();
  // Takes or stores, in a thread of the executor, and goes on from there.
  void Submit(Executor& executor, absl::Status (ImportReactor::*work)());
  // Keeps what `request_` brings.
  absl::Status Take();
  absl::Status Store();
  // What is left of the files is gone before the client knows how it ended.
  void End(const absl::Status& status) {
    incoming_.reset();
    Finish(scope_.Finish(status));
  }

  RequestScope scope_;
  ModelRepository& repository_;
  Executor& uploads_;
  Executor& files_;
  v1::ModelInfo& response_;
  v1::ImportModelRequest request_;
  v1::ModelVersion model_;
  std::unique_ptr<IncomingVersion> incoming_;  // null before the first message
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_IMPORT_REACTOR_H_
