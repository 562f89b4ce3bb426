// How many bytes of requests may be in the server at a time.
#ifndef POE_SERVER_BYTE_BUDGET_H_
#define POE_SERVER_BYTE_BUDGET_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace poe::server {

// Counts the bytes of requests that wait or are being answered. Thread-safe.
class ByteBudget {
  struct GiveBack {
    std::int64_t bytes = 0;
    void operator()(ByteBudget* budget) const { budget->in_flight_ -= bytes; }
  };

 public:
  // Bytes that one request has taken; they go back when it is destroyed or
  // reset.
  using Hold = std::unique_ptr<ByteBudget, GiveBack>;

  // Must outlive all holds.
  explicit ByteBudget(std::int64_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // ResourceExhausted if that were more than the limit, with a RetryInfo unless
  // it is so alone.
  absl::StatusOr<Hold> Take(std::int64_t bytes);
  // The same for a request: its bytes, or half of what its message takes in
  // memory where that is more, as of submessages that are empty, two bytes
  // each. Half: a field may have room for as much again as it holds.
  absl::StatusOr<Hold> Take(const google::protobuf::Message& request);
  // Makes a hold of this budget, or one that is empty, one of so many bytes. If
  // that is refused, as by Take, the hold is as it was.
  absl::Status Resize(std::int64_t bytes, Hold& hold);

  std::int64_t in_flight() const { return in_flight_; }

 private:
  const std::int64_t limit_;
  std::atomic<std::int64_t> in_flight_ = 0;
};

}  // namespace poe::server

#endif  // POE_SERVER_BYTE_BUDGET_H_
