#include "server/request_observer.h"

#include <utility>

#include "grpcpp/generic/async_generic_service.h"

namespace poe::server {
namespace {

class ObservedContext final : public grpc::CallbackServerContext {
 public:
  explicit ObservedContext(absl::Span<RequestObserver* const> observers)
      : observers_(observers) {}

  absl::Span<RequestObserver* const> observers() const { return observers_; }

 private:
  const absl::Span<RequestObserver* const> observers_;
};

class ObservedContextAllocator final : public grpc::ContextAllocator {
 public:
  explicit ObservedContextAllocator(std::vector<RequestObserver*> observers)
      : observers_(std::move(observers)) {}

  grpc::CallbackServerContext* NewCallbackServerContext() override {
    return new ObservedContext(observers_);
  }
  // Of calls to methods that there are not. gRPC gives all contexts back here,
  // and so none may be its own.
  grpc::GenericCallbackServerContext* NewGenericCallbackServerContext()
      override {
    return new grpc::GenericCallbackServerContext();
  }
  void Release(grpc::CallbackServerContext* context) override {
    delete context;
  }
  void Release(grpc::GenericCallbackServerContext* context) override {
    delete context;
  }

 private:
  const std::vector<RequestObserver*> observers_;
};

}  // namespace

std::unique_ptr<grpc::ContextAllocator> ObservedContexts(
    std::vector<RequestObserver*> observers) {
  return std::make_unique<ObservedContextAllocator>(std::move(observers));
}

absl::Span<RequestObserver* const> ObserversOf(
    const grpc::CallbackServerContext& context) {
  const auto* observed = dynamic_cast<const ObservedContext*>(&context);
  if (observed == nullptr) return {};
  return observed->observers();
}

}  // namespace poe::server
