#include "server/services/after_arrivals.h"

#include <memory>
#include <utility>

#include "grpc/grpc.h"

namespace poe::server {
namespace {

struct TaskTag : grpc_completion_queue_functor {
  explicit TaskTag(absl::AnyInvocable<void()> to_do) : task(std::move(to_do)) {
    functor_run = [](grpc_completion_queue_functor* tag, int /*ok*/) {
      const std::unique_ptr<TaskTag> owner(static_cast<TaskTag*>(tag));
      owner->task();
    };
    inlineable = 0;
  }

  absl::AnyInvocable<void()> task;
};

}  // namespace

// Arrivals wait in the completion queue that all callbacks share. A batch of no
// operations completes at once: its tag goes to the end of that queue.
void RunAfterArrivals(grpc::CallbackServerContext& context,
                      absl::AnyInvocable<void()> task) {
  auto tag = std::make_unique<TaskTag>(std::move(task));
  const grpc_call_error error =
      grpc_call_start_batch(context.c_call(), nullptr, 0, tag.get(), nullptr);
  if (error == GRPC_CALL_OK) {
    tag.release();
  } else {
    tag->task();
  }
}

}  // namespace poe::server
