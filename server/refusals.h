// What is refused at the ports, before it becomes a call: no service sees it,
// and no RequestObserver hears of it.
#ifndef POE_SERVER_REFUSALS_H_
#define POE_SERVER_REFUSALS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/steady_time.h"

namespace poe::server {

// Counts refusals, and warns of them in the log: of each kind at once when it
// has been quiet, then once in ten seconds as long as more come. Thread-safe.
class Refusals {
 public:
  enum class Port { kGrpc, kHttp };

  struct Count {
    const char* where;  // "grpc" or "http"
    std::string reason;
    std::int64_t refusals = 0;
  };

  // `reason` is one of the server's own, of which there are few, and nothing
  // that a client has made up.
  void Add(Port port, absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of every kind that there has been.
  std::vector<Count> Counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Tally {
    std::int64_t refusals = 0;
    std::int64_t logged = 0;  // of them
    SteadyTime next_line;
  };

  mutable absl::Mutex mutex_;
  std::map<std::pair<Port, std::string>, Tally> tallies_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_REFUSALS_H_
