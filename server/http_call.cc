#include "server/http_call.h"

#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc/support/time.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "server/steady_time.h"

namespace poe::server {
namespace {

using google::protobuf::Message;

// How often it is asked whether the client is still there.
constexpr absl::Duration kLookInterval = absl::Milliseconds(200);

void SetMetadata(const CallSetting& setting, grpc::ClientContext& context) {
  for (const auto& [key, value] : setting.metadata)
    context.AddMetadata(key, value);
}

}  // namespace

grpc::Status CallUnary(const CallSetting& setting, const Message& request,
                       Message& response) {
  grpc::ClientContext context;
  SetMetadata(setting, context);
  grpc::Status result;
  absl::Mutex mutex;
  SteadyCondition ended;
  bool done = false;
  setting.stub.UnaryCall(&context, setting.rpc, {}, &request, &response,
                         [&](grpc::Status status) {
                           absl::MutexLock lock(&mutex);
                           result = std::move(status);
                           done = true;
                           ended.NotifyAll();
                         });
  const auto has_ended = [&] {
    absl::MutexLock lock(&mutex);
    return ended.AwaitUntil(mutex, SteadyTimeAfter(kLookInterval),
                            [&] { return done; });
  };
  while (!has_ended()) {
    if (setting.is_gone()) context.TryCancel();
  }
  return result;
}

StreamCall::StreamCall(CallSetting setting) : setting_(std::move(setting)) {
  SetMetadata(setting_, context_);
  stream_ = setting_.stub.PrepareCall(&context_, setting_.rpc, &queue_);
  stream_->StartCall(nullptr);
  Wait();
}

StreamCall::~StreamCall() {
  if (!finished_) {
    Cancel();
    Finish();
  }
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool StreamCall::Write(const Message& request) {
  stream_->Write(request, nullptr);
  return Wait();
}

void StreamCall::WritesDone() {
  stream_->WritesDone(nullptr);
  Wait();
}

bool StreamCall::Read(Message& response) {
  stream_->Read(&response, nullptr);
  return Wait();
}

grpc::Status StreamCall::Finish() {
  grpc::Status status;
  stream_->Finish(&status, nullptr);
  Wait();
  finished_ = true;
  return status;
}

bool StreamCall::Wait() {
  // So long from now, by a clock that nobody sets.
  const gpr_timespec look = gpr_time_from_millis(
      absl::ToInt64Milliseconds(kLookInterval), GPR_TIMESPAN);
  void* tag = nullptr;
  bool ok = false;
  while (queue_.AsyncNext(&tag, &ok, look) == grpc::CompletionQueue::TIMEOUT) {
    if (setting_.is_gone()) Cancel();
  }
  return ok;
}

}  // namespace poe::server
