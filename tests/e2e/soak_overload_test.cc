// Twice the calls that a server can answer.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_metrics.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

constexpr std::int64_t kHeavyDimension = 256;

v1::Observations GreyRows(std::int64_t rows) {
  std::mt19937 random(7);
  std::vector<std::uint8_t> values(rows * kHeavyDimension);
  for (std::uint8_t& value : values) {
    value = static_cast<std::uint8_t>(random() % 2 * 255);
  }
  return client::MakeObservations(values, kHeavyDimension);
}

// Of so many parameters that the server computes for milliseconds where the
// client, on the same processors, writes a few kilobytes: what both do for a
// call that is refused must not count.
v1::TrainStart HeavyModel() {
  v1::TrainStart start;
  start.set_model_name("heavy");
  start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  start.mutable_data_spec()->set_dimension(kHeavyDimension);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(16384);
  group.mutable_bernoulli_units();
  start.add_stages()->mutable_contrastive_divergence()->set_updates(1);
  start.set_seed(3);
  return start;
}

v1::ScoreRequest HeavyCall() {
  v1::ScoreRequest request;
  request.mutable_model()->set_name("heavy");
  *request.mutable_observations() = GreyRows(64);
  return request;
}

// Calls that are sent whether those before them have been answered or not.
class OpenLoop {
 public:
  struct Outcome {
    std::int64_t refused = 0, expired = 0, failed = 0;
    std::vector<double> times;  // of the calls that were answered, ms
  };

  OpenLoop(const std::string& address, v1::ScoreRequest request)
      : stub_(v1::ProductOfExperts::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        request_(std::move(request)) {}
  ~OpenLoop() { Await(); }

  void Send(absl::Duration timeout) {
    {
      absl::MutexLock lock(&mutex_);
      ++running_;
    }
    const auto call = std::make_shared<Call>();
    call->begin = absl::Now();
    call->context.set_deadline(absl::ToChronoTime(call->begin + timeout));
    stub_->async()->Score(&call->context, &request_, &call->response,
                          [this, call](const grpc::Status& status) {
                            End(status, absl::Now() - call->begin);
                          });
  }

  // When all calls have ended.
  Outcome Await() {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return running_ == 0;
    };
    mutex_.Await(absl::Condition(&ended));
    return outcome_;
  }

 private:
  struct Call {
    absl::Time begin;
    grpc::ClientContext context;
    v1::ScoreResponse response;
  };

  void End(const grpc::Status& status, absl::Duration took) {
    absl::MutexLock lock(&mutex_);
    --running_;
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
        outcome_.times.push_back(absl::ToDoubleMilliseconds(took));
        break;
      case grpc::StatusCode::RESOURCE_EXHAUSTED:
        ++outcome_.refused;
        break;
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        ++outcome_.expired;
        break;
      default:
        ++outcome_.failed;
    }
  }

  const std::unique_ptr<v1::ProductOfExperts::Stub> stub_;
  const v1::ScoreRequest request_;
  absl::Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  Outcome outcome_ ABSL_GUARDED_BY(mutex_);
};

constexpr absl::Duration kPatience = absl::Seconds(1);
// Less than the line takes: these calls expire in it.
constexpr absl::Duration kHaste = absl::Milliseconds(5);

// So many calls in a second that are patient, and a tenth more that are not.
void Offer(OpenLoop& loop, double rate, absl::Duration window) {
  const absl::Time begin = absl::Now();
  std::int64_t sent = 0;
  for (absl::Time now = begin; now < begin + window; now = absl::Now()) {
    const auto due =
        static_cast<std::int64_t>(rate * absl::ToDoubleSeconds(now - begin));
    for (; sent < due; ++sent) {
      loop.Send(kPatience);
      if (sent % 10 == 0) loop.Send(kHaste);
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
}

// What the server has counted of scores since it started.
struct Counted {
  explicit Counted(const SoakMetrics& metrics) {
    const auto sum = [&](const std::string& figure, const std::string& code) {
      return metrics.Sum(figure, {R"(method="Score")", R"(model="heavy")",
                                  absl::StrCat("code=\"", code, "\"")});
    };
    const std::string seconds = "poe_request_compute_seconds";
    answered = sum(seconds + "_count", "OK");
    answering = sum(seconds + "_sum", "OK");
    for (const char* code : {"DEADLINE_EXCEEDED", "CANCELLED"}) {
      expired += sum(seconds + "_count", code);
      expiring += sum(seconds + "_sum", code);
    }
  }

  double answered, answering;  // calls, and s they were worked on
  double expired = 0, expiring = 0;
};

TEST_F(SoakTest, TwiceTheLoadLeavesTheServerAsGoodAsItWas) {
  // A line that takes less time than patient callers wait.
  StartServer("models", {kHttpFlag, "--queue_calls=32", "--batch_rows=256"});
  ASSERT_FALSE(HasFatalFailure());
  const SoakMetrics metrics(*server_);
  const auto trained =
      client_->TrainAll(HeavyModel(), GreyRows(50), {}, Ignore);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const auto connect = [this] { return *client::Client::Connect(address_); };
  const auto seconds = [](double in_short, double in_long) {
    return absl::Seconds(IsLongForm() ? in_long : in_short);
  };
  // The 99th percentile of calls that do not wait for others.
  const auto calm = [&] {
    Load callers(2, connect, HeavyCall());
    return callers.Measure([&] { absl::SleepFor(seconds(0.2, 3)); });
  };

  const double before = calm();
  double greatest = 0;
  {
    Load callers(16, connect, HeavyCall());
    absl::SleepFor(seconds(0.1, 1));
    const std::int64_t already = callers.answered();
    const absl::Time begin = absl::Now();
    absl::SleepFor(seconds(0.3, 5));
    greatest = static_cast<double>(callers.answered() - already) /
               absl::ToDoubleSeconds(absl::Now() - begin);
    EXPECT_EQ(callers.failed(), 0);
  }

  const Counted first(metrics);
  OpenLoop loop(address_, HeavyCall());
  const absl::Time begin = absl::Now();
  Offer(loop, 2 * greatest, seconds(1.5, 60));
  const absl::Time end = absl::Now();
  const OpenLoop::Outcome outcome = loop.Await();
  const double took = absl::ToDoubleSeconds(absl::Now() - begin);
  const Counted last(metrics);
  absl::SleepFor(end + seconds(0.2, 1) - absl::Now());
  const double after = calm();

  const double answered =
      std::max<double>(1, static_cast<double>(outcome.times.size()));
  Report("twice the load: greatest calls/s", greatest, "", true, false);
  Report("twice the load: calls refused", static_cast<double>(outcome.refused),
         "", true, false);
  Report("twice the load: calls that expired",
         static_cast<double>(outcome.expired), "", true, false);
  Report("twice the load: calls that failed otherwise",
         static_cast<double>(outcome.failed), "0", outcome.failed == 0, true);
  const double goodput = answered / took / greatest;
  Report("twice the load: calls/s to the greatest", goodput, "at least 0.9",
         goodput >= 0.9, IsLongForm());
  const double slow = Percentile99(outcome.times);
  const double most = absl::ToDoubleMilliseconds(kPatience) / 2;
  Report("twice the load: p99 of answered calls, ms", slow,
         absl::StrCat("at most ", most), slow <= most, IsLongForm());
  // Work in vain shows in two ways: the server counts as answered what came too
  // late for its client, and takes as long over what it ends as expired.
  const double late = (last.answered - first.answered - answered) / answered;
  Report("twice the load: share answered too late", late, "at most 0.01",
         late <= 0.01, IsLongForm());
  const double per_answer = (last.answering - first.answering) /
                            std::max(1.0, last.answered - first.answered);
  const double per_expired = (last.expiring - first.expiring) /
                             std::max(1.0, last.expired - first.expired);
  Report("twice the load: s of work on an answered call", per_answer, "", true,
         false);
  Report("twice the load: s of work on an expired call", per_expired,
         "at most a tenth", per_expired <= per_answer / 10, IsLongForm());
  Report("twice the load: p99 a second later to before", after / before,
         "at most 2", after <= 2 * before, IsLongForm());
}

}  // namespace
}  // namespace poe::server
