#include "server/http_lines.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "poe/v1/scoring.pb.h"
#include "server/errors.h"
#include "server/http_json.h"

namespace poe::server {
namespace {

using google::protobuf::Message;
using httplib::DataSink;

bool WriteLine(DataSink& sink, std::string line) {
  line.push_back('\n');
  return sink.write(line.data(), line.size());
}

// Requests, each of which has one answer.
struct ScoreExchange {
  HttpBody body;
  absl::string_view rest;
  std::int64_t most = 0;
  int number = 0;
  v1::ScoreRequest request;
  std::unique_ptr<StreamCall> call;

  bool Next(Message& answer, grpc::Status& status) {
    const std::optional<absl::string_view> line = TakeLine(rest, number);
    if (!line.has_value()) {
      call->WritesDone();
      status = call->Finish();
      return false;
    }
    const absl::Status read = ReadJsonLine(*line, number, most, request);
    if (!read.ok()) {
      call->Cancel();
      call->Finish();
      status = ToGrpcStatus(read);
      return false;
    }
    if (call->Write(request) && call->Read(answer)) return true;
    status = call->Finish();
    return false;
  }
};

}  // namespace

std::optional<absl::string_view> TakeLine(absl::string_view& text,
                                          int& number) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const absl::string_view line =
        absl::StripAsciiWhitespace(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!line.empty()) return line;
  }
  return std::nullopt;
}

absl::Status ReadJsonLine(absl::string_view line, int number, std::int64_t most,
                          Message& message) {
  message.Clear();
  absl::Status status = ReadJson(line, message);
  if (status.ok() && message.ByteSizeLong() > static_cast<std::size_t>(most)) {
    status = TooLarge("the message", most);
  }
  return WithPrefix(absl::StrCat("line ", number), status);
}

LineSource RestOf(std::shared_ptr<StreamCall> call,
                  std::shared_ptr<Message> answer) {
  LineSource source;
  source.answer = std::move(answer);
  source.next = [call = std::move(call),
                 answer = source.answer](grpc::Status& status) {
    if (call->Read(*answer)) return true;
    status = call->Finish();
    return false;
  };
  return source;
}

LineSource ScoreLines(HttpBody body, std::unique_ptr<StreamCall> call,
                      std::int64_t most) {
  const auto exchange = std::make_shared<ScoreExchange>();
  exchange->body = std::move(body);
  exchange->rest = exchange->body.text;
  exchange->most = most;
  exchange->call = std::move(call);
  const auto answer = std::make_shared<v1::ScoreResponse>();
  return {[exchange, answer](grpc::Status& status) {
            return exchange->Next(*answer, status);
          },
          answer};
}

void AnswerWithLines(const LineSource& source, const httplib::Request& request,
                     httplib::Response& response) {
  grpc::Status status;
  const bool any = source.next(status);
  if (!any && !status.ok()) {
    Fail(status, request, response);
    return;
  }
  // All in one go: when it stops, the listener asks for no more.
  response.set_chunked_content_provider(
      kLinesType, [source, any](std::size_t, DataSink& sink) {
        grpc::Status status;
        for (bool more = any; more; more = source.next(status)) {
          if (!WriteLine(sink, ToJson(*source.answer))) return false;
        }
        if (!status.ok()) {
          WriteLine(sink, ErrorJson(status, HttpStatusOf(status.error_code())));
        }
        sink.done();
        return true;
      });
}

}  // namespace poe::server
