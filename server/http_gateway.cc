#include "server/http_gateway.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grpc/health/v1/health.pb.h"
#include "httplib.h"
#include "inference/open_inference.pb.h"
#include "poe/v1/training.pb.h"
#include "server/byte_budget.h"
#include "server/codec/open_inference_binary.h"
#include "server/codec/open_inference_json.h"
#include "server/errors.h"
#include "server/http_call.h"
#include "server/http_connection.h"
#include "server/http_exchange.h"
#include "server/http_json.h"
#include "server/http_lines.h"
#include "server/http_listener.h"
#include "server/http_message.h"
#include "server/http_openapi.h"
#include "server/http_routes.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

using google::protobuf::Message;
using httplib::ContentReader;
using httplib::Request;
using httplib::Response;
using HandlerResponse = httplib::Server::HandlerResponse;

constexpr std::size_t kLongestTraceHeader = 512;
constexpr absl::string_view kJsonTypes[] = {kJsonType};
// Clients of the Open Inference Protocol send bytes, or do not say what.
constexpr absl::string_view kInferTypes[] = {kJsonType, kBytesType, ""};
constexpr absl::string_view kRepositoryTypes[] = {kJsonType, ""};
// The method whose role a text that was added needs.
constexpr char kTextRpc[] = "/poe.v1.ModelRegistry/ListModels";

}  // namespace

class HttpGateway::Parts {
 public:
  explicit Parts(HttpGatewayOptions options)
      : options_(std::move(options)),
        stub_(options_.channel),
        budget_(options_.max_bytes_in_flight),
        listener_(options_.tls, options_.connections_per_client,
                  options_.refusals) {
    SetHandlers();
  }

  HttpListener& listener() { return listener_; }
  std::int64_t body_bytes() const { return budget_.in_flight(); }

  void AddText(const std::string& path, const std::string& content_type,
               std::function<std::string()> text) {
    texts_[path] = {content_type, std::move(text)};
  }

 private:
  struct Text {
    std::string content_type;
    std::function<std::string()> text;
  };

  void SetHandlers();
  // Makes an error of the gateway's own the answer.
  void Refuse(const absl::Status& status, const Request& request,
              Response& response);
  // What needs no body. Whether that was all.
  HandlerResponse Begin(const Request& request, Response& response);
  // What has one, `content` being null for those that cannot.
  void Answer(const RouteMatch& match, const Request& request,
              const ContentReader* content, Response& response);
  absl::Status CheckAccess(const Request& request, absl::string_view rpc);

  CallSetting SettingFor(const Route& route, const Request& request);
  // `hold` must be kept as long as the message.
  absl::Status ReadRequest(const RouteMatch& match, const Request& request,
                           const ContentReader* content, Message& message,
                           ByteBudget::Hold& hold);
  absl::Status AnswerUnary(const RouteMatch& match, const Request& request,
                           const ContentReader* content, Response& response);
  absl::Status AnswerStream(const RouteMatch& match, const Request& request,
                            const ContentReader* content, Response& response);
  absl::Status AnswerInfer(const RouteMatch& match, const Request& request,
                           const ContentReader& content, Response& response);
  absl::Status AnswerScoreStream(const Route& route, const Request& request,
                                 const ContentReader& content,
                                 Response& response);
  absl::Status AnswerTrain(const Route& route, const Request& request,
                           const ContentReader& content, Response& response);
  absl::Status SendTraining(const ContentReader& content, StreamCall& call);
  void AnswerReady(const Route& route, const Request& request,
                   Response& response);

  const HttpGatewayOptions options_;
  MessageStub stub_;
  // Apart from that of the services, so that bodies which come slowly do not
  // keep others from being answered.
  ByteBudget budget_;
  std::map<std::string, Text> texts_;
  HttpListener listener_;
};

void HttpGateway::Parts::Refuse(const absl::Status& status,
                                const Request& request, Response& response) {
  options_.refusals->Add(Refusals::Port::kHttp, ReasonOf(status));
  Fail(status, request, response);
}

void HttpGateway::Parts::SetHandlers() {
  listener_.set_pre_routing_handler(
      [this](const Request& request, Response& response) {
        return Begin(request, response);
      });
  const httplib::Server::HandlerWithContentReader answer =
      [this](const Request& request, Response& response,
             const ContentReader& content) {
        Answer(FindRoute(request.method, request.path), request, &content,
               response);
      };
  // Any path: Begin has found that it is one of ours.
  constexpr char kAnyPath[] = R"([\s\S]*)";
  listener_.Post(kAnyPath, answer);
  listener_.Put(kAnyPath, answer);
  listener_.Delete(kAnyPath, answer);
  // Errors that httplib finds.
  listener_.set_error_handler(
      [this](const Request& request, Response& response) {
        if (!response.body.empty()) return;
        const HttpConnection& connection = HttpListener::Connection();
        absl::string_view reason = "BAD_REQUEST";
        absl::string_view text = "this is no request of HTTP 1.1";
        if (connection.headers_too_large()) {
          response.status = 431;
          reason = "HEADERS_TOO_LARGE";
          text = "the headers are too large";
        } else if (connection.headers_too_slow()) {
          response.status = 408;
          reason = "HEADERS_TOO_SLOW";
          text = "the headers came too slowly";
        } else if (response.status == 414) {
          reason = "URL_TOO_LONG";
          text = "the URL is too long";
        } else if (response.status == 416) {
          reason = "BAD_RANGE";
          text = "the header Range is none, and not needed";
        } else if (response.status >= 500) {
          reason = "UNEXPECTED";
          text = "unexpected error";
        }
        const grpc::StatusCode code =
            response.status >= 500 ? grpc::INTERNAL : grpc::INVALID_ARGUMENT;
        options_.refusals->Add(Refusals::Port::kHttp, reason);
        Fail(grpc::Status(code, std::string(text)), response.status, request,
             response);
      });
  listener_.set_post_routing_handler([](const Request&, Response& response) {
    if (!HttpListener::Connection().body_unread()) return;
    response.headers.erase("Keep-Alive");
    response.headers.erase("Connection");
    response.set_header("Connection", "close");
  });
}

HandlerResponse HttpGateway::Parts::Begin(const Request& request,
                                          Response& response) {
  RouteMatch match;
  const auto text = texts_.find(request.path);
  const bool gets = request.method == "GET" || request.method == "HEAD";
  absl::Status status = CatchExceptions([&] {
    absl::Status form = CheckForm(request);
    if (!form.ok()) return form;
    match = FindRoute(request.method, request.path);
    if (text != texts_.end()) match.methods = {"GET"};
    if (match.route != nullptr || (text != texts_.end() && gets)) {
      return CheckAccess(request,
                         match.route != nullptr ? match.route->rpc : kTextRpc);
    }
    if (match.methods.empty()) {
      return Error(absl::StatusCode::kNotFound, "NO_SUCH_PATH",
                   absl::StrCat("there is nothing at ", Quoted(request.path),
                                "; /openapi.json lists what there is"));
    }
    const std::string methods = absl::StrJoin(match.methods, ", ");
    response.set_header("Allow", methods);
    return WrongMethod(
        absl::StrCat(Quoted(request.path), " answers ", methods));
  });
  if (!status.ok()) {
    spdlog::debug("HTTP {} {} refused: {}", Quoted(request.method),
                  Quoted(request.path), ReasonOf(status));
    Refuse(status, request, response);
    return HandlerResponse::Handled;
  }
  if (text != texts_.end() && gets) {
    status = CatchExceptions([&] {
      response.set_content(text->second.text(), text->second.content_type);
      return absl::OkStatus();
    });
    if (!status.ok()) Refuse(status, request, response);
    return HandlerResponse::Handled;
  }
  if (!gets) return HandlerResponse::Unhandled;
  Answer(match, request, nullptr, response);
  return HandlerResponse::Handled;
}

absl::Status HttpGateway::Parts::CheckAccess(const Request& request,
                                             absl::string_view rpc) {
  if (options_.access == nullptr || rpc.empty()) return absl::OkStatus();
  const std::optional<std::string> authorization = AuthorizationIn(request);
  if (!authorization.has_value())
    return options_.access->Check(rpc, std::nullopt);
  return options_.access->Check(rpc, absl::string_view(*authorization));
}

void HttpGateway::Parts::Answer(const RouteMatch& match, const Request& request,
                                const ContentReader* content,
                                Response& response) {
  const Route& route = *match.route;
  const absl::Status status = CatchExceptions([&]() -> absl::Status {
    switch (route.kind) {
      case RouteKind::kUnary:
      case RouteKind::kPlain:
      case RouteKind::kRepository:
      case RouteKind::kTruth:
        return AnswerUnary(match, request, content, response);
      case RouteKind::kStream:
        return AnswerStream(match, request, content, response);
      case RouteKind::kInfer:
        return AnswerInfer(match, request, *content, response);
      case RouteKind::kScoreStream:
        return AnswerScoreStream(route, request, *content, response);
      case RouteKind::kTrain:
        return AnswerTrain(route, request, *content, response);
      case RouteKind::kReady:
        AnswerReady(route, request, response);
        return absl::OkStatus();
      case RouteKind::kAlive:
        response.set_content(R"({"status":"ALIVE"})", kJsonType);
        return absl::OkStatus();
      case RouteKind::kOpenApi:
        response.set_content(std::string(OpenApiJson()), kJsonType);
        return absl::OkStatus();
    }
    return absl::OkStatus();
  });
  if (!status.ok()) Refuse(status, request, response);
}

CallSetting HttpGateway::Parts::SettingFor(const Route& route,
                                           const Request& request) {
  CallSetting setting = {stub_, std::string(route.rpc), {}, [] {
                           return HttpListener::Connection().IsGone();
                         }};
  for (const char* header : {"traceparent", "x-request-id"}) {
    std::string value = request.get_header_value(header);
    if (!value.empty() && value.size() <= kLongestTraceHeader &&
        IsPrintable(value)) {
      setting.metadata[header] = std::move(value);
    }
  }
  if (options_.access != nullptr) {
    // For the log, which names the token, and for GetModel, which needs a
    // higher role with parameters than without.
    std::optional<std::string> authorization = AuthorizationIn(request);
    if (authorization.has_value() && IsPrintable(*authorization)) {
      setting.metadata["authorization"] = *std::move(authorization);
    }
  }
  return setting;
}

absl::Status HttpGateway::Parts::ReadRequest(const RouteMatch& match,
                                             const Request& request,
                                             const ContentReader* content,
                                             Message& message,
                                             ByteBudget::Hold& hold) {
  if (content != nullptr && request.method != "DELETE") {
    const bool repository = match.route->kind == RouteKind::kRepository;
    absl::StatusOr<HttpBody> body =
        ReadBody(request, *content,
                 repository ? absl::MakeConstSpan(kRepositoryTypes)
                            : absl::MakeConstSpan(kJsonTypes),
                 options_.max_body_bytes, budget_);
    if (!body.ok()) return body.status();
    absl::Status status = repository ? ReadRepositoryJson(body->text, message)
                                     : ReadJson(body->text, message);
    if (!status.ok()) return status;
    hold = std::move(body->hold);
    if (message.ByteSizeLong() >
        static_cast<std::size_t>(options_.max_body_bytes)) {
      return TooLarge("the message", options_.max_body_bytes);
    }
  }
  return SetFields(match, request.params, message);
}

absl::Status HttpGateway::Parts::AnswerUnary(const RouteMatch& match,
                                             const Request& request,
                                             const ContentReader* content,
                                             Response& response) {
  const Route& route = *match.route;
  const auto* method = MethodOf(route);
  const std::unique_ptr<Message> asked = NewMessage(method->input_type());
  ByteBudget::Hold hold;
  absl::Status status = ReadRequest(match, request, content, *asked, hold);
  if (!status.ok()) return status;
  const std::unique_ptr<Message> answer = NewMessage(method->output_type());
  const grpc::Status called =
      CallUnary(SettingFor(route, request), *asked, *answer);
  if (!called.ok()) {
    Fail(called, request, response);
    return absl::OkStatus();
  }
  response.set_content(route.kind == RouteKind::kUnary
                           ? ToJson(*answer)
                           : ToPlainJson(*answer, route.answer),
                       kJsonType);
  if (route.kind == RouteKind::kTruth &&
      !answer->GetReflection()->GetBool(*answer,
                                        answer->GetDescriptor()->field(0))) {
    response.status = 404;
  }
  return absl::OkStatus();
}

absl::Status HttpGateway::Parts::AnswerStream(const RouteMatch& match,
                                              const Request& request,
                                              const ContentReader* content,
                                              Response& response) {
  const auto* method = MethodOf(*match.route);
  const std::unique_ptr<Message> asked = NewMessage(method->input_type());
  ByteBudget::Hold hold;
  absl::Status status = ReadRequest(match, request, content, *asked, hold);
  if (!status.ok()) return status;
  const auto call =
      std::make_shared<StreamCall>(SettingFor(*match.route, request));
  if (call->Write(*asked)) call->WritesDone();
  AnswerWithLines(RestOf(call, NewMessage(method->output_type())), request,
                  response);
  return absl::OkStatus();
}

absl::Status HttpGateway::Parts::AnswerInfer(const RouteMatch& match,
                                             const Request& request,
                                             const ContentReader& content,
                                             Response& response) {
  const absl::StatusOr<HttpBody> body =
      ReadBody(request, content, kInferTypes, options_.max_body_bytes, budget_);
  if (!body.ok()) return body.status();
  const absl::string_view text = body->text;
  const absl::StatusOr<std::size_t> json_length = JsonLengthIn(request, text);
  if (!json_length.ok()) return json_length.status();
  absl::StatusOr<inference::ModelInferRequest> asked =
      ReadInferRequest(text.substr(0, *json_length));
  if (!asked.ok()) return asked.status();
  const absl::StatusOr<BinaryOutputs> binary =
      TakeBinaryInputs(text.substr(*json_length), &*asked);
  if (!binary.ok()) return binary.status();
  absl::Status status = SetFields(match, request.params, *asked);
  if (!status.ok()) return status;
  if (asked->ByteSizeLong() >
      static_cast<std::size_t>(options_.max_body_bytes)) {
    return TooLarge("the message", options_.max_body_bytes);
  }
  inference::ModelInferResponse answer;
  const grpc::Status called =
      CallUnary(SettingFor(*match.route, request), *asked, answer);
  if (!called.ok()) {
    Fail(called, request, response);
    return absl::OkStatus();
  }
  const std::string bytes = TakeBinaryOutputs(*binary, &answer);
  std::string json = InferResponseJson(answer);
  if (bytes.empty()) {
    response.set_content(json, kJsonType);
    return absl::OkStatus();
  }
  response.set_header(kJsonLength, absl::StrCat(json.size()));
  response.set_content(std::move(json) + bytes, kBytesType);
  return absl::OkStatus();
}

absl::Status HttpGateway::Parts::AnswerScoreStream(const Route& route,
                                                   const Request& request,
                                                   const ContentReader& content,
                                                   Response& response) {
  absl::StatusOr<HttpBody> body = ReadBody(request, content, {kLinesType},
                                           options_.max_body_bytes, budget_);
  if (!body.ok()) return body.status();
  AnswerWithLines(
      ScoreLines(*std::move(body),
                 std::make_unique<StreamCall>(SettingFor(route, request)),
                 options_.max_body_bytes),
      request, response);
  return absl::OkStatus();
}

absl::Status HttpGateway::Parts::AnswerTrain(const Route& route,
                                             const Request& request,
                                             const ContentReader& content,
                                             Response& response) {
  if (HttpListener::Connection().body_unread()) {
    absl::Status type = CheckContentType(request, {kLinesType});
    if (!type.ok()) return type;
  }
  const auto call = std::make_shared<StreamCall>(SettingFor(route, request));
  const absl::Status status = SendTraining(content, *call);
  if (!status.ok()) {
    // Not half-closed: what has come is not all. It counts as a call, and not
    // as refused besides.
    call->Cancel();
    call->Finish();
    Fail(status, request, response);
    return absl::OkStatus();
  }
  AnswerWithLines(RestOf(call, std::make_shared<v1::TrainResponse>()), request,
                  response);
  return absl::OkStatus();
}

// Sends lines on as they come, so that there is no bound on all together.
absl::Status HttpGateway::Parts::SendTraining(const ContentReader& content,
                                              StreamCall& call) {
  const std::int64_t most = options_.max_body_bytes;
  v1::TrainRequest message;
  std::string begun;
  ByteBudget::Hold hold;  // of its bytes
  int number = 0;
  bool wanted = true;
  absl::Status status;
  const auto send = [&](absl::string_view text) {
    while (const auto line = TakeLine(text, number)) {
      status = ReadJsonLine(*line, number, most, message);
      wanted = status.ok() && call.Write(message);
      if (!wanted) return;
    }
  };
  if (HttpListener::Connection().body_unread()) {
    const absl::Status read =
        ReadPieces(content, [&](const char* data, std::size_t size) {
          status = budget_.Resize(
              static_cast<std::int64_t>(begun.size() + size), hold);
          wanted = status.ok();
          if (!wanted) return false;
          begun.append(data, size);
          if (absl::StrContains(absl::string_view(data, size), '\n')) {
            const std::size_t end = begun.rfind('\n') + 1;
            send(absl::string_view(begun).substr(0, end));
            begun.erase(0, end);
          }
          if (wanted && begun.size() > static_cast<std::size_t>(most)) {
            status = TooLarge(absl::StrCat("line ", number + 1), most);
            wanted = false;
          }
          return wanted;
        });
    if (!read.ok()) return read;
    if (wanted) send(begun);
  }
  // A call that has ended by itself says why when it is asked for answers.
  if (wanted) call.WritesDone();
  return status;
}

void HttpGateway::Parts::AnswerReady(const Route& route, const Request& request,
                                     Response& response) {
  grpc::health::v1::HealthCheckResponse health;
  const grpc::Status called =
      CallUnary(SettingFor(route, request),
                grpc::health::v1::HealthCheckRequest(), health);
  const bool ready =
      called.ok() &&
      health.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  response.status = ready ? 200 : 503;
  response.set_content(
      ready ? R"({"status":"SERVING"})" : R"({"status":"NOT_SERVING"})",
      kJsonType);
}

HttpGateway::HttpGateway(HttpGatewayOptions options)
    : parts_(std::make_unique<Parts>(std::move(options))) {}

HttpGateway::~HttpGateway() = default;

void HttpGateway::AddText(const std::string& path,
                          const std::string& content_type,
                          std::function<std::string()> text) {
  parts_->AddText(path, content_type, std::move(text));
}

absl::StatusOr<int> HttpGateway::Listen(const ListenAddress& address) {
  return parts_->listener().Listen(address);
}

std::size_t HttpGateway::connections() const {
  return parts_->listener().connections();
}

std::int64_t HttpGateway::body_bytes() const { return parts_->body_bytes(); }

void HttpGateway::StopAccepting() { parts_->listener().StopAccepting(); }

void HttpGateway::Close(SteadyTime deadline) {
  parts_->listener().Close(deadline);
}

}  // namespace poe::server
