#ifndef POE_CLIENT_CPP_CLIENT_H_
#define POE_CLIENT_CPP_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/cpp/chunks.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"
#include "poe/v1/registry.pb.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/training.pb.h"

namespace poe::client {

struct ClientOptions {
  // Absent: plain text. TlsCredentials makes them from files.
  std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr;
  // Sent with every call as a bearer token, if not empty. Without credentials
  // only to this machine.
  std::string token = {};
  // Calls that may be repeated without harm are tried up to so many times,
  // 1 to 5, while the server is UNAVAILABLE.
  int max_attempts = 3;
};

struct CallOptions {
  // DEADLINE_EXCEEDED when it has passed. A stream has it as a whole.
  absl::Duration timeout = absl::InfiniteDuration();
};

struct ScoreAllOptions {
  CallOptions call = {};
  // Size of one request of the stream.
  ChunkLimits chunk = {};
  // Requests sent and not yet answered, >= 1.
  int max_unanswered = 4;
};

// Gives the rows from number `row_offset` on: fills in the observations and,
// with several classes, the labels of a chunk. False: there are no more rows.
// Called from one thread, not the caller's.
using TrainSource = absl::FunctionRef<absl::StatusOr<bool>(
    int64_t row_offset, v1::TrainChunk& chunk)>;

// A connection to a poe server, one method for each of its calls; what the
// requests mean stands in the .proto files.
//
// Errors have the server's code and text; see FromGrpcStatus. No call waits
// for a server that is not there: it fails with UNAVAILABLE. An error returned
// by a callback cancels its call and is the call's result.
//
// Thread-safe, and cheap to keep: one client serves a whole program.
class Client {
 public:
  // `target` is HOST:PORT or any other target of gRPC. Connects at the first
  // call. INVALID_ARGUMENT if the target is empty, `max_attempts` is out of
  // range, or the token is not of visible ASCII characters or would go to
  // another machine in plain text.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(
      const std::string& target, const ClientOptions& options = {});

  explicit Client(const std::shared_ptr<grpc::Channel>& channel);
  ~Client();

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- Questions to a model ---

  absl::StatusOr<v1::ScoreResponse> Score(const v1::ScoreRequest& request,
                                          const CallOptions& options = {});

  // Sends the requests that `next` fills in, until it returns false, and hands
  // the response to each, in the same order, to `receive`. `next` is called
  // from another thread, at most `max_unanswered` (>= 1) requests ahead.
  absl::Status ScoreStream(
      int max_unanswered,
      absl::FunctionRef<absl::StatusOr<bool>(v1::ScoreRequest& request)> next,
      absl::FunctionRef<absl::Status(const v1::ScoreResponse& response)>
          receive,
      const CallOptions& options = {});

  // Score for any number of rows: streams them in pieces and joins the
  // responses into one. `progress`, after each piece, gets the rows scored.
  absl::StatusOr<v1::ScoreResponse> ScoreAll(
      const v1::ScoreRequest& request, const ScoreAllOptions& options = {},
      absl::FunctionRef<void(int64_t rows)> progress = [](int64_t) {});

  absl::StatusOr<v1::ReconstructResponse> Reconstruct(
      const v1::ReconstructRequest& request, const CallOptions& options = {});

  absl::Status Sample(
      const v1::SampleRequest& request,
      absl::FunctionRef<absl::Status(const v1::SampleResponse& response)>
          receive,
      const CallOptions& options = {});

  // --- Training ---

  // Sends `start` and the rows of `source`, and hands everything that the
  // server answers to `receive` until the job ends. Returns the job as it
  // ended well; a job that failed is the error. With a request_id, a stream
  // that breaks (UNAVAILABLE) is taken up again by another, up to five in a
  // row, from the row that the server has got to: `source` is asked for it
  // again.
  absl::StatusOr<v1::Job> Train(
      const v1::TrainStart& start, TrainSource source,
      absl::FunctionRef<absl::Status(const v1::TrainResponse& response)>
          receive,
      const CallOptions& options = {});

  // The same with all rows at hand. `labels` has one index into the class
  // names for each row, or none with one class.
  absl::StatusOr<v1::Job> TrainAll(
      const v1::TrainStart& start, const v1::Observations& observations,
      absl::Span<const int32_t> labels,
      absl::FunctionRef<absl::Status(const v1::TrainResponse& response)>
          receive,
      const CallOptions& options = {});

  absl::StatusOr<v1::Job> GetJob(const std::string& name,
                                 const CallOptions& options = {});

  // All jobs, newest first; of one model if it is named.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(
      const std::string& model_name = "", const CallOptions& options = {});

  // Events of a job from number `from_event` (>= 1) on, until the job ends.
  absl::Status WatchJob(
      const std::string& name, int64_t from_event,
      absl::FunctionRef<absl::Status(const v1::JobEvent& event)> receive,
      const CallOptions& options = {});

  absl::StatusOr<v1::Job> CancelJob(const std::string& name,
                                    const CallOptions& options = {});

  // Makes the checkpoint of a failed job a version of its model.
  absl::StatusOr<v1::Job> PublishCheckpoint(const std::string& name,
                                            const CallOptions& options = {});

  absl::Status DeleteJob(const std::string& name,
                         const CallOptions& options = {});

  // --- Models ---

  // All models, by name.
  absl::StatusOr<std::vector<v1::ModelInfo>> ListModels(
      const CallOptions& options = {});

  absl::StatusOr<v1::GetModelResponse> GetModel(
      const v1::GetModelRequest& request, const CallOptions& options = {});

  absl::StatusOr<v1::ModelInfo> LoadModel(const v1::LoadModelRequest& request,
                                          const CallOptions& options = {});

  absl::StatusOr<v1::ModelInfo> UnloadModel(
      const v1::UnloadModelRequest& request, const CallOptions& options = {});

  absl::Status DeleteModel(const v1::DeleteModelRequest& request,
                           const CallOptions& options = {});

  absl::StatusOr<v1::ModelInfo> SetLabel(const v1::SetLabelRequest& request,
                                         const CallOptions& options = {});

  absl::StatusOr<v1::ModelInfo> ClearLabel(const v1::ClearLabelRequest& request,
                                           const CallOptions& options = {});

  // Hands over the files of a version piece by piece, MANIFEST first.
  absl::Status ExportModel(
      const v1::ExportModelRequest& request,
      absl::FunctionRef<absl::Status(const v1::ModelFileChunk& chunk)> receive,
      const CallOptions& options = {});

  // Stores the files that `next` gives in the same way (false: there are no
  // more) as a version; version 0 is the next free one.
  absl::StatusOr<v1::ModelInfo> ImportModel(
      const v1::ModelVersion& model,
      absl::FunctionRef<absl::StatusOr<bool>(v1::ModelFileChunk& chunk)> next,
      const CallOptions& options = {});

  // --- The server ---

  // OK if the server, or one service of it by its full name, is serving;
  // UNAVAILABLE if it says that it is not.
  absl::Status CheckHealth(const std::string& service = "",
                           const CallOptions& options = {});

 private:
  // One stream of a training.
  absl::Status TrainOnce(
      const v1::TrainStart& start, TrainSource source,
      absl::FunctionRef<absl::Status(const v1::TrainResponse& response)>
          receive,
      const CallOptions& options);

  struct Stubs;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_CLIENT_H_
