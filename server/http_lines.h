// Streams as lines of JSON.
#ifndef POE_SERVER_HTTP_LINES_H_
#define POE_SERVER_HTTP_LINES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/status.h"
#include "httplib.h"
#include "server/http_call.h"
#include "server/http_exchange.h"

namespace poe::server {

// Takes the next line off `text`, and counts it in `number`; none if only blank
// ones are left.
std::optional<absl::string_view> TakeLine(absl::string_view& text, int& number);

// Reads a message of at most `most` bytes. Errors name the line.
absl::Status ReadJsonLine(absl::string_view line, int number, std::int64_t most,
                          google::protobuf::Message& message);

// One answer after another, until there is none. `next` says whether `answer`
// holds one; if not, how the call has ended.
struct LineSource {
  std::function<bool(grpc::Status& status)> next;
  std::shared_ptr<google::protobuf::Message> answer;
};

// What a call has left to say.
LineSource RestOf(std::shared_ptr<StreamCall> call,
                  std::shared_ptr<google::protobuf::Message> answer);

// Sends the lines of `body`, each a poe.v1.ScoreRequest of at most `most`
// bytes, and has one answer for each.
LineSource ScoreLines(HttpBody body, std::unique_ptr<StreamCall> call,
                      std::int64_t most);

// Answers with lines. The status is that of the first one; a later error is the
// last line.
void AnswerWithLines(const LineSource& source, const httplib::Request& request,
                     httplib::Response& response);

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_LINES_H_
