#include "tests/server/batching_testing.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/row_answers.h"

namespace poe::server {

bool HasRetryInfo(const grpc::Status& status) {
  google::rpc::Status details;
  return details.ParseFromString(status.error_details()) &&
         std::any_of(details.details().begin(), details.details().end(),
                     [](const auto& any) {
                       return any.template Is<google::rpc::RetryInfo>();
                     });
}

BatchingTest::BatchingTest() {
  Publish("large", RandomModel(kDimension, 200, {"two", "three"}, 1));
}

void BatchingTest::TearDown() {
  if (!gate_.HasBeenNotified()) gate_.Notify();
  if (occupant_answered_ != nullptr) occupant_answered_->WaitForNotification();
  grpc_.reset();
}

void BatchingTest::StartBatcher(const Batcher::Options& options,
                                std::int64_t bytes) {
  auto opened = ModelRepository::Open(repository());
  ASSERT_TRUE(opened.ok()) << opened.status();
  repository_ = *std::move(opened);
  budget_ = std::make_unique<ByteBudget>(bytes);
  batcher_ = std::make_unique<Batcher>(
      options, [this](const Model& model, const RawRows& rows,
                      const RowQuestion& question, InterruptCheck check) {
        ++batches_;
        gate_.WaitForNotification();
        rows_ += rows.size();
        return Ask(model, rows, question, Workers::Inline(), check);
      });
}

std::shared_ptr<grpc::Channel> BatchingTest::Serve(
    grpc::Service& service, std::vector<RequestObserver*> observers) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.SetContextAllocator(ObservedContexts(std::move(observers)));
  builder.RegisterService(&service);
  grpc_ = builder.BuildAndStart();
  EXPECT_NE(grpc_, nullptr);
  return grpc::CreateChannel(absl::StrCat("localhost:", port),
                             grpc::InsecureChannelCredentials());
}

void BatchingTest::AwaitOccupied(const absl::Notification& answered) {
  occupant_answered_ = &answered;
  Await([this] { return batches_ == 1; });
}

void BatchingTest::AwaitWaiting(std::size_t calls) {
  Await([&] { return batcher_->waiting_calls() == calls; });
}

}  // namespace poe::server
