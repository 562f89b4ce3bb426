// How a request about rows is answered with others: it is counted, decoded, and
// waits for its batch.
#ifndef POE_SERVER_SERVICES_BATCHED_ANSWER_H_
#define POE_SERVER_SERVICES_BATCHED_ANSWER_H_

#include <cstddef>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "poe/model.h"
#include "server/batcher.h"
#include "server/byte_budget.h"
#include "server/codec/observations.h"
#include "server/executor.h"
#include "server/request_scope.h"
#include "server/row_answers.h"

namespace poe::server {

// Bytes of a request whose decoding takes about as long as a call itself.
inline constexpr std::size_t kQuicklyDecodedBytes = 64 << 10;

// What answers in batches. All must outlive the calls.
struct Batching {
  ByteBudget& budget;
  // Decodes requests of more than kQuicklyDecodedBytes.
  Executor& compute;
  Batcher& batcher;
};

// A request that has been checked.
struct DecodedQuestion {
  std::shared_ptr<const Model> model;
  RowQuestion question;
  std::shared_ptr<const DecodedRows> rows;
  // Called when its batch is about to be answered; null is allowed.
  absl::AnyInvocable<void()> begin;
  // Writes the answer into the response.
  absl::AnyInvocable<void(const RowAnswer&)> encode;
};

// Calls `done` exactly once, in any thread, perhaps before it returns: with OK
// when the answer to what is asked is encoded, with the error of `decode`, of
// the core, or of `scope`, which is asked whether to go on; or with
// ResourceExhausted if too much is waiting. `scope` and what `decode` refers to
// must stay until then.
void AnswerInBatch(const Batching& batching,
                   const google::protobuf::Message& asked, RequestScope& scope,
                   absl::AnyInvocable<absl::StatusOr<DecodedQuestion>()> decode,
                   absl::AnyInvocable<void(absl::Status)> done);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_BATCHED_ANSWER_H_
