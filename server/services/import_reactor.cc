#include "server/services/import_reactor.h"

#include <utility>

#include "absl/status/statusor.h"
#include "server/errors.h"

namespace poe::server {

ImportReactor::ImportReactor(RequestScope scope, ModelRepository& repository,
                             Executor& uploads, Executor& files,
                             v1::ModelInfo& response)
    : scope_(std::move(scope)),
      repository_(repository),
      uploads_(uploads),
      files_(files),
      response_(response) {
  Read();
}

void ImportReactor::Read() {
  // Its memory too: the next may be long in coming.
  v1::ImportModelRequest().Swap(&request_);
  scope_.HoldBytes(0);
  scope_.Enter(RequestScope::Phase::kClient);
  StartRead(&request_);
}

void ImportReactor::OnReadDone(bool ok) {
  scope_.Enter(RequestScope::Phase::kQueue);
  if (ok) {
    scope_.HoldBytes(request_.ByteSizeLong());
    Submit(uploads_, &ImportReactor::Take);
  } else {
    Submit(files_, &ImportReactor::Store);
  }
}

void ImportReactor::Submit(Executor& executor,
                           absl::Status (ImportReactor::*work)()) {
  const absl::Status submitted = executor.Submit(
      {.check = [this] { return scope_.Check(); },
       .run =
           [this, work](absl::Status status) {
             scope_.Enter(RequestScope::Phase::kCompute);
             if (status.ok()) {
               status = CatchExceptions([&] { return (this->*work)(); });
             }
             if (!status.ok() || work == &ImportReactor::Store) {
               End(status);
             } else {
               Read();
             }
           }});
  if (!submitted.ok()) End(submitted);
}

absl::Status ImportReactor::Take() {
  if (incoming_ == nullptr) {
    model_ = request_.model();
    scope_.SetModel(model_.name(), model_.version());
    auto incoming = repository_.BeginImport(model_);
    if (!incoming.ok()) return incoming.status();
    incoming_ = *std::move(incoming);
  } else if (request_.has_model()) {
    return FieldError("model", "UNEXPECTED_FIELD",
                      "is given again; the first message names the model");
  }
  if (!request_.has_chunk()) return absl::OkStatus();
  return incoming_->Append(request_.chunk());
}

absl::Status ImportReactor::Store() {
  if (incoming_ == nullptr) {
    return FieldError("model", "MISSING_FIELD",
                      "is missing; the first message names the model");
  }
  absl::StatusOr<v1::ModelInfo> info =
      repository_.FinishImport(model_, *incoming_);
  if (!info.ok()) return info.status();
  response_ = *std::move(info);
  return absl::OkStatus();
}

}  // namespace poe::server
