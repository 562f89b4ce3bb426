#include "server/request_scope.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.grpc.pb.h"
#include "server/request_observer.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kPause = absl::Milliseconds(50);

// Of which only GetModel answers, in a thread of its own that is late.
class LateService final : public v1::ModelRegistry::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse*) override {
    RequestScope scope("GetModel", context);
    scope.HoldBytes(request->ByteSizeLong());
    EXPECT_TRUE(executor_
                    .Submit({[] { return absl::OkStatus(); },
                             [](absl::Status) { absl::SleepFor(kPause); }})
                    .ok());
    return AnswerOn(executor_, std::move(scope), [](RequestScope& scope) {
      scope.SetModel("digits", 3);
      scope.AddRows(5);
      absl::SleepFor(kPause);
      return absl::NotFoundError("late");
    });
  }

 private:
  Executor executor_{/*threads=*/1, /*queue_capacity=*/10};
};

class Recorder final : public RequestObserver {
 public:
  void OnStart() override { Record("start"); }
  void OnBytes(std::int64_t change) override {
    Record(absl::StrCat("bytes ", change));
  }
  void OnFinish(const RequestReport& report) override {
    Record(absl::StrCat(report.method, " ", report.model, " ", report.version,
                        " ", report.rows, " ", report.status.message()));
    EXPECT_GE(report.queue, 0.5 * kPause);
    EXPECT_GE(report.compute, 0.5 * kPause);
    EXPECT_GE(report.total, report.queue + report.compute);
  }
  std::vector<std::string> events() const {
    absl::MutexLock lock(&mutex_);
    return events_;
  }

 private:
  void Record(std::string event) {
    absl::MutexLock lock(&mutex_);
    events_.push_back(std::move(event));
  }

  mutable absl::Mutex mutex_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mutex_);
};

TEST(RequestScopeTest, ObserversOfTheServerHearOfEachCall) {
  LateService service;
  Recorder recorder;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  builder.SetContextAllocator(ObservedContexts({&recorder}));
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  auto stub = v1::ModelRegistry::NewStub(grpc::CreateChannel(
      absl::StrCat("localhost:", port), grpc::InsecureChannelCredentials()));
  v1::GetModelRequest request;
  request.mutable_model()->set_name("digits");
  const std::size_t bytes = request.ByteSizeLong();
  grpc::ClientContext context;
  v1::GetModelResponse response;
  EXPECT_EQ(stub->GetModel(&context, request, &response).error_code(),
            grpc::NOT_FOUND);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("x-request-id"), 1);
  EXPECT_THAT(
      recorder.events(),
      ElementsAre("start", absl::StrCat("bytes ", bytes),
                  absl::StrCat("bytes -", bytes), "GetModel digits 3 5 late"));
}

}  // namespace
}  // namespace poe::server
