#include "server/refusals.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

const char* PortName(Refusals::Port port) {
  return port == Refusals::Port::kGrpc ? "grpc" : "http";
}

}  // namespace

void Refusals::Add(Port port, absl::string_view reason,
                   absl::string_view client) {
  std::string kind(reason), clients;
  std::int64_t unlogged = 0;
  {
    absl::MutexLock lock(&mutex_);
    Tally& tally = tallies_[{port, kind}];
    ++tally.refusals;
    AddClient(client, tally);
    if (SteadyNow() >= tally.next_line) {
      unlogged = tally.refusals - tally.logged;
      tally.logged = tally.refusals;
      tally.next_line = SteadyTimeAfter(between_lines_);
      clients = TakeClients(tally);
    }
  }
  if (unlogged == 0) return;
  spdlog::warn("{}: refused {}, {} since the last such line{}", PortName(port),
               kind, unlogged, clients);
}

void Refusals::AddClient(absl::string_view client, Tally& tally) {
  if (client.empty() || tally.clients.count(client) > 0) return;
  if (tally.clients.size() < kMostClients) {
    tally.clients.emplace(client);
  } else {
    tally.more_clients = true;
  }
}

std::string Refusals::TakeClients(Tally& tally) {
  if (tally.clients.empty()) return "";
  std::string text = absl::StrCat(", from ", absl::StrJoin(tally.clients, ", "),
                                  tally.more_clients ? " and others" : "");
  tally.clients.clear();
  tally.more_clients = false;
  return text;
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
