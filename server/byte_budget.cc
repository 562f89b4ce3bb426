#include "server/byte_budget.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::Duration kBudgetRetryDelay = absl::Seconds(1);

}  // namespace

absl::StatusOr<ByteBudget::Hold> ByteBudget::Take(std::int64_t bytes) {
  std::int64_t taken = in_flight_;
  do {
    if (bytes > limit_ - taken) {
      return WithRetryDelay(
          Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_BYTES",
                absl::StrCat("requests of ", taken,
                             " bytes are waiting or "
                             "being answered; with ",
                             bytes, " more they would be over ", limit_,
                             "; try again later"),
                {{"limit", absl::StrCat(limit_)}}),
          kBudgetRetryDelay);
    }
  } while (!in_flight_.compare_exchange_weak(taken, taken + bytes));
  return Hold(this, GiveBack{bytes});
}

}  // namespace poe::server
