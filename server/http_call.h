// Calls of the server's own services on behalf of an HTTP client.
#ifndef POE_SERVER_HTTP_CALL_H_
#define POE_SERVER_HTTP_CALL_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "google/protobuf/message.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"

namespace poe::server {

using MessageStub = grpc::TemplatedGenericStub<google::protobuf::Message,
                                               google::protobuf::Message>;

// What all calls of one HTTP request need.
struct CallSetting {
  MessageStub& stub;
  // Full name of the method.
  std::string rpc;
  std::map<std::string, std::string> metadata;
  // Whether nobody waits for the answer any more: the call is then cancelled.
  // Asked while the call is waited for, in the thread that waits.
  std::function<bool()> is_gone;
};

// Calls a method that takes one message and answers with one.
grpc::Status CallUnary(const CallSetting& setting,
                       const google::protobuf::Message& request,
                       google::protobuf::Message& response);

// A call of a method that streams in either or both directions. Not
// thread-safe.
class StreamCall {
 public:
  explicit StreamCall(CallSetting setting);
  // Cancels the call if Finish has not been called.
  ~StreamCall();
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  // False if the call has ended; Finish then says how.
  bool Write(const google::protobuf::Message& request);
  // No more writes.
  void WritesDone();
  // False if there are no more messages.
  bool Read(google::protobuf::Message& response);
  // Ends the call as if its client had gone.
  void Cancel() { context_.TryCancel(); }
  // How the call has ended. Once, after Read or Write has returned false or
  // after Cancel.
  grpc::Status Finish();

 private:
  // Waits for the one operation that is under way, and returns whether it went
  // well.
  bool Wait();

  const CallSetting setting_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<google::protobuf::Message,
                                                google::protobuf::Message>>
      stream_;
  bool finished_ = false;
};

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_CALL_H_
