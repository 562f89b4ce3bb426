// Clients that ask nothing, do not read, or vanish.

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/program.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_metrics.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

// For this process, and those that it starts from now on. False if so many are
// not allowed.
bool AllowOpenFiles(rlim_t files) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= files) return true;
  if (limit.rlim_max < files) return false;
  limit.rlim_cur = files;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

TEST_F(SoakTest, IdleConnectionsStayAndAreNotNoticed) {
  const int connections = IsLongForm() ? 1000 : 100;
  // The server keeps a quarter from connections.
  if (!AllowOpenFiles(2 * connections)) {
    GTEST_SKIP() << connections << " connections are more files than allowed";
  }
  // No name that each connection would look up.
  address_ = "127.0.0.1:0";
  StartServer("models");
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(client_->TrainAll(Start(2), Rows(), {}, Ignore).ok());
  Load callers(address_, 2);
  const int windows = IsLongForm() ? 9 : 1;
  const absl::Duration window = absl::Seconds(IsLongForm() ? 0.5 : 0.1);
  const auto measure = [&] {
    std::vector<double> times;
    times.reserve(windows);
    for (int i = 0; i < windows; ++i) {
      times.push_back(callers.Measure([&] { absl::SleepFor(window); }));
    }
    return Median(times);
  };
  measure();
  const double without = measure();
  const double memory = ResidentMemory(server_->pid());

  std::vector<std::shared_ptr<grpc::Channel>> idle;
  idle.reserve(connections);
  grpc::ChannelArguments arguments;
  // Else all would share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  for (int i = 0; i < connections; ++i) {
    idle.push_back(grpc::CreateCustomChannel(
        address_, grpc::InsecureChannelCredentials(), arguments));
    ASSERT_TRUE(idle.back()->WaitForConnected(
        absl::ToChronoTime(absl::Now() + absl::Seconds(10))))
        << i;
  }
  const double each =
      (ResidentMemory(server_->pid()) - memory) * 1024 / connections;
  const double beside = measure();
  const auto stayed =
      std::count_if(idle.begin(), idle.end(), [](const auto& channel) {
        return channel->GetState(false) == GRPC_CHANNEL_READY;
      });
  Report("idle connections that stay", static_cast<double>(stayed),
         absl::StrCat(connections), stayed == connections, true);
  Report("KiB of memory for an idle connection", each, "", true, false);
  Report("calls that failed beside idle connections",
         static_cast<double>(callers.failed()), "0", callers.failed() == 0,
         true);
  Report("p99 beside idle connections to p99 without", beside / without,
         "at most 2", beside <= 2 * without, IsLongForm());
}

// Two streams of samples and one of scores without an end, of which a client
// reads the first message alone.
class Unread {
 public:
  // They end at the deadline, if the server does not end them before.
  Unread(const std::string& address, absl::Time deadline)
      : stub_(v1::ProductOfExperts::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    v1::SampleRequest request;
    request.mutable_model()->set_name("model");
    request.set_chains(4096);
    request.set_steps(100'000);
    request.set_thinning(1);
    request.set_seed(1);
    v1::SampleResponse sample;
    for (Samples& one : samples_) {
      one.context.set_deadline(absl::ToChronoTime(deadline));
      one.stream = stub_->Sample(&one.context, request);
      EXPECT_TRUE(one.stream->Read(&sample));
    }
    context_.set_deadline(absl::ToChronoTime(deadline));
    scores_ = stub_->ScoreStream(&context_);
    writer_ = std::thread([this] {
      v1::ScoreRequest request;
      request.mutable_model()->set_name("model");
      request.set_per_expert(true);
      *request.mutable_observations() = client::MakeObservations(
          std::vector<float>(1000 * kDimension, 1), kDimension);
      while (scores_->Write(request)) {
      }
    });
    v1::ScoreResponse score;
    EXPECT_TRUE(scores_->Read(&score));
  }

  // Returns when they have ended.
  ~Unread() {
    writer_.join();
    v1::ScoreResponse score;
    while (scores_->Read(&score)) {
    }
    EXPECT_FALSE(scores_->Finish().ok());
    v1::SampleResponse sample;
    for (Samples& one : samples_) {
      while (one.stream->Read(&sample)) {
      }
      EXPECT_FALSE(one.stream->Finish().ok());
    }
  }

 private:
  struct Samples {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::SampleResponse>> stream;
  };

  const std::unique_ptr<v1::ProductOfExperts::Stub> stub_;
  Samples samples_[2];
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ScoreRequest, v1::ScoreResponse>>
      scores_;
  std::thread writer_;
};

TEST_F(SoakTest, AClientThatDoesNotReadHoldsUpNobody) {
  constexpr double kDrainSeconds = 0.5;
  const absl::Duration window = absl::Seconds(IsLongForm() ? 10 : 1.5);
  // Two threads sample: both wait for the client.
  StartServer("models", {kHttpFlag, "--threads=2",
                         absl::StrCat("--drain_seconds=", kDrainSeconds)});
  ASSERT_FALSE(HasFatalFailure());
  const SoakMetrics metrics(*server_);
  ASSERT_TRUE(client_->TrainAll(Start(2), Rows(), {}, Ignore).ok());
  {
    Load callers(address_, 2);
    const double memory = ResidentMemory(server_->pid());
    const absl::Time deadline = absl::Now() + window;
    Unread unread(address_, deadline);
    const std::int64_t already = callers.answered();
    absl::SleepFor(deadline - absl::Now() - window / 10);
    const double grown = ResidentMemory(server_->pid()) - memory;
    const std::int64_t answered = callers.answered() - already;
    Report("MiB that unread streams take", grown, "at most 64", grown <= 64,
           true);
    Report("calls answered beside unread streams",
           static_cast<double>(answered), "at least 1", answered > 0, true);
    Report("calls that failed beside unread streams",
           static_cast<double>(callers.failed()), "0", callers.failed() == 0,
           true);
    double ended = 0;
    while (ended < 3 && absl::Now() < deadline + absl::Seconds(10)) {
      absl::SleepFor(absl::Milliseconds(10));
      ended = 0;
      for (const char* method : {"Sample", "ScoreStream"}) {
        ended += metrics.Sum("poe_request_duration_seconds_count",
                             {absl::StrCat("method=\"", method, "\"")});
      }
    }
    const double after = absl::ToDoubleSeconds(absl::Now() - deadline);
    Report("unread streams that end by their deadline", ended, "3", ended == 3,
           true);
    Report("s from their deadline to their end", after, "at most 1", after <= 1,
           IsLongForm());
  }
  const Unread unread(address_, absl::Now() + absl::Minutes(1));
  const absl::Time begin = absl::Now();
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
  const double took = absl::ToDoubleSeconds(absl::Now() - begin);
  Report("s from SIGTERM to exit with unread streams", took,
         absl::StrCat("at most ", kDrainSeconds + 1), took <= kDrainSeconds + 1,
         IsLongForm());
}

// An IDX file of black pictures, 16 x 16.
void WritePictures(const std::filesystem::path& path, std::uint32_t pictures) {
  std::string header = {0, 0, 8, 3};
  for (const std::uint32_t length : {pictures, 16u, 16u}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      header.push_back(static_cast<char>(length >> shift));
    }
  }
  std::ofstream(path, std::ios::binary) << header;
  std::filesystem::resize_file(
      path, header.size() + std::uintmax_t{pictures} * 16 * 16);
}

TEST_F(SoakTest, AClientThatVanishesInUploadLeavesNothing) {
  const int times = IsLongForm() ? 20 : 2;
  constexpr std::uint32_t kPictures = 1 << 17;
  StartServer("models");
  ASSERT_FALSE(HasFatalFailure());
  const std::filesystem::path pictures = folder_ / "pictures";
  WritePictures(pictures, kPictures);
  const auto newest = [this]() -> absl::StatusOr<v1::Job> {
    const auto jobs = client_->ListJobs("model");
    if (!jobs.ok()) return jobs.status();
    return jobs->empty() ? v1::Job() : jobs->front();
  };
  // A folder for each job that has rows.
  const auto holds_rows = [this] {
    const std::filesystem::directory_iterator jobs(folder_ / "models" /
                                                   ".jobs");
    return std::any_of(begin(jobs), end(jobs), [](const auto& entry) {
      std::error_code vanished;
      return entry.is_directory(vanished);
    });
  };
  absl::Duration longest;
  int halfway = 0, cancelled = 0, left = 0;
  std::string last;
  for (int i = 0; i < times; ++i) {
    Program train({"train", "model", "--data", pictures.string(), "--updates",
                   "1000000", "--server", address_},
                  POE_COMMAND_BINARY);
    const absl::Time patience = absl::Now() + absl::Seconds(20);
    absl::StatusOr<v1::Job> job;
    do {
      job = newest();
      ASSERT_TRUE(job.ok()) << job.status();
      ASSERT_LT(absl::Now(), patience);
    } while (job->name() == last || job->rows() == 0);
    train.Signal(SIGKILL);
    const absl::Time begin = absl::Now();
    EXPECT_EQ(train.Wait(), -SIGKILL);
    last = job->name();
    const auto ended = [&] {
      return job->state() == v1::Job::STATE_CANCELLED ||
             job->state() == v1::Job::STATE_FAILED ||
             job->state() == v1::Job::STATE_SUCCEEDED;
    };
    while (!ended() || holds_rows()) {
      if (absl::Now() > begin + absl::Seconds(10)) break;
      absl::SleepFor(absl::Milliseconds(1));
      job = newest();
      ASSERT_TRUE(job.ok()) << job.status();
    }
    longest = std::max(longest, absl::Now() - begin);
    cancelled += job->state() == v1::Job::STATE_CANCELLED ? 1 : 0;
    halfway += job->rows() < kPictures ? 1 : 0;
    left += holds_rows() ? 1 : 0;
  }
  Report("uploads cut off halfway", halfway, absl::StrCat(times),
         halfway == times, false);
  Report("uploads cut off whose job is cancelled", cancelled,
         absl::StrCat(times), cancelled == times, true);
  Report("uploads cut off that leave rows", left, "0", left == 0, true);
  Report("s from the end of a client to that of its job",
         absl::ToDoubleSeconds(longest), "at most 1",
         longest <= absl::Seconds(1), IsLongForm());
  const auto next = client_->TrainAll(Start(2), Rows(), {}, Ignore);
  Report("trainings that fail after uploads cut off", next.ok() ? 0 : 1, "0",
         next.ok(), true);
}

}  // namespace
}  // namespace poe::server
