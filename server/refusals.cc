#include "server/refusals.h"

#include "absl/time/time.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);

const char* PortName(Refusals::Port port) {
  return port == Refusals::Port::kGrpc ? "grpc" : "http";
}

}  // namespace

void Refusals::Add(Port port, absl::string_view reason) {
  std::string kind(reason);
  std::int64_t unlogged = 0;
  {
    absl::MutexLock lock(&mutex_);
    Tally& tally = tallies_[{port, kind}];
    ++tally.refusals;
    if (SteadyNow() >= tally.next_line) {
      unlogged = tally.refusals - tally.logged;
      tally.logged = tally.refusals;
      tally.next_line = SteadyTimeAfter(kBetweenLines);
    }
  }
  if (unlogged == 0) return;
  spdlog::warn("{}: refused {}, {} since the last such line", PortName(port),
               kind, unlogged);
}

std::vector<Refusals::Count> Refusals::Counts() const {
  std::vector<Count> counts;
  absl::MutexLock lock(&mutex_);
  for (const auto& [kind, tally] : tallies_) {
    counts.push_back({PortName(kind.first), kind.second, tally.refusals});
  }
  return counts;
}

}  // namespace poe::server
