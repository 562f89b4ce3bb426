// Client: training and its jobs.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/calls.h"
#include "client/cpp/client.h"
#include "client/cpp/exchange.h"
#include "client/cpp/tensor.h"

namespace poe::client {

namespace {

// Streams that break one after another before a training is given up, and the
// time to wait after the first; it doubles.
constexpr int kMostStreams = 5;
constexpr absl::Duration kFirstWait = absl::Milliseconds(500);

}  // namespace

absl::StatusOr<v1::Job> Client::Train(
    const v1::TrainStart& start, TrainSource source,
    absl::FunctionRef<absl::Status(const v1::TrainResponse& response)> receive,
    const CallOptions& options) {
  absl::Duration wait = kFirstWait;
  for (int streams = 1;; ++streams) {
    std::optional<v1::Job> completed;
    bool accepted = false;
    const absl::Status status = TrainOnce(
        start, source,
        [&](const v1::TrainResponse& response) {
          accepted = true;
          if (response.has_completed()) {
            completed = response.completed();
          }
          return receive(response);
        },
        options);
    if (completed.has_value()) return *std::move(completed);
    if (status.ok()) {
      return absl::InternalError(
          "the server ended the stream before the job had ended");
    }
    if (accepted) {
      streams = 1;
      wait = kFirstWait;
    }
    if (start.request_id().empty() || !absl::IsUnavailable(status) ||
        streams == kMostStreams) {
      return status;
    }
    absl::SleepFor(wait);
    wait *= 2;
  }
}

absl::Status Client::TrainOnce(
    const v1::TrainStart& start, TrainSource source,
    absl::FunctionRef<absl::Status(const v1::TrainResponse& response)> receive,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  const auto stream = stubs_->experts.Train(&context);
  v1::TrainRequest first;
  *first.mutable_start() = start;
  v1::TrainResponse response;
  if (!stream->Write(first) || !stream->Read(&response)) {
    return FromGrpcStatus(stream->Finish());
  }
  // Of a job that an earlier stream has begun, what is still to be sent.
  const bool receives = response.accepted().state() == v1::Job::STATE_RECEIVING;
  int64_t row_offset = response.accepted().rows();
  if (const absl::Status status = receive(response); !status.ok()) {
    context.TryCancel();
    stream->Finish();
    return status;
  }
  const auto next = [&](v1::TrainRequest& request) -> absl::StatusOr<bool> {
    if (!receives) return false;
    v1::TrainChunk& chunk = *request.mutable_chunk();
    absl::StatusOr<bool> more = source(row_offset, chunk);
    if (!more.ok() || !*more) return more;
    chunk.set_row_offset(row_offset);
    row_offset += RowCount(chunk.observations());
    return true;
  };
  return Exchange<v1::TrainRequest, v1::TrainResponse>(context, *stream, 0,
                                                       next, receive);
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
