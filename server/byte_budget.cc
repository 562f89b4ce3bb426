#include "server/byte_budget.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::Duration kBudgetRetryDelay = absl::Seconds(1);

}  // namespace

absl::StatusOr<ByteBudget::Hold> ByteBudget::Take(std::int64_t bytes) {
  Hold hold;
  absl::Status status = Resize(bytes, hold);
  if (!status.ok()) return status;
  return hold;
}

absl::StatusOr<ByteBudget::Hold> ByteBudget::Take(
    const google::protobuf::Message& request) {
  return Take(static_cast<std::int64_t>(
      std::max(request.ByteSizeLong(), request.SpaceUsedLong() / 2)));
}

absl::Status ByteBudget::Resize(std::int64_t bytes, Hold& hold) {
  if (hold == nullptr) hold = Hold(this, GiveBack{0});
  if (bytes > limit_) {
    return Error(
        absl::StatusCode::kResourceExhausted, "TOO_MANY_BYTES",
        absl::StrCat("the request takes ", bytes, " bytes of memory, over the ",
                     limit_,
                     " that all together may take (--max_bytes_in_flight); "
                     "send it in parts"),
        {{"limit", absl::StrCat(limit_)}});
  }
  const std::int64_t more = bytes - hold.get_deleter().bytes;
  std::int64_t taken = in_flight_;
  do {
    if (more > limit_ - taken) {
      return WithRetryDelay(
          Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_BYTES",
                absl::StrCat("requests of ", taken,
                             " bytes are waiting or "
                             "being answered; with ",
                             more, " more they would be over ", limit_,
                             "; try again later"),
                {{"limit", absl::StrCat(limit_)}}),
          kBudgetRetryDelay);
    }
  } while (!in_flight_.compare_exchange_weak(taken, taken + more));
  hold.get_deleter().bytes = bytes;
  return absl::OkStatus();
}

}  // namespace poe::server
