#include "server/services/sample_reactor.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

// A service of which only Sample answers.
class SampleService final : public v1::ProductOfExperts::CallbackService {
 public:
  SampleService(const ModelRepository& repository, absl::Duration patience)
      : repository_(repository), patience_(patience), executor_(1, 1) {}

  grpc::ServerWriteReactor<v1::SampleResponse>* Sample(
      grpc::CallbackServerContext* context,
      const v1::SampleRequest* request) override {
    auto* reactor =
        new SampleReactor(RequestScope("Sample", context), *request,
                          repository_, limits_, Workers::Inline(), patience_);
    reactor->Start(executor_, budget_);
    return reactor;
  }

 private:
  const ModelRepository& repository_;
  const absl::Duration patience_;
  const RequestLimits limits_;
  ByteBudget budget_{1 << 20};
  Executor executor_;
};

using SampleReactorTest = ServingTest;

TEST_F(SampleReactorTest, AClientThatTakesTooLongIsCutOff) {
  Publish("large", RandomModel(4096, 1, {"data"}, 1));
  auto repository = ModelRepository::Open(this->repository());
  ASSERT_TRUE(repository.ok()) << repository.status();
  SampleService service(**repository, absl::Milliseconds(100));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  auto stub = v1::ProductOfExperts::NewStub(
      grpc::CreateCustomChannel(absl::StrCat("localhost:", port),
                                grpc::InsecureChannelCredentials(), arguments));

  // Far more than any buffer on the way holds.
  v1::SampleRequest request;
  request.mutable_model()->set_name("large");
  request.set_chains(1000);
  request.set_steps(100'000);
  request.set_thinning(1);
  grpc::ClientContext context;
  auto reader = stub->Sample(&context, request);
  // Comes with the first message, however long that takes to compute.
  reader->WaitForInitialMetadata();
  absl::SleepFor(absl::Seconds(2));
  v1::SampleResponse response;
  while (reader->Read(&response)) {
  }
  EXPECT_LT(response.step(), 100);
  EXPECT_EQ(reader->Finish().error_code(), grpc::CANCELLED);
}

}  // namespace
}  // namespace poe::server
