#include "server/http_call.h"

#include <chrono>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "grpcpp/impl/codegen/proto_utils.h"

namespace poe::server {
namespace {

using google::protobuf::Message;

// How often it is asked whether the client is still there.
constexpr std::chrono::milliseconds kLookInterval{200};

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
  absl::Notification done;
  setting.stub.UnaryCall(&context, setting.rpc, {}, &request, &response,
                         [&](grpc::Status status) {
                           result = std::move(status);
                           done.Notify();
                         });
  while (
      !done.WaitForNotificationWithTimeout(absl::FromChrono(kLookInterval))) {
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
  void* tag = nullptr;
  bool ok = false;
  while (queue_.AsyncNext(&tag, &ok,
                          std::chrono::system_clock::now() + kLookInterval) ==
         grpc::CompletionQueue::TIMEOUT) {
    if (setting_.is_gone()) Cancel();
  }
  return ok;
}

}  // namespace poe::server
