#include "server/services/score_stream_reactor.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/workers.h"
#include "server/errors.h"
#include "server/services/score_handler.h"

namespace poe::server {

ScoreStreamReactor::ScoreStreamReactor(RequestScope scope,
                                       const ModelRepository& repository,
                                       const RequestLimits& limits,
                                       const Batching& batching)
    : scope_(std::move(scope)),
      repository_(repository),
      limits_(limits),
      batching_(batching) {
  Read();
}

void ScoreStreamReactor::Read() {
  // Its memory too: the next may be long in coming.
  v1::ScoreRequest().Swap(&request_);
  scope_.HoldBytes(0);
  scope_.Enter(RequestScope::Phase::kClient);
  StartRead(&request_);
}

void ScoreStreamReactor::OnReadDone(bool ok) {
  scope_.Enter(RequestScope::Phase::kCompute);
  if (!ok) return End(scope_.Check());
  scope_.HoldBytes(request_.ByteSizeLong());
  if (absl::Status status = PinModel(); !status.ok()) return End(status);
  if (IsSmall(request_, *served_->model)) {
    return Answer(CatchExceptions([this] {
      return AnswerScore(request_, *served_, limits_, Workers::Inline(), scope_,
                         response_);
    }));
  }
  ScoreInBatch(request_, *served_, limits_, batching_, scope_, response_,
               [this](const absl::Status& status) { Answer(status); });
}

void ScoreStreamReactor::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the client has gone"));
  v1::ScoreResponse().Swap(&response_);
  Read();
}

absl::Status ScoreStreamReactor::PinModel() {
  if (!served_.has_value()) {
    absl::StatusOr<ServedModel> found = repository_.Find(request_.model());
    if (!found.ok()) return found.status();
    served_ = *std::move(found);
    scope_.SetModel(*served_);
    return absl::OkStatus();
  }
  const v1::ModelSelector& again = request_.model();
  const bool same_name = again.name().empty() || again.name() == served_->name;
  const bool same_version =
      !again.has_version() || again.version() == served_->version;
  if (same_name && same_version) return absl::OkStatus();
  return FieldError(
      "model", "MODEL_PINNED",
      absl::StrCat("differs from version ", served_->version, " of ",
                   Quoted(served_->name),
                   ", which answers this stream; open another stream for "
                   "another model"));
}

void ScoreStreamReactor::Answer(const absl::Status& status) {
  if (!status.ok()) return End(status);
  scope_.Enter(RequestScope::Phase::kClient);
  StartWrite(&response_);
}

}  // namespace poe::server
