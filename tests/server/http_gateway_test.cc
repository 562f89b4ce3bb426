// JSON over HTTP, as its clients meet it.
#include "server/http_gateway.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Before httplib.h, with which the system defines a macro _res.
#include "Eigen/Core"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "httplib.h"
#include "nlohmann/json.hpp"
#include "server/manifest.h"
#include "tests/server/certificates.h"
#include "tests/server/serving_test.h"
#include "tests/server/training_testing.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;

constexpr char kJson[] = "application/json";
constexpr char kLines[] = "application/x-ndjson";
constexpr std::int64_t kMostBytes = 256 << 10;

std::string JsonOf(const google::protobuf::Message& message) {
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &json).ok());
  return json;
}

template <typename M>
M MessageOf(const std::string& json) {
  M message;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(status.ok()) << status.ToString() << json;
  return message;
}

std::vector<std::string> LinesOf(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// With the models of DigitsServingTest, all versions of them loaded.
class HttpTest : public DigitsServingTest {
 protected:
  HttpTest() {
    StopServer();
    ServerOptions options;
    options.threads = 2;
    options.version_policy = "all";
    options.http = "localhost:0";
    options.limits.steps = 200'000;
    options.max_message_bytes = kMostBytes;
    StartServer(options);
    client_ = NewClient();
  }

  std::unique_ptr<httplib::Client> NewClient() {
    auto client =
        std::make_unique<httplib::Client>("127.0.0.1", server().http_port());
    client->set_read_timeout(60);
    client->set_keep_alive(true);
    return client;
  }
  httplib::Client& client() { return *client_; }

  // The value of a metric that has no labels.
  double Gauge(const std::string& name) {
    const std::string text = server().MetricsText();
    const std::size_t line = text.find(absl::StrCat("\n", name, " "));
    if (line == std::string::npos) {
      ADD_FAILURE() << "no " << name << " in\n" << text;
      return -1;
    }
    return std::stod(text.substr(line + name.size() + 2));
  }

  // What comes back must be there, with that status.
  Json Get(const std::string& path, int status = 200) {
    return Checked(client().Get(path), status);
  }
  Json Post(const std::string& path, const std::string& body = "",
            int status = 200) {
    return Checked(client().Post(path, body, kJson), status);
  }
  Json Delete(const std::string& path, int status = 200) {
    return Checked(client().Delete(path), status);
  }
  static Json Checked(const httplib::Result& result, int status) {
    if (result == nullptr) {
      ADD_FAILURE() << httplib::to_string(result.error());
      return {};
    }
    EXPECT_EQ(result->status, status) << result->body;
    EXPECT_EQ(result->get_header_value("Content-Type"), kJson);
    return Json::parse(result->body, nullptr, false);
  }

  v1::ScoreRequest Asking(const std::string& model, int rows) const {
    v1::ScoreRequest request;
    request.mutable_model()->set_name(model);
    *request.mutable_observations() =
        ToObservations(RandomBits(rows, kDimension, 5));
    return request;
  }
  v1::ScoreResponse Score(const v1::ScoreRequest& request) {
    grpc::ClientContext context;
    v1::ScoreResponse response;
    EXPECT_TRUE(stub().Score(&context, request, &response).ok());
    return response;
  }

  // A connection on which these bytes have been sent.
  int Send(const std::string& bytes) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server().http_port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address),
                      sizeof address),
              0);
    send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return fd;
  }
  // What comes back on a connection of its own for these bytes.
  std::string Raw(const std::string& bytes) {
    const int fd = Send(bytes);
    std::string answer(1 << 16, '\0');
    std::size_t size = 0;
    for (ssize_t n = 1; n > 0 && size < answer.size();) {
      n = recv(fd, answer.data() + size, answer.size() - size, 0);
      if (n > 0) size += static_cast<std::size_t>(n);
    }
    close(fd);
    answer.resize(size);
    return answer;
  }

 private:
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(HttpTest, ScoresAreThoseOfScoreToTheBit) {
  const v1::ScoreRequest request = Asking("digits", 7);
  const auto result = client().Post("/v1/score", JsonOf(request), kJson);
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->status, 200) << result->body;
  EXPECT_EQ(MessageOf<v1::ScoreResponse>(result->body).SerializeAsString(),
            Score(request).SerializeAsString());
  EXPECT_THAT(result->body, HasSubstr("\"log_scores\""));
}

TEST_F(HttpTest, PlainNumbersAreRowsToo) {
  const Json answer = Post("/v1/score", R"({
      "model": {"name": "density"},
      "observations": {"dense": {
          "shape": [1, 12], "values": [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]}}})");
  EXPECT_EQ(answer["model"]["name"], "density");
  EXPECT_EQ(answer["log_scores"]["shape"], Json({"1", "1", "1"}));
  EXPECT_EQ(answer["labels"], Json::array());
}

TEST_F(HttpTest, ReconstructionsComeBack) {
  const Json answer = Post("/v1/reconstruct", R"({
      "model": {"name": "digits", "version": 1}, "class_name": "two",
      "observations": {"dense": {
          "shape": [1, 12], "values": [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]}},
      "seed": 8})");
  EXPECT_EQ(answer["model"]["version"], "1");
  EXPECT_EQ(answer["seed"], "8");
}

TEST_F(HttpTest, SamplesComeInLines) {
  const auto result = client().Post("/v1/sample", R"({
      "model": {"name": "density"}, "chains": 2, "steps": 9, "thinning": 3,
      "seed": 4})",
                                    kJson);
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->get_header_value("Content-Type"), kLines);
  std::vector<int> steps;
  for (const std::string& line : LinesOf(result->body))
    steps.push_back(MessageOf<v1::SampleResponse>(line).step());
  EXPECT_THAT(steps, ElementsAre(3, 6, 9));
}

TEST_F(HttpTest, AnErrorBeforeTheFirstLineIsTheStatus) {
  const Json answer = Checked(
      client().Post("/v1/sample", R"({"model": {"name": "cats"}})", kJson),
      404);
  EXPECT_EQ(answer["error"]["status"], "NOT_FOUND");
}

TEST_F(HttpTest, LinesAreScoredOneByOne) {
  const v1::ScoreRequest first = Asking("digits", 2);
  v1::ScoreRequest second = Asking("digits", 3);
  second.clear_model();
  const std::string body =
      absl::StrCat(JsonOf(first), "\n\n", JsonOf(second), "\r\n");
  const auto result = client().Post("/v1/score:stream", body, kLines);
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->status, 200);
  const std::vector<std::string> lines = LinesOf(result->body);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(MessageOf<v1::ScoreResponse>(lines[0]).SerializeAsString(),
            Score(first).SerializeAsString());
  EXPECT_THAT(MessageOf<v1::ScoreResponse>(lines[1]).labels(), SizeIs(3));
}

TEST_F(HttpTest, AnErrorAfterTheFirstLineIsTheLastLine) {
  const auto result = client().Post(
      "/v1/score:stream",
      absl::StrCat(JsonOf(Asking("digits", 1)), "\n", "{\"cats\": 1}\n"),
      kLines);
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->status, 200);
  const std::vector<std::string> lines = LinesOf(result->body);
  ASSERT_THAT(lines, SizeIs(2));
  const Json error = Json::parse(lines[1])["error"];
  EXPECT_EQ(error["status"], "INVALID_ARGUMENT");
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("line 2: "));
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("cats"));
}

TEST_F(HttpTest, ModelsAreListedLoadedLabelledAndDeleted) {
  EXPECT_THAT(Get("/v1/models")["models"], SizeIs(3));
  const Json page = Get("/v1/models?page_size=1");
  EXPECT_THAT(page["models"], SizeIs(1));
  EXPECT_EQ(
      Get(absl::StrCat(
          "/v1/models?page_size=1&page_token=",
          page["next_page_token"].get<std::string>()))["models"][0]["name"],
      "digits");
  EXPECT_EQ(Get("/v1/models/digits")["model"]["version"], "2");
  const Json one = Get("/v1/models/digits/versions/1?include_parameters=true");
  EXPECT_EQ(one["model"]["version"], "1");
  EXPECT_TRUE(one.contains("parameters"));
  EXPECT_FALSE(Get("/v1/models/digits/versions/1").contains("parameters"));

  Post("/v1/models/digits/versions/1:unload");
  const std::string selected =
      R"({"model": {"name": "digits", "version": 1}, "observations":
          {"dense": {"shape": [1, 12], "values": [1,1,1,1,1,1,0,0,0,0,0,0]}}})";
  Post("/v1/score", selected, 400);
  Post("/v1/models/digits/versions/1:load", "{}");
  Post("/v1/score", selected);

  Json labelled = Checked(client().Put("/v1/models/digits/labels/stable",
                                       R"({"version": 1})", kJson),
                          200);
  EXPECT_EQ(labelled["labels"]["stable"], "1");
  EXPECT_THAT(Delete("/v1/models/digits/labels/stable")["labels"], IsEmpty());

  Delete("/v1/models/digits/versions/0", 400);
  EXPECT_EQ(Delete("/v1/models/digits/versions/2"), Json::object());
  EXPECT_EQ(Get("/v1/models/digits")["model"]["version"], "1");
  Delete("/v1/models/digits");
  Get("/v1/models/digits", 404);
}

TEST_F(HttpTest, TrainingComesInLinesAndLeavesAJob) {
  v1::TrainRequest start, chunk;
  *start.mutable_start() = QuickStart("sides");
  *chunk.mutable_chunk() = Chunk(0, 40);
  const auto result = client().Post(
      "/v1/train", absl::StrCat(JsonOf(start), "\n", JsonOf(chunk)), kLines);
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->status, 200) << result->body;
  const std::vector<std::string> lines = LinesOf(result->body);
  const auto first = MessageOf<v1::TrainResponse>(lines.front());
  ASSERT_TRUE(first.has_accepted());
  const auto last = MessageOf<v1::TrainResponse>(lines.back());
  ASSERT_TRUE(last.has_completed()) << lines.back();
  EXPECT_EQ(last.completed().rows(), 40);
  EXPECT_EQ(Get("/v1/models/sides")["model"]["version"], "1");

  const std::string path = "/v1/" + first.accepted().name();
  EXPECT_EQ(Get(path)["state"], "STATE_SUCCEEDED");
  EXPECT_THAT(Get("/v1/jobs?model_name=sides")["jobs"], SizeIs(1));
  EXPECT_EQ(Post(path + ":cancel")["state"], "STATE_SUCCEEDED");
  EXPECT_EQ(Post(path + ":publish", "", 400)["error"]["status"],
            "FAILED_PRECONDITION");
  const auto events = client().Get(path + "/events?from_event=2");
  ASSERT_NE(events, nullptr);
  EXPECT_EQ(events->status, 200);
  EXPECT_EQ(MessageOf<v1::JobEvent>(LinesOf(events->body).front()).number(), 2);
  EXPECT_EQ(Delete(path), Json::object());
  Get(path, 404);
  Get(path + "/events", 404);
}

TEST_F(HttpTest, ABadLineOfATrainingKeepsNothing) {
  v1::TrainRequest start;
  *start.mutable_start() = QuickStart("sides");
  const Json error = Checked(
      client().Post("/v1/train",
                    absl::StrCat(JsonOf(start), "\n{\"chunk\": 7}\n"), kLines),
      400)["error"];
  EXPECT_EQ(error["reason"], "MALFORMED_JSON");
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("line 2: "));
  Get("/v1/models/sides", 404);
}

TEST_F(HttpTest, ATrainingIsRefusedOrFailsAsACallAndCountsOnce) {
  Checked(NewClient()->Post("/v1/train", "{}", "text/plain"), 415);
  EXPECT_THAT(server().MetricsText(),
              AllOf(HasSubstr(R"(reason="WRONG_CONTENT_TYPE"} 1)"),
                    Not(HasSubstr(R"(method="Train")"))));
  Checked(NewClient()->Post("/v1/train", "no JSON\n", kLines), 400);
  EXPECT_THAT(server().MetricsText(),
              Not(HasSubstr(R"(where="http",reason="MALFORMED_JSON")")));
}

TEST_F(HttpTest, WhoGoesAwayCancels) {
  v1::TrainRequest start, chunk;
  *start.mutable_start() = EndlessStart("sides");
  *chunk.mutable_chunk() = Chunk(0, 40);
  httplib::Request request;
  request.method = "POST";
  request.path = "/v1/train";
  request.headers.emplace("Content-Type", kLines);
  request.body = absl::StrCat(JsonOf(start), "\n", JsonOf(chunk));
  request.content_receiver = [](const char*, std::size_t, std::uint64_t,
                                std::uint64_t) { return false; };
  EXPECT_EQ(NewClient()->send(request), nullptr);
  const absl::Time end = absl::Now() + absl::Seconds(30);
  Json jobs;
  do {
    absl::SleepFor(absl::Milliseconds(20));
    jobs = Get("/v1/jobs")["jobs"];
  } while (absl::Now() < end &&
           (jobs.size() != 1 || jobs[0]["state"] != "STATE_CANCELLED"));
  ASSERT_THAT(jobs, SizeIs(1));
  EXPECT_EQ(jobs[0]["state"], "STATE_CANCELLED");
}

TEST_F(HttpTest, TheOpenInferenceProtocolIsSpoken) {
  EXPECT_EQ(Get("/v2")["name"], "poe-server");
  EXPECT_EQ(Get("/v2/health/live")["live"], true);
  EXPECT_EQ(Get("/v2/health/ready")["ready"], true);
  EXPECT_EQ(Get("/v2/models/digits/ready")["ready"], true);
  EXPECT_EQ(Get("/v2/models/digits/versions/9/ready", 404)["ready"], false);
  EXPECT_EQ(Get("/v2/models/cats/ready", 404)["ready"], false);
  EXPECT_THAT(Get("/v2/models/stats")["model_stats"], SizeIs(4));
  const Json metadata = Get("/v2/models/digits/versions/1");
  EXPECT_EQ(metadata["versions"], Json({"2", "1"}));
  EXPECT_EQ(metadata["inputs"][0]["shape"], Json({-1, kDimension}));
  EXPECT_EQ(Get("/v2/models/digits/config")["input"][0]["data_type"],
            "TYPE_FP32");
  EXPECT_THAT(Post("/v2/repository/index", "{}"), SizeIs(4));
  EXPECT_EQ(Post("/v2/repository/models/density/unload"), Json::object());
  Get("/v2/models/density/ready", 404);
  EXPECT_EQ(Post("/v2/repository/models/density/load"), Json::object());
  Get("/v2/models/density/ready");
}

TEST_F(HttpTest, InferencesAreScoresToTheBit) {
  const RowMatrix<float> bits = RandomBits(3, kDimension, 5);
  const Json data(std::vector<float>(bits.data(), bits.data() + bits.size()));
  const Json asked = {{"id", "q1"},
                      {"inputs",
                       {{{"name", "x"},
                         {"shape", {3, kDimension}},
                         {"datatype", "FP32"},
                         {"data", data}}}}};
  const Json answer = Post("/v2/models/digits/versions/1/infer", asked.dump());
  EXPECT_EQ(answer["id"], "q1");
  EXPECT_EQ(answer["model_version"], "1");
  v1::ScoreRequest request = Asking("digits", 3);
  request.mutable_model()->set_version(1);
  const v1::ScoreResponse scores = Score(request);
  ASSERT_EQ(answer["outputs"][0]["name"], "log_score");
  EXPECT_EQ(answer["outputs"][0]["data"].get<std::vector<double>>(),
            Doubles(scores.log_scores()));
  ASSERT_EQ(answer["outputs"][1]["name"], "label");
  EXPECT_EQ(answer["outputs"][1]["data"][0],
            scores.class_names(scores.labels(0)));
  EXPECT_EQ(Get("/v2/models/digits/versions/1/stats")["model_stats"][0]
                                                     ["inference_count"],
            2);
}

TEST_F(HttpTest, BytesOfTensorsFollowTheJson) {
  const RowMatrix<float> bits = RandomBits(3, kDimension, 5);
  const std::string raw(reinterpret_cast<const char*>(bits.data()),
                        bits.size() * sizeof(float));
  const std::string json =
      Json({{"parameters", {{"binary_data_output", true}}},
            {"inputs",
             {{{"name", "x"},
               {"shape", {3, kDimension}},
               {"datatype", "FP32"},
               {"parameters", {{"binary_data_size", raw.size()}}}}}}})
          .dump();
  constexpr char kLength[] = "Inference-Header-Content-Length";
  const auto post = [&](const std::string& length) {
    return client().Post("/v2/models/digits/versions/1/infer",
                         {{kLength, length}}, json + raw,
                         "application/octet-stream");
  };
  const auto answer = post(absl::StrCat(json.size()));
  ASSERT_NE(answer, nullptr);
  ASSERT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(answer->get_header_value("Content-Type"),
            "application/octet-stream");
  const std::size_t length = std::stoul(answer->get_header_value(kLength));
  const Json outputs = Json::parse(answer->body.substr(0, length))["outputs"];
  v1::ScoreRequest request = Asking("digits", 3);
  request.mutable_model()->set_version(1);
  const v1::ScoreResponse scores = Score(request);
  ASSERT_EQ(outputs[0]["name"], "log_score");
  EXPECT_EQ(outputs[0]["parameters"]["binary_data_size"],
            scores.log_scores().data().size());
  EXPECT_EQ(answer->body.substr(length, scores.log_scores().data().size()),
            scores.log_scores().data());

  for (const std::string& wrong :
       {std::string("-1"), std::string("half"),
        absl::StrCat(json.size() + raw.size() + 1)}) {
    const auto refused = post(wrong);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->status, 400);
    EXPECT_THAT(refused->body, HasSubstr(kLength));
  }
}

TEST_F(HttpTest, MistakesHaveTheirStatus) {
  std::string objects = R"({"model": [{})";
  for (int n = 1; n < 65536; ++n) objects += ",{}";
  const struct {
    const char* method;
    std::string path;
    std::string body;
    const char* content_type;
    int status;
    const char* reason;
  } cases[] = {
      {"GET", "/", "", "", 404, "NO_SUCH_PATH"},
      {"GET", "/v1/score", "", "", 405, "METHOD_NOT_ALLOWED"},
      {"PATCH", "/v1/models", "", "", 405, "METHOD_NOT_ALLOWED"},
      {"OPTIONS", "/v1/score", "", "", 405, "METHOD_NOT_ALLOWED"},
      {"POST", "/v1/score", "{}", "text/plain", 415, "WRONG_CONTENT_TYPE"},
      {"POST", "/v1/score", "{}", "application/x-www-form-urlencoded", 415,
       "WRONG_CONTENT_TYPE"},
      {"POST", "/v1/score", "{}", "multipart/form-data; boundary=a", 415,
       "WRONG_CONTENT_TYPE"},
      {"POST", "/v1/train", "{}", kJson, 415, "WRONG_CONTENT_TYPE"},
      {"POST", "/v1/score", "{\"model\"", kJson, 400, "MALFORMED_JSON"},
      {"POST", "/v1/score", "[]", kJson, 400, "MALFORMED_JSON"},
      {"POST", "/v1/score", std::string(50'000, '['), kJson, 400,
       "MALFORMED_JSON"},
      {"POST", "/v1/score", "{\"cats\": 1}", kJson, 400, "MALFORMED_JSON"},
      {"POST", "/v1/score", objects + "]}", kJson, 400, "TOO_MANY_MEMBERS"},
      {"POST", "/v1/score", "{\"model\": {\"version\": 1e99}}", kJson, 400,
       "MALFORMED_JSON"},
      {"POST", "/v1/score", std::string(kMostBytes + 1, ' '), kJson, 413,
       "BODY_TOO_LARGE"},
      {"POST", "/v1/score", "{\"model\": {\"name\": \"cats\"}}", kJson, 404,
       nullptr},
      {"POST", "/v1/models/cats:load", "{\"name\": \"dogs\"}", kJson, 400,
       "CONFLICT"},
      {"GET", "/v1/models/cats", "", "", 404, nullptr},
      {"GET", "/v1/models/digits/versions/two", "", "", 400, "INVALID_VALUE"},
      {"GET", "/v1/models/digits/versions/99999999999999999999", "", "", 400,
       "INVALID_VALUE"},
      {"GET", "/v1/models?page_size=ten", "", "", 400, "INVALID_VALUE"},
      {"GET", "/v1/models?page_size=1&page_size=2", "", "", 400, "CONFLICT"},
      {"GET", "/v1/models?pages=1", "", "", 400, "UNKNOWN_PARAMETER"},
      {"GET", "/v1/models/%e2%82%ac", "", "", 400, "BAD_URL"},
      {"GET", "/v1/models/%00", "", "", 400, "BAD_URL"},
      {"GET", "/v1/models/" + std::string(3000, 'a'), "", "", 414,
       "URL_TOO_LONG"},
      {"GET", "/v20", "", "", 404, "NO_SUCH_PATH"},
  };
  for (const auto& one : cases) {
    httplib::Request request;
    request.method = one.method;
    request.path = one.path;
    request.body = one.body;
    if (*one.content_type != '\0')
      request.headers.emplace("Content-Type", one.content_type);
    const auto result = NewClient()->send(request);
    ASSERT_NE(result, nullptr) << one.method << " " << one.path;
    EXPECT_EQ(result->status, one.status)
        << one.method << " " << one.path << " " << result->body;
    const Json error = Json::parse(result->body)["error"];
    EXPECT_EQ(error["code"], one.status);
    EXPECT_FALSE(error["message"].get<std::string>().empty());
    if (one.reason != nullptr) {
      EXPECT_EQ(error["reason"], one.reason) << result->body;
    }
  }
  const std::string metrics = server().MetricsText();
  for (const auto& [reason, refusals] :
       std::map<std::string, int>{{"BODY_TOO_LARGE", 1},
                                  {"METHOD_NOT_ALLOWED", 3},
                                  {"WRONG_CONTENT_TYPE", 4},
                                  {"URL_TOO_LONG", 1}}) {
    EXPECT_THAT(metrics, HasSubstr(absl::StrCat(
                             R"(poe_refusals_total{where="http",reason=")",
                             reason, "\"} ", refusals, "\n")));
  }
}

// As Python's tritonclient.http does: it never says what type a body has.
TEST_F(HttpTest, ModelsAreLoadedAndUnloadedByBodiesWithoutAType) {
  const auto post = [&](const std::string& path, const std::string& body,
                        int status) {
    const std::string answer =
        Raw(absl::StrCat("POST ", path, " HTTP/1.1\r\nConnection: close\r\n",
                         "Content-Length: ", body.size(), "\r\n\r\n", body));
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("HTTP/1.1 ", status, " ")));
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(answer, absl::MaxSplits("\r\n\r\n", 1));
    return Json::parse(parts.second, nullptr, false);
  };
  EXPECT_THAT(post("/v2/repository/index", R"({"ready": true})", 200),
              SizeIs(4));
  EXPECT_EQ(post("/v2/repository/models/density/unload",
                 R"({"parameters": {"unload_dependents": false}})", 200),
            Json::object());
  EXPECT_THAT(post("/v2/repository/index", R"({"ready": true})", 200),
              SizeIs(3));
  EXPECT_EQ(post("/v2/repository/models/density/load", "{}", 200),
            Json::object());
  EXPECT_THAT(post("/v2/repository/index", "", 200), SizeIs(4));
  const struct {
    std::string body;
    int status;
    const char* text;
  } refused[] = {
      {R"({"parameters": {"config": "{}"}})", 400, "has \"config\""},
      {R"({"parameters": {"depth": 3}})", 400, "has \"depth\""},
      {R"({"parameters": {"a": {"bool_param": true}}})", 400,
       "is no text, whole number, true or false"},
      {R"({"parameters": [true]})", 400, "in JSON"},
      {R"({"cats": 1})", 400, "cats"},
      {"[]", 400, "in JSON"},
      {"{", 400, "no JSON"},
      {absl::StrCat(R"({"repository_name": ")", std::string(64 << 10, 'a'),
                    "\"}"),
       413, "at most 65536"},
  };
  for (const auto& one : refused) {
    const Json answer =
        post("/v2/repository/models/density/load", one.body, one.status);
    ASSERT_TRUE(answer["error"].is_string()) << answer;
    EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr(one.text));
  }
}

TEST_F(HttpTest, ErrorsOfTheOpenInferenceProtocolAreTexts) {
  const struct {
    const char* method;
    const char* path;
    std::string body;
    const char* content_type;
    int status;
    const char* text;
  } cases[] = {
      {"POST", "/v2/models/digits/infer", "{\"inputs\": 1}", kJson, 400,
       "inputs must be an array"},
      {"POST", "/v2/models/digits/infer", "{}", kJson, 400, "is missing"},
      {"POST", "/v2/models/cats/infer", "{}", kJson, 404, "cats"},
      {"POST", "/v2/models/digits/infer", "{}", "text/plain", 415,
       "must be application/json or application/octet-stream or none; it is "
       "\"text/plain\""},
      {"POST", "/v2/repository/index", "{}", "text/plain", 415,
       "must be application/json or none; it is"},
      {"POST", "/v2/models/digits/infer", std::string(kMostBytes + 1, ' '),
       kJson, 413, "--max_message_bytes"},
      {"POST", "/v2/repository/index", "{", kJson, 400, "JSON"},
      {"GET", "/v2/models/cats", "", "", 404, "cats"},
      {"GET", "/v2/cats", "", "", 404, "/openapi.json"},
      {"POST", "/v2", "", "", 405, "GET"},
  };
  for (const auto& one : cases) {
    httplib::Request request;
    request.method = one.method;
    request.path = one.path;
    request.body = one.body;
    if (*one.content_type != '\0')
      request.headers.emplace("Content-Type", one.content_type);
    const Json answer = Checked(NewClient()->send(request), one.status);
    ASSERT_EQ(answer.size(), 1u) << answer;
    ASSERT_TRUE(answer["error"].is_string()) << answer;
    EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr(one.text));
  }
}

TEST_F(HttpTest, BodiesOnTheirWayAreCounted) {
  StopServer();
  ServerOptions options;
  options.http = "localhost:0";
  options.max_message_bytes = kMostBytes;
  options.max_bytes_in_flight = kMostBytes;
  StartServer(options);
  const auto other = NewClient();
  const std::string body = "{}" + std::string(kMostBytes / 4, ' ');
  const auto load = [&] {
    return other->Post("/v1/models/digits:load", body, kJson);
  };
  const std::pair<const char*, const char*> slow[] = {
      {"/v1/score", kJson},
      {"/v1/score:stream", kLines},
      {"/v1/train", kLines},
      {"/v2/models/digits/infer", kJson}};
  for (const auto& [path, type] : slow) {
    int fd = -1;
    auto refused = load();
    // A body that comes while the slow one is being read may be taken, and the
    // slow one refused instead.
    for (auto pause = absl::Milliseconds(20);
         refused != nullptr && refused->status == 200 &&
         pause < absl::Seconds(20);
         pause *= 2) {
      if (fd >= 0) close(fd);
      fd = Send(absl::StrCat("POST ", path, " HTTP/1.1\r\nContent-Type: ", type,
                             "\r\nContent-Length: ", kMostBytes, "\r\n\r\n",
                             std::string(kMostBytes - 1024, ' ')));
      absl::SleepFor(pause);
      refused = load();
    }
    ASSERT_NE(refused, nullptr) << path;
    EXPECT_EQ(refused->status, 429) << path;
    EXPECT_EQ(refused->get_header_value("Retry-After"), "1");
    EXPECT_THAT(refused->body, HasSubstr("TOO_MANY_BYTES"));
    EXPECT_GT(Gauge("poe_http_body_bytes_in_flight"), kMostBytes / 2);
    EXPECT_GE(Gauge("poe_http_connections"), 1);
    const Json plain =
        Checked(other->Post("/v2/repository/index", body, kJson), 429);
    EXPECT_TRUE(plain["error"].is_string()) << plain;
    // Not those of gRPC.
    EXPECT_EQ(Score(Asking("digits", 100)).labels_size(), 100);
    close(fd);
    auto taken = load();
    for (const absl::Time end = absl::Now() + absl::Seconds(20);
         taken != nullptr && taken->status == 429 && absl::Now() < end;
         taken = load()) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    ASSERT_NE(taken, nullptr) << path;
    EXPECT_EQ(taken->status, 200) << path << " " << taken->body;
  }
}

TEST_F(HttpTest, ErrorsHaveTheirDetails) {
  const Json error = Post("/v1/score", R"({"model": {"name": "density"},
      "observations": {"dense": {"shape": [1, 3], "values": [1, 0, 1]}}})",
                          400)["error"];
  EXPECT_EQ(error["status"], "INVALID_ARGUMENT");
  ASSERT_THAT(error["field_violations"], SizeIs(1));
  EXPECT_THAT(error["field_violations"][0]["field"].get<std::string>(),
              HasSubstr("observations.dense"));
  const auto wrong = client().Get("/v1/models/digits:load");
  ASSERT_NE(wrong, nullptr);
  EXPECT_EQ(wrong->get_header_value("Allow"), "POST");
}

TEST_F(HttpTest, WhatIsNoHttpIsRefused) {
  const std::string score = "POST /v1/score HTTP/1.1\r\nHost: a\r\n";
  EXPECT_THAT(Raw("cats\r\n\r\n"), HasSubstr("HTTP/1.1 400 "));
  EXPECT_THAT(Raw("GET /healthz HTTP/1.1\r\nX: " + std::string(40'000, 'a')),
              HasSubstr("HTTP/1.1 431 "));
  std::string many = "GET /healthz HTTP/1.1\r\n";
  for (int n = 0; n < 4000; ++n) absl::StrAppend(&many, "X", n, ": 1\r\n");
  EXPECT_THAT(Raw(many), HasSubstr("HTTP/1.1 431 "));
  // At the edge, 16 KiB with the line before them.
  std::string most = "GET /healthz HTTP/1.1\r\nConnection: close\r\n";
  for (int n = 0; n < 4; ++n) {
    absl::StrAppend(&most, "X", n, ": ", std::string(4000, 'a'), "\r\n");
  }
  most += "Y: ";
  most.resize((16 << 10) - 4, 'a');
  EXPECT_THAT(Raw(most + "\r\n\r\n"), HasSubstr("HTTP/1.1 200 "));
  EXPECT_THAT(Raw(most + "a\r\n\r\n"), HasSubstr("HTTP/1.1 431 "));
  for (const char* headers :
       {"Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: two\r\n", "Content-Length: -2\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked\r\n"}) {
    const std::string answer = Raw(absl::StrCat(score, headers, "\r\n{}"));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400 ")) << headers;
    EXPECT_THAT(answer, HasSubstr("Connection: close")) << headers;
  }
  EXPECT_THAT(Raw(absl::StrCat(score, "Content-Type: application/json\r\n",
                               "Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
              HasSubstr("HTTP/1.1 400 "));
  EXPECT_THAT(Raw("POST /v1/models/digits:unload HTTP/1.1\r\n"
                  "Origin: http://example.org\r\n\r\n"),
              HasSubstr("HTTP/1.1 403 "));
}

TEST_F(HttpTest, ABodyIsNeverTakenForARequest) {
  const std::string hidden = "GET /healthz HTTP/1.1\r\n\r\n";
  const std::string answer = Raw(
      absl::StrCat("GET /readyz HTTP/1.1\r\nContent-Length: ", hidden.size(),
                   "\r\n\r\n", hidden));
  EXPECT_THAT(answer, HasSubstr("\"SERVING\""));
  EXPECT_FALSE(absl::StrContains(answer, "ALIVE"));
}

TEST_F(HttpTest, RequestsFollowOnOneConnection) {
  const std::string answer =
      Raw("GET /healthz HTTP/1.1\r\n\r\n"
          "POST /v1/models/digits:load HTTP/1.1\r\n\r\n"
          "GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\"ALIVE\""));
  EXPECT_THAT(answer, HasSubstr("\"digits\""));
  EXPECT_THAT(answer, HasSubstr("\"SERVING\""));
}

TEST_F(HttpTest, BodiesMayBeChunkedAndCompressed) {
  client().set_compress(true);
  const v1::ScoreRequest request = Asking("digits", 7);
  const auto compressed = client().Post("/v1/score", JsonOf(request), kJson);
  ASSERT_NE(compressed, nullptr);
  EXPECT_EQ(compressed->status, 200) << compressed->body;
  // Small on the way, and large when it has come.
  Checked(client().Post("/v1/score", std::string(4 * kMostBytes, ' '), kJson),
          413);
  client().set_compress(false);
  const std::string json = JsonOf(request);
  const auto chunked = client().Post(
      "/v1/score",
      [&json](std::size_t, httplib::DataSink& sink) {
        sink.write(json.data(), json.size());
        sink.done();
        return true;
      },
      kJson);
  ASSERT_NE(chunked, nullptr);
  EXPECT_EQ(chunked->body, compressed->body);
}

TEST_F(HttpTest, AnswersAreWholeWhateverPartIsAskedFor) {
  const auto result = client().Get(
      "/openapi.json",
      {{"Range", "bytes=0-1,0-1,0-1"}, {"Accept-Encoding", "br, gzip"}});
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->status, 200);
  EXPECT_FALSE(result->has_header("Content-Encoding"));
  EXPECT_EQ(Json::parse(result->body)["openapi"], "3.0.3");
}

TEST_F(HttpTest, OneClientDoesNotTakeAllConnections) {
  StopServer();
  ServerOptions options;
  options.http = "localhost:0";
  options.http_connections_per_client = 1;
  StartServer(options);
  v1::TrainRequest start, chunk;
  *start.mutable_start() = EndlessStart("sides");
  *chunk.mutable_chunk() = Chunk(0, 40);
  httplib::Request request;
  request.method = "POST";
  request.path = "/v1/train";
  request.headers.emplace("Content-Type", kLines);
  request.body = absl::StrCat(JsonOf(start), "\n", JsonOf(chunk));
  absl::Notification begun, refused;
  request.content_receiver = [&](const char*, std::size_t, std::uint64_t,
                                 std::uint64_t) {
    if (!begun.HasBeenNotified()) begun.Notify();
    return !refused.HasBeenNotified();
  };
  std::thread training([&, client = NewClient()] { client->send(request); });
  EXPECT_TRUE(begun.WaitForNotificationWithTimeout(absl::Seconds(30)));
  const std::string answer = Raw("");
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("TOO_MANY_CONNECTIONS"));
  EXPECT_THAT(server().MetricsText(),
              HasSubstr(R"(poe_refusals_total{where="http",)"
                        R"(reason="TOO_MANY_CONNECTIONS"} 1)"));
  refused.Notify();
  training.join();
  // Its place is free once the server has noticed.
  const absl::Time end = absl::Now() + absl::Seconds(30);
  bool answered = false;
  while (!answered && absl::Now() < end) {
    const auto result = NewClient()->Get("/healthz");
    answered = result != nullptr && result->status == 200;
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(answered);
}

TEST_F(HttpTest, DrainingFinishesWhatRuns) {
  EXPECT_EQ(Get("/healthz")["status"], "ALIVE");
  EXPECT_EQ(Get("/readyz")["status"], "SERVING");
  httplib::Request request;
  request.method = "POST";
  request.path = "/v1/sample";
  request.headers.emplace("Content-Type", kJson);
  request.body =
      R"({"model": {"name": "density"}, "steps": 50000, "thinning": 1000})";
  absl::Notification begun;
  std::string lines;
  request.content_receiver = [&](const char* data, std::size_t size,
                                 std::uint64_t, std::uint64_t) {
    lines.append(data, size);
    if (!begun.HasBeenNotified()) begun.Notify();
    return true;
  };
  std::thread sampling([&, client = NewClient()] {
    const auto result = client->send(request);
    ASSERT_NE(result, nullptr);
    EXPECT_EQ(result->status, 200);
  });
  EXPECT_TRUE(begun.WaitForNotificationWithTimeout(absl::Seconds(30)));
  server().Drain(absl::Seconds(30));
  sampling.join();
  EXPECT_THAT(LinesOf(lines), SizeIs(50));
  EXPECT_EQ(NewClient()->Get("/healthz"), nullptr);
}

TEST_F(HttpTest, DrainingDoesNotWaitForIdleConnections) {
  Get("/healthz");
  const absl::Time start = absl::Now();
  server().Drain(absl::Seconds(30));
  EXPECT_LT(absl::Now() - start, absl::Seconds(4));
}

class SecureHttpTest : public ServingTest {
 protected:
  SecureHttpTest() {
    WriteTestFile(folder() / "ca.pem", authority_.certificate());
    const Identity identity = authority_.Issue();
    WriteTestFile(folder() / "server.pem", identity.certificate);
    WriteTestFile(folder() / "server.key", identity.key);
    WriteTestFile(folder() / "client.pem", identity.certificate);
    WriteTestFile(folder() / "client.key", identity.key);
    WriteTestFile(folder() / "tokens",
                  absl::StrCat("score s sha256:", Sha256("score-token"),
                               "\nadmin a sha256:", Sha256("admin-token")));
  }

  std::string File(const std::string& name) const {
    return (folder() / name).string();
  }
  ServerOptions WithTls() const {
    ServerOptions options;
    options.http = "localhost:0";
    options.tls = {.certificate = File("server.pem"),
                   .key = File("server.key")};
    return options;
  }
  int StatusOf(httplib::SSLClient& client) const {
    client.set_ca_cert_path(File("ca.pem").c_str());
    const auto result = client.Get("/healthz");
    return result == nullptr ? 0 : result->status;
  }

  const CertificateAuthority authority_;
};

TEST_F(SecureHttpTest, TokensHaveTheirRoles) {
  ServerOptions options;
  options.http = "localhost:0";
  options.tokens = File("tokens");
  StartServer(options);
  httplib::Client client("127.0.0.1", server().http_port());
  const auto status = [&client](const char* method, const char* path,
                                const char* authorization) {
    httplib::Request request;
    request.method = method;
    request.path = path;
    if (*authorization != '\0')
      request.headers.emplace("Authorization", authorization);
    const auto result = client.send(request);
    return result == nullptr ? 0 : result->status;
  };
  constexpr char kScore[] = "Bearer score-token";
  constexpr char kAdmin[] = "Bearer admin-token";
  for (const char* path : {"/healthz", "/readyz", "/openapi.json"})
    EXPECT_EQ(status("GET", path, ""), 200) << path;
  EXPECT_EQ(status("GET", "/v1/models", ""), 401);
  EXPECT_EQ(status("GET", "/v1/models", "score-token"), 401);
  EXPECT_EQ(status("GET", "/v1/models", "Bearer wrong"), 401);
  EXPECT_EQ(status("GET", "/v1/models", kScore), 200);
  EXPECT_EQ(status("DELETE", "/v1/models/cats", kScore), 403);
  EXPECT_EQ(status("GET", "/v1/jobs", kScore), 403);
  EXPECT_EQ(status("DELETE", "/v1/models/cats", kAdmin), 404);
  EXPECT_EQ(status("GET", "/v2", kAdmin), 200);
  constexpr char kWhole[] = "/v1/models/cats?include_parameters=true";
  EXPECT_EQ(status("GET", "/v1/models/cats", kScore), 404);
  EXPECT_EQ(status("GET", kWhole, kScore), 403);
  EXPECT_EQ(status("GET", kWhole, kAdmin), 404);
  const auto refused = client.Get("/v1/models");
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->get_header_value("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(Json::parse(refused->body)["error"]["reason"], "TOKEN_MISSING");
}

TEST_F(SecureHttpTest, TlsIsSpokenWhereGrpcSpeaksIt) {
  ServerOptions options = WithTls();
  options.repository = repository();
  options.listen = "localhost:0";
  const auto started = Server::Start(options);
  ASSERT_TRUE(started.ok()) << started.status();
  const int port = (*started)->http_port();
  httplib::SSLClient client("localhost", port);
  EXPECT_EQ(StatusOf(client), 200);
  EXPECT_EQ(httplib::Client("127.0.0.1", port).Get("/healthz"), nullptr);

  // New connections show what the files hold by then.
  const CertificateAuthority next;
  const Identity identity = next.Issue();
  WriteTestFile(folder() / "server.key", identity.key);
  WriteTestFile(folder() / "server.pem", identity.certificate);
  httplib::SSLClient late("localhost", port);
  EXPECT_EQ(StatusOf(late), 0);
  WriteTestFile(folder() / "ca.pem", next.certificate());
  httplib::SSLClient trusting("localhost", port);
  EXPECT_EQ(StatusOf(trusting), 200);
}

TEST_F(SecureHttpTest, ClientsMustShowACertificateWhereOneIsAskedFor) {
  ServerOptions options = WithTls();
  options.tls.client_ca = File("ca.pem");
  options.repository = repository();
  options.listen = "localhost:0";
  const auto started = Server::Start(options);
  ASSERT_TRUE(started.ok()) << started.status();
  const int port = (*started)->http_port();
  httplib::SSLClient unknown("localhost", port);
  EXPECT_EQ(StatusOf(unknown), 0);
  httplib::SSLClient known("localhost", port, File("client.pem"),
                           File("client.key"));
  EXPECT_EQ(StatusOf(known), 200);
}

TEST_F(SecureHttpTest, BadAddressesKeepItFromStarting) {
  ServerOptions options;
  options.repository = repository();
  options.listen = "localhost:0";
  options.http = "0.0.0.0:0";
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("--http localhost:0"));
  options.http = "localhost";
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("http: cannot listen on"));
  options.http = "localhost:0";
  const auto first = Server::Start(options);
  ASSERT_TRUE(first.ok());
  EXPECT_NE((*first)->http_port(), 0);
  options.repository = (folder() / "other").string();
  options.http = absl::StrCat("localhost:", (*first)->http_port());
  EXPECT_EQ(Server::Start(options).status().code(),
            absl::StatusCode::kUnavailable);
}

// Tells what metadata a call has brought, and then that the server is full.
class TracedRegistry final : public v1::ModelRegistry::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest*,
                                       v1::ListModelsResponse*) override {
    {
      absl::MutexLock lock(&mutex_);
      for (const auto& [key, value] : context->client_metadata()) {
        metadata_[std::string(key.data(), key.size())] =
            std::string(value.data(), value.size());
      }
    }
    auto* reactor = context->DefaultReactor();
    google::rpc::Status details;
    details.set_code(grpc::RESOURCE_EXHAUSTED);
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(2);
    retry.mutable_retry_delay()->set_nanos(1);
    details.add_details()->PackFrom(retry);
    reactor->Finish(grpc::Status(grpc::RESOURCE_EXHAUSTED, "full",
                                 details.SerializeAsString()));
    return reactor;
  }
  std::map<std::string, std::string> metadata() {
    absl::MutexLock lock(&mutex_);
    return metadata_;
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::string> metadata_;
};

TEST(HttpGatewayTest, PassesTokensOnSoThatTheLogCanNameThem) {
  const std::string file = ::testing::TempDir() + "/poe_gateway_tokens";
  WriteTestFile(file, absl::StrCat("score alice sha256:", Sha256("a"), "\n"));
  auto access = Access::Open(file);
  ASSERT_TRUE(access.ok()) << access.status();
  TracedRegistry registry;
  grpc::ServerBuilder builder;
  builder.RegisterService(&registry);
  const std::unique_ptr<grpc::Server> services = builder.BuildAndStart();
  HttpGateway gateway({.channel = services->InProcessChannel({}),
                       .access = *std::move(access),
                       .refusals = std::make_shared<Refusals>(),
                       .tls = {},
                       .max_body_bytes = kMostBytes});
  const auto port = gateway.Listen({.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(port.ok()) << port.status();
  httplib::Client client("127.0.0.1", *port);
  const auto full = client.Get("/v1/models", {{"Authorization", "Bearer a"}});
  ASSERT_NE(full, nullptr);
  EXPECT_EQ(full->status, 429);
  EXPECT_EQ(registry.metadata().at("authorization"), "Bearer a");
}

TEST(HttpGatewayTest, PassesTracesOnAndSaysWhenToComeAgain) {
  TracedRegistry registry;
  grpc::ServerBuilder builder;
  builder.RegisterService(&registry);
  const std::unique_ptr<grpc::Server> services = builder.BuildAndStart();
  HttpGateway gateway({.channel = services->InProcessChannel({}),
                       .access = nullptr,
                       .refusals = std::make_shared<Refusals>(),
                       .tls = {},
                       .max_body_bytes = kMostBytes});
  gateway.AddText("/metrics", "text/plain; version=0.0.4",
                  [] { return "cats 9\n"; });
  const auto port = gateway.Listen({.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(port.ok()) << port.status();
  httplib::Client client("127.0.0.1", *port);
  const auto full = client.Get(
      "/v1/models",
      {{"traceparent", "00-ab-cd-01"}, {"X-Request-Id", "first%0Asecond"}});
  ASSERT_NE(full, nullptr);
  EXPECT_EQ(full->status, 429);
  EXPECT_EQ(full->get_header_value("Retry-After"), "3");
  EXPECT_EQ(registry.metadata().at("traceparent"), "00-ab-cd-01");
  EXPECT_FALSE(registry.metadata().contains("x-request-id"));

  const auto metrics = client.Get("/metrics");
  ASSERT_NE(metrics, nullptr);
  EXPECT_EQ(metrics->status, 200);
  EXPECT_EQ(metrics->body, "cats 9\n");
  EXPECT_EQ(metrics->get_header_value("Content-Type"),
            "text/plain; version=0.0.4");
  const auto posted = client.Post("/metrics");
  ASSERT_NE(posted, nullptr);
  EXPECT_EQ(posted->status, 405);
}

}  // namespace
}  // namespace poe::server
