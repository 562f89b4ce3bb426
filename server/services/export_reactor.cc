#include "server/services/export_reactor.h"

#include <utility>

#include "absl/status/statusor.h"

namespace poe::server {

ExportReactor::ExportReactor(RequestScope scope,
                             const v1::ExportModelRequest& request,
                             const ModelRepository& repository)
    : scope_(std::move(scope)), request_(request), repository_(repository) {}

void ExportReactor::Start(Executor& executor) {
  scope_.Enter(RequestScope::Phase::kQueue);
  const absl::Status submitted =
      executor.Submit({[this] { return scope_.Check(); },
                       [this](absl::Status status) {
                         scope_.Enter(RequestScope::Phase::kCompute);
                         if (status.ok()) status = Open();
                         if (!status.ok()) return End(status);
                         SendNext();
                       }});
  if (!submitted.ok()) End(submitted);
}

absl::Status ExportReactor::Open() {
  const absl::StatusOr<v1::ModelVersion> model =
      repository_.Resolve(request_.model());
  if (!model.ok()) return model.status();
  scope_.SetModel(model->name(), model->version());
  absl::StatusOr<OutgoingVersion> files =
      repository_.Export(model->name(), model->version());
  if (!files.ok()) return files.status();
  files_.emplace(*std::move(files));
  return absl::OkStatus();
}

void ExportReactor::OnWriteDone(bool ok) {
  scope_.Enter(RequestScope::Phase::kCompute);
  if (!ok) return End(absl::CancelledError("the client has gone"));
  SendNext();
}

void ExportReactor::SendNext() {
  const absl::StatusOr<bool> more = files_->Next(chunk_);
  if (!more.ok() || !*more) return End(more.status());
  scope_.Enter(RequestScope::Phase::kClient);
  StartWrite(&chunk_);
}

}  // namespace poe::server
