// What is refused at the ports, before it becomes a call: no service sees it,
// and no RequestObserver hears of it.
#ifndef POE_SERVER_REFUSALS_H_
#define POE_SERVER_REFUSALS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/steady_time.h"

namespace poe::server {

// Counts refusals, and warns of them in the log: of each kind at once when it
// has been quiet, then once in ten seconds as long as more come. The warning
// names the first of the clients that are known. Thread-safe.
class Refusals {
 public:
  // So many clients are named in a line.
  static constexpr std::size_t kMostClients = 5;

  explicit Refusals(absl::Duration between_lines = absl::Seconds(10))
      : between_lines_(between_lines) {}

  enum class Port { kGrpc, kHttp };

  struct Count {
    const char* where;  // "grpc" or "http"
    std::string reason;
    std::int64_t refusals = 0;
  };

  // `reason` is one of the server's own, of which there are few, and nothing
  // that a client has made up. `client` is its address, empty if it is not
  // known.
  void Add(Port port, absl::string_view reason, absl::string_view client = "")
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Of every kind that there has been.
  std::vector<Count> Counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Tally {
    std::int64_t refusals = 0;
    std::int64_t logged = 0;  // of them
    SteadyTime next_line;
    // Since the last line.
    std::set<std::string, std::less<>> clients;
    bool more_clients = false;
  };

  // Adds to those that the next line names.
  static void AddClient(absl::string_view client, Tally& tally);
  // What the line says of clients, who are then forgotten.
  static std::string TakeClients(Tally& tally);

  const absl::Duration between_lines_;

  mutable absl::Mutex mutex_;
  std::map<std::pair<Port, std::string>, Tally> tallies_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_REFUSALS_H_
