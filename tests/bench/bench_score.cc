// Score calls to the real server: against health checks, which are what gRPC
// alone costs, against the core called in process, and in batches against each
// by itself. Client and server share the machine.

#include <time.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "google/protobuf/message_lite.h"
#include "grpc/health/v1/health.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "poe/numerics/random.h"
#include "poe/scoring.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/model_codec.h"
#include "tests/bench/load_generator.h"
#include "tests/bench/medians.h"
#include "tests/bench/server_process.h"

ABSL_FLAG(std::string, server_binary, "", "Path of poe-server. Required.");
ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(int, repetitions, 11, "Runs of each benchmark, at least 2.");
ABSL_FLAG(double, seconds, 1, "Length of a run.");
ABSL_FLAG(int, in_flight, 16, "Calls in flight in closed loops.");
ABSL_FLAG(int, clients, 64, "Clients whose rows are answered in batches.");
ABSL_FLAG(double, rate, 4000, "Calls a second in the open loop.");

namespace poe::bench {
namespace {

constexpr int kValues = 256, kClasses = 2, kExperts = 100;
constexpr int kTrainingRows = 2000, kBatchRows = 1000;
// Enough to keep the server at work while a response travels.
constexpr int kBatchesInFlight = 4;
constexpr char kModel[] = "bench";
// Too many parameters for a processor's own caches.
constexpr int kLargeValues = 784, kLargeExperts = 500;
constexpr char kLargeModel[] = "large";

void CheckOk(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(EXIT_FAILURE);
}

// Images with values in [0, 1]; those of class 1 are brighter.
std::vector<float> MakeRows(int rows, int columns = kValues) {
  std::vector<float> values(static_cast<std::size_t>(rows) * columns);
  std::vector<std::uint32_t> bits(columns);
  for (int n = 0; n < rows; ++n) {
    FillBits({1, Purpose::kTest}, n, absl::MakeSpan(bits));
    const double gain = n % kClasses == 0 ? 0.5 : 1;
    for (int i = 0; i < columns; ++i) {
      values[n * columns + i] =
          static_cast<float>(gain * bits[i] / 4294967296.0);
    }
  }
  return values;
}

// Trains kModel: two classes with a hundred experts each, and everything that
// belongs to a model.
void Train(client::Client& client) {
  v1::TrainStart start;
  start.set_model_name(kModel);
  for (int c = 0; c < kClasses; ++c) {
    start.add_class_names(absl::StrCat("class ", c));
  }
  start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  start.mutable_data_spec()->set_dimension(kValues);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(kExperts);
  group.mutable_bernoulli_units();
  start.add_stages()->mutable_contrastive_divergence()->set_epochs(2);
  start.add_stages()->mutable_separator();
  start.add_stages()->mutable_calibration();
  start.set_held_out_share(0.2);
  start.set_seed(1);
  std::vector<std::int32_t> labels(kTrainingRows);
  for (int n = 0; n < kTrainingRows; ++n) labels[n] = n % kClasses;
  CheckOk(
      client
          .TrainAll(
              start, client::MakeObservations(MakeRows(kTrainingRows), kValues),
              labels, [](const v1::TrainResponse&) { return absl::OkStatus(); })
          .status());
}

// Trains kLargeModel: one class.
void TrainLarge(client::Client& client) {
  v1::TrainStart start;
  start.set_model_name(kLargeModel);
  start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  start.mutable_data_spec()->set_dimension(kLargeValues);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(kLargeExperts);
  group.mutable_bernoulli_units();
  start.add_stages()->mutable_contrastive_divergence()->set_epochs(1);
  start.set_seed(1);
  CheckOk(client
              .TrainAll(
                  start,
                  client::MakeObservations(
                      MakeRows(kTrainingRows, kLargeValues), kLargeValues),
                  {}, [](const v1::TrainResponse&) { return absl::OkStatus(); })
              .status());
}

Model Fetch(client::Client& client) {
  v1::GetModelRequest request;
  request.mutable_model()->set_name(kModel);
  request.set_include_parameters(true);
  const auto response = client.GetModel(request);
  CheckOk(response.status());
  absl::StatusOr<Model> model = server::DecodeModel(response->parameters());
  CheckOk(model.status());
  return *std::move(model);
}

v1::ScoreRequest ScoreRequestFor(int rows) {
  v1::ScoreRequest request;
  request.mutable_model()->set_name(kModel);
  *request.mutable_observations() =
      client::MakeObservations(MakeRows(rows), kValues);
  return request;
}

// One row for kLargeModel.
v1::ScoreRequest LargeScoreRequest() {
  v1::ScoreRequest request;
  request.mutable_model()->set_name(kLargeModel);
  *request.mutable_observations() =
      client::MakeObservations(MakeRows(1, kLargeValues), kLargeValues);
  return request;
}

// The request as bytes: what a client spends on messages is not the server's
// affair, and is the same for all methods this way.
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& request) {
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

AsyncCall MakeCall(grpc::GenericStub& stub, const std::string& method,
                   const grpc::ByteBuffer& request) {
  return [&stub, method, &request](std::function<void(grpc::Status)> done) {
    struct Exchange {
      grpc::ClientContext context;
      grpc::ByteBuffer response;
      std::function<void(grpc::Status)> done;
    };
    auto* exchange = new Exchange;
    exchange->done = std::move(done);
    stub.UnaryCall(&exchange->context, method, {}, &request,
                   &exchange->response, [exchange](grpc::Status status) {
                     const std::unique_ptr<Exchange> owner(exchange);
                     exchange->done(std::move(status));
                   });
  };
}

// Processor time of this program so far.
absl::Duration CpuTime() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

// Registers a benchmark that is one run of a load on the server.
void RegisterLoad(const std::string& name, const ServerProcess& server,
                  int rows, std::function<LoadReport()> load) {
  benchmark::RegisterBenchmark(
      name.c_str(),
      [&server, rows, load = std::move(load)](benchmark::State& state) {
        for (auto _ : state) {
          const absl::Duration server_before = server.CpuTime();
          const absl::Duration client_before = CpuTime();
          const LoadReport report = load();
          const absl::Duration server_time = server.CpuTime() - server_before;
          const absl::Duration client_time = CpuTime() - client_before;
          if (!report.error.empty()) {
            state.SkipWithError(report.error.c_str());
            return;
          }
          state.SetIterationTime(report.seconds);
          state.counters["rows/s"] = rows * report.calls_per_second();
          const auto calls = static_cast<double>(report.latencies.size());
          state.counters["server_us"] =
              absl::ToDoubleMicroseconds(server_time) / calls;
          state.counters["client_us"] =
              absl::ToDoubleMicroseconds(client_time) / calls;
          state.counters["p50_us"] = 1e6 * report.Quantile(0.5);
          state.counters["p90_us"] = 1e6 * report.Quantile(0.9);
          state.counters["p99_us"] = 1e6 * report.Quantile(0.99);
          state.counters["p999_us"] = 1e6 * report.Quantile(0.999);
        }
      })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kSecond);
}

// The same rows scored by the core, on as many threads as the server has.
void RegisterCore(const Model& model, const std::vector<float>& values,
                  const Workers& workers, absl::Duration window) {
  benchmark::RegisterBenchmark(
      "core_1000_rows",
      [&model, &values, &workers, window](benchmark::State& state) {
        RawRows rows;
        new (&rows.values) Eigen::Map<const RowMatrix<float>>(
            values.data(), kBatchRows, kValues);
        for (auto _ : state) {
          const absl::Time start = absl::Now();
          std::int64_t scored = 0;
          while (absl::Now() < start + window) {
            CheckOk(ValidateRows(model.data_spec, rows));
            CheckOk(Score(model, rows, {}, workers, NeverInterrupt).status());
            scored += kBatchRows;
          }
          const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
          state.SetIterationTime(seconds);
          state.counters["rows/s"] = static_cast<double>(scored) / seconds;
        }
      })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kSecond);
}

void Run() {
  const ServerProcess server(absl::GetFlag(FLAGS_server_binary));
  const auto channel =
      grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials());
  client::Client client(channel);
  Train(client);
  const Model model = Fetch(client);
  TrainLarge(client);
  const ServerProcess unbatched(absl::GetFlag(FLAGS_server_binary),
                                {"--batch_rows=1"});
  const auto unbatched_channel = grpc::CreateChannel(
      unbatched.address(), grpc::InsecureChannelCredentials());
  client::Client unbatched_client(unbatched_channel);
  TrainLarge(unbatched_client);

  grpc::GenericStub stub(channel);
  const grpc::ByteBuffer check =
      Serialize(grpc::health::v1::HealthCheckRequest());
  const grpc::ByteBuffer one = Serialize(ScoreRequestFor(1));
  const grpc::ByteBuffer thousand = Serialize(ScoreRequestFor(kBatchRows));
  constexpr char kScore[] = "/poe.v1.ProductOfExperts/Score";
  const AsyncCall call_check =
      MakeCall(stub, "/grpc.health.v1.Health/Check", check);
  const AsyncCall call_one = MakeCall(stub, kScore, one);
  const AsyncCall call_thousand = MakeCall(stub, kScore, thousand);
  grpc::GenericStub unbatched_stub(unbatched_channel);
  const grpc::ByteBuffer large = Serialize(LargeScoreRequest());
  const AsyncCall call_batched = MakeCall(stub, kScore, large);
  const AsyncCall call_unbatched = MakeCall(unbatched_stub, kScore, large);

  const int in_flight = absl::GetFlag(FLAGS_in_flight);
  const double rate = absl::GetFlag(FLAGS_rate);
  const absl::Duration window = absl::Seconds(absl::GetFlag(FLAGS_seconds));
  const auto closed = [&](const AsyncCall& call, int calls) {
    return
        [&call, calls, window] { return RunClosedLoop(call, calls, window); };
  };
  const auto open = [&](const AsyncCall& call) {
    return [&call, rate, window] { return RunOpenLoop(call, rate, window); };
  };
  RegisterLoad("health", server, 1, closed(call_check, in_flight));
  RegisterLoad("score", server, 1, closed(call_one, in_flight));
  RegisterLoad("health_alone", server, 1, closed(call_check, 1));
  RegisterLoad("score_alone", server, 1, closed(call_one, 1));
  RegisterLoad("health_open_loop", server, 1, open(call_check));
  RegisterLoad("score_open_loop", server, 1, open(call_one));
  RegisterLoad("score_1000_rows", server, kBatchRows,
               closed(call_thousand, kBatchesInFlight));
  const int clients = absl::GetFlag(FLAGS_clients);
  RegisterLoad("batched", server, 1, closed(call_batched, clients));
  RegisterLoad("unbatched", unbatched, 1, closed(call_unbatched, clients));
  const std::vector<float> rows = MakeRows(kBatchRows);
  const Workers workers(static_cast<int>(std::thread::hardware_concurrency()));
  RegisterCore(model, rows, workers, window);

  const Medians medians = RunAll(absl::GetFlag(FLAGS_repetitions));
  const auto rate_of = [&](const std::string& name) {
    return medians.at(name).at("rows/s");
  };
  const double to_health = rate_of("score") / rate_of("health");
  const double to_core = rate_of("score_1000_rows") / rate_of("core_1000_rows");
  std::cout << absl::StrFormat(
      "\nScore of one row of %d values, %d classes of %d experts, %d in "
      "flight: %.0f calls/s\n"
      "Health/Check of the same server: %.0f calls/s\n"
      "ratio: %.2f (bar: 0.80)\n"
      "\nScore of %d rows a call: %.0f rows/s\n"
      "the core in process: %.0f rows/s\n"
      "ratio: %.2f (bar: 0.50)\n",
      kValues, kClasses, kExperts, in_flight, rate_of("score"),
      rate_of("health"), to_health, kBatchRows, rate_of("score_1000_rows"),
      rate_of("core_1000_rows"), to_core);
  const double to_unbatched = rate_of("batched") / rate_of("unbatched");
  std::cout << absl::StrFormat(
      "\nScore of one row of %d values, one class of %d experts, %d clients: "
      "%.0f calls/s\n"
      "each call by itself: %.0f calls/s\n"
      "ratio: %.2f\n",
      kLargeValues, kLargeExperts, clients, rate_of("batched"),
      rate_of("unbatched"), to_unbatched);
  std::cout << "\nServer and client: processor time of each.\n"
            << absl::StrFormat("%-17s %9s %8s %8s %8s %8s %9s %9s\n", "",
                               "calls/s", "p50 us", "p90 us", "p99 us",
                               "p99.9 us", "server us", "client us");
  for (const char* name :
       {"health_alone", "score_alone", "health", "score", "health_open_loop",
        "score_open_loop", "batched", "unbatched"}) {
    const auto& counters = medians.at(name);
    std::cout << absl::StrFormat(
        "%-17s %9.0f %8.0f %8.0f %8.0f %8.0f %9.1f %9.1f\n", name,
        counters.at("rows/s"), counters.at("p50_us"), counters.at("p90_us"),
        counters.at("p99_us"), counters.at("p999_us"), counters.at("server_us"),
        counters.at("client_us"));
  }
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty()) {
    WriteJson(json, medians,
              {{"score_to_health", to_health},
               {"score_1000_rows_to_core", to_core},
               {"batched_to_unbatched", to_unbatched}});
  }
}

}  // namespace
}  // namespace poe::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  poe::bench::Run();
}
