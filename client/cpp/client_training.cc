// Client: training and its jobs.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/calls.h"
#include "client/cpp/client.h"
#include "client/cpp/exchange.h"
#include "client/cpp/tensor.h"

namespace poe::client {

absl::StatusOr<v1::Job> Client::Train(
    const v1::TrainStart& start, TrainSource source,
    absl::FunctionRef<absl::Status(const v1::TrainResponse& response)> receive,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  const auto stream = stubs_->experts.Train(&context);
  bool started = false;
  int64_t row_offset = 0;
  const auto next = [&](v1::TrainRequest& request) -> absl::StatusOr<bool> {
    if (!started) {
      started = true;
      *request.mutable_start() = start;
      return true;
    }
    v1::TrainChunk& chunk = *request.mutable_chunk();
    absl::StatusOr<bool> more = source(row_offset, chunk);
    if (!more.ok() || !*more) return more;
    chunk.set_row_offset(row_offset);
    row_offset += RowCount(chunk.observations());
    return true;
  };
  std::optional<v1::Job> completed;
  const auto keep_job = [&](const v1::TrainResponse& response) {
    if (response.has_completed()) completed = response.completed();
    return receive(response);
  };
  const absl::Status status = Exchange<v1::TrainRequest, v1::TrainResponse>(
      context, *stream, 0, next, keep_job);
  if (!status.ok()) return status;
  if (!completed) {
    return absl::InternalError(
        "the server ended the stream before the job had ended");
  }
  return *std::move(completed);
}

absl::StatusOr<v1::Job> Client::TrainAll(
    const v1::TrainStart& start, const v1::Observations& observations,
    absl::Span<const int32_t> labels,
    absl::FunctionRef<absl::Status(const v1::TrainResponse& response)> receive,
    const CallOptions& options) {
  const absl::StatusOr<ObservationChunks> chunks =
      ObservationChunks::Create(observations);
  if (!chunks.ok()) return chunks.status();
  if (!labels.empty() &&
      static_cast<int64_t>(labels.size()) != chunks->rows()) {
    return absl::InvalidArgumentError(absl::StrCat("labels has ", labels.size(),
                                                   " entries, expected one for "
                                                   "each of ",
                                                   chunks->rows(), " rows"));
  }
  const auto source = [&](int64_t row_offset,
                          v1::TrainChunk& chunk) -> absl::StatusOr<bool> {
    if (row_offset >= chunks->rows()) return false;
    const int64_t end = chunks->End(row_offset, ChunkLimits());
    *chunk.mutable_observations() = chunks->Slice(row_offset, end);
    if (!labels.empty()) {
      chunk.mutable_labels()->Add(labels.begin() + row_offset,
                                  labels.begin() + end);
    }
    return true;
  };
  return Train(start, source, receive, options);
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& name,
                                       const CallOptions& options) {
  v1::GetJobRequest request;
  request.set_name(name);
  return Call(stubs_->jobs, &v1::TrainingJobs::Stub::GetJob, request, options);
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(
    const std::string& model_name, const CallOptions& options) {
  std::vector<v1::Job> jobs;
  v1::ListJobsRequest request;
  request.set_model_name(model_name);
  do {
    absl::StatusOr<v1::ListJobsResponse> page =
        Call(stubs_->jobs, &v1::TrainingJobs::Stub::ListJobs, request, options);
    if (!page.ok()) return page.status();
    for (v1::Job& job : *page->mutable_jobs()) jobs.push_back(std::move(job));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return jobs;
}

absl::Status Client::WatchJob(
    const std::string& name, int64_t from_event,
    absl::FunctionRef<absl::Status(const v1::JobEvent& event)> receive,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  v1::WatchJobRequest request;
  request.set_name(name);
  request.set_from_event(from_event);
  const auto stream = stubs_->jobs.WatchJob(&context, request);
  return ReadAll<v1::JobEvent>(context, *stream, receive);
}

absl::StatusOr<v1::Job> Client::CancelJob(const std::string& name,
                                          const CallOptions& options) {
  v1::CancelJobRequest request;
  request.set_name(name);
  return Call(stubs_->jobs, &v1::TrainingJobs::Stub::CancelJob, request,
              options);
}

absl::StatusOr<v1::Job> Client::PublishCheckpoint(const std::string& name,
                                                  const CallOptions& options) {
  v1::PublishCheckpointRequest request;
  request.set_name(name);
  return Call(stubs_->jobs, &v1::TrainingJobs::Stub::PublishCheckpoint, request,
              options);
}

absl::Status Client::DeleteJob(const std::string& name,
                               const CallOptions& options) {
  v1::DeleteJobRequest request;
  request.set_name(name);
  return Call(stubs_->jobs, &v1::TrainingJobs::Stub::DeleteJob, request,
              options)
      .status();
}

}  // namespace poe::client
