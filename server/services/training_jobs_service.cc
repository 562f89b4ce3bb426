#include "server/services/training_jobs_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/request_scope.h"
#include "server/services/watch_job_reactor.h"

namespace poe::server {
namespace {

template <typename Message>
absl::Status AnswerWith(absl::StatusOr<Message> answer, Message& response) {
  if (answer.ok()) response = *std::move(answer);
  return answer.status();
}

}  // namespace

grpc::ServerUnaryReactor* TrainingJobsService::GetJob(
    grpc::CallbackServerContext* context, const v1::GetJobRequest* request,
    v1::Job* response) {
  return AnswerNow(RequestScope("GetJob", context), [&](RequestScope&) {
    const auto job = jobs_.Find(request->name());
    if (job.ok()) *response = (*job)->Snapshot();
    return job.status();
  });
}

grpc::ServerUnaryReactor* TrainingJobsService::ListJobs(
    grpc::CallbackServerContext* context, const v1::ListJobsRequest* request,
    v1::ListJobsResponse* response) {
  return AnswerNow(RequestScope("ListJobs", context), [&](RequestScope&) {
    return AnswerWith(jobs_.List(*request), *response);
  });
}

grpc::ServerWriteReactor<v1::JobEvent>* TrainingJobsService::WatchJob(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  absl::StatusOr<std::shared_ptr<TrainingJob>> job =
      jobs_.Find(request->name());
  absl::Status status = job.status();
  if (status.ok() && request->from_event() < 0) {
    status = FieldError("from_event", "OUT_OF_RANGE",
                        absl::StrCat("is ", request->from_event(),
                                     "; must be at least 1, or 0 for 1"));
  }
  auto* reactor =
      new WatchJobReactor(RequestScope("WatchJob", context),
                          job.ok() ? *job : nullptr, request->from_event());
  if (status.ok()) {
    reactor->Start();
  } else {
    reactor->Refuse(status);
  }
  return reactor;
}

grpc::ServerUnaryReactor* TrainingJobsService::CancelJob(
    grpc::CallbackServerContext* context, const v1::CancelJobRequest* request,
    v1::Job* response) {
  return AnswerOn(executor_, RequestScope("CancelJob", context),
                  [this, request, response](RequestScope&) {
                    return AnswerWith(jobs_.Cancel(request->name()), *response);
                  });
}

grpc::ServerUnaryReactor* TrainingJobsService::PublishCheckpoint(
    grpc::CallbackServerContext* context,
    const v1::PublishCheckpointRequest* request, v1::Job* response) {
  return AnswerOn(publishing_, RequestScope("PublishCheckpoint", context),
                  [this, request, response](RequestScope&) {
                    return AnswerWith(jobs_.PublishCheckpoint(request->name()),
                                      *response);
                  });
}

grpc::ServerUnaryReactor* TrainingJobsService::DeleteJob(
    grpc::CallbackServerContext* context, const v1::DeleteJobRequest* request,
    google::protobuf::Empty*) {
  return AnswerOn(
      executor_, RequestScope("DeleteJob", context),
      [this, request](RequestScope&) { return jobs_.Delete(request->name()); });
}

}  // namespace poe::server
