#include "server/services/watch_job_reactor.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace poe::server {

WatchJobReactor::WatchJobReactor(RequestScope scope,
                                 std::shared_ptr<TrainingJob> job,
                                 std::int64_t from_event)
    : job_(std::move(job)),
      link_(std::make_shared<JobLink>([this] {
        absl::MutexLock lock(&mutex_);
        Pump();
      })),
      scope_(std::move(scope)),
      next_event_(from_event) {
  scope_.Enter(RequestScope::Phase::kClient);
}

void WatchJobReactor::Start() {
  job_->Subscribe(link_);
  absl::MutexLock lock(&mutex_);
  scope_.SetModel(job_->start().model_name(), 0);
  next_event_ = std::min(next_event_, job_->last_event() + 1);
  Pump();
}

void WatchJobReactor::Refuse(const absl::Status& error) {
  absl::MutexLock lock(&mutex_);
  End(error);
}

void WatchJobReactor::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (ok) {
    Pump();
  } else if (!ended_) {
    End(absl::CancelledError("the client went away"));
  }
}

void WatchJobReactor::OnCancel() {
  absl::MutexLock lock(&mutex_);
  if (!ended_) End(absl::CancelledError("the call was cancelled"));
}

void WatchJobReactor::OnDone() {
  link_->Cut();
  delete this;
}

void WatchJobReactor::Pump() {
  if (writing_ || ended_) return;
  // In this order, so that no event is missed.
  const bool job_ended = job_->HasEnded();
  std::optional<v1::JobEvent> event =
      job_->NextEvent(next_event_, JobEvents::Skip::kNothing);
  if (event.has_value()) {
    event_ = *std::move(event);
    next_event_ = event_.number() + 1;
    writing_ = true;
    StartWrite(&event_);
  } else if (job_ended) {
    End(absl::OkStatus());
  }
}

void WatchJobReactor::End(const absl::Status& status) {
  ended_ = true;
  Finish(scope_.Finish(status));
}

}  // namespace poe::server
