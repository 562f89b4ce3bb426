#include "server/access.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/errors.h"
#include "server/files.h"
#include "server/manifest.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

constexpr std::int64_t kMostTokensBytes = 1 << 20;
constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kLongestName = 100;

// Methods of services whose methods need different roles.
constexpr absl::string_view kScoreMethods[] = {
    "/poe.v1.ProductOfExperts/Score",
    "/poe.v1.ProductOfExperts/ScoreStream",
    "/poe.v1.ProductOfExperts/Reconstruct",
    "/poe.v1.ProductOfExperts/Sample",
    "/poe.v1.ModelRegistry/ListModels",
    "/poe.v1.ModelRegistry/GetModel",
    "/inference.GRPCInferenceService/ServerMetadata",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/inference.GRPCInferenceService/ModelConfig",
    "/inference.GRPCInferenceService/ModelStatistics",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/RepositoryIndex",
};
// Those that probes ask.
constexpr absl::string_view kOpenMethods[] = {
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
};
constexpr absl::string_view kTrainMethods[] = {
    "/poe.v1.ProductOfExperts/Train",
};

absl::string_view NameOf(Role role) {
  switch (role) {
    case Role::kAnyone:
      return "anyone";
    case Role::kScore:
      return "score";
    case Role::kTrain:
      return "train";
    case Role::kAdmin:
      return "admin";
  }
  return "";
}

std::optional<Role> ParseRole(absl::string_view name) {
  for (const Role role : {Role::kScore, Role::kTrain, Role::kAdmin}) {
    if (name == NameOf(role)) return role;
  }
  return std::nullopt;
}

bool IsName(absl::string_view text) {
  return text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("._-@", c);
         });
}

// What is wrong with the line, after its number.
absl::StatusOr<TokenEntry> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", fields.size(),
                     " fields; must have three, as in \"score alice "
                     "sha256:<64 hexadecimal digits>\""));
  }
  const std::optional<Role> role = ParseRole(fields[0]);
  if (!role.has_value()) {
    return absl::InvalidArgumentError(
        "begins with no role; must begin with score, train or admin");
  }
  if (!IsName(fields[1])) {
    return absl::InvalidArgumentError(
        absl::StrCat("has a name, its second field, that is not at most ",
                     kLongestName, " letters, digits and characters of ._-@"));
  }
  absl::string_view hash = fields[2];
  if (!absl::ConsumePrefix(&hash, "sha256:") || hash.size() != kHashDigits ||
      !std::all_of(hash.begin(), hash.end(), absl::ascii_isxdigit)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has a third field that is not sha256: and ", kHashDigits,
                     " hexadecimal digits, as \"printf %s TOKEN | sha256sum\" "
                     "prints them"));
  }
  return TokenEntry{*role, std::string(fields[1]), absl::AsciiStrToLower(hash)};
}

absl::Status Unauthenticated(absl::string_view reason, absl::string_view text) {
  return Error(absl::StatusCode::kUnauthenticated, reason, text);
}

std::int64_t Nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// None if the header is not there or brings none.
std::optional<absl::string_view> TokenIn(
    std::optional<absl::string_view> authorization) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!authorization.has_value() ||
      !absl::StartsWithIgnoreCase(*authorization, kScheme)) {
    return std::nullopt;
  }
  return authorization->substr(kScheme.size());
}

}  // namespace

Role RoleFor(absl::string_view method) {
  const auto is_method = [method](absl::string_view name) {
    return name == method;
  };
  if (absl::StartsWith(method, "/grpc.health.v1.Health/") ||
      std::any_of(std::begin(kOpenMethods), std::end(kOpenMethods),
                  is_method)) {
    return Role::kAnyone;
  }
  if (absl::StartsWith(method, "/grpc.reflection.v1alpha.ServerReflection/") ||
      std::any_of(std::begin(kScoreMethods), std::end(kScoreMethods),
                  is_method)) {
    return Role::kScore;
  }
  if (absl::StartsWith(method, "/poe.v1.TrainingJobs/") ||
      std::any_of(std::begin(kTrainMethods), std::end(kTrainMethods),
                  is_method)) {
    return Role::kTrain;
  }
  return Role::kAdmin;
}

absl::StatusOr<std::vector<TokenEntry>> ParseTokens(absl::string_view text,
                                                    const std::string& path) {
  std::vector<TokenEntry> entries;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    absl::StatusOr<TokenEntry> entry = ParseLine(line);
    if (entry.ok() && std::any_of(entries.begin(), entries.end(),
                                  [&entry](const TokenEntry& earlier) {
                                    return earlier.sha256 == entry->sha256;
                                  })) {
      entry = absl::InvalidArgumentError(
          "has the hash of an earlier line; each token stands in one line");
    }
    if (!entry.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": line ", number, " ", entry.status().message()));
    }
    entries.push_back(*std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::unique_ptr<Access>> Access::Open(
    const std::string& path, std::chrono::milliseconds refresh) {
  std::unique_ptr<Access> access(new Access(path, refresh));
  absl::MutexLock lock(&access->mutex_);
  if (absl::Status status = access->Read(); !status.ok()) return status;
  if (access->entries_.empty()) {
    spdlog::warn("{} holds no tokens: all calls but health are refused", path);
  }
  return access;
}

Access::Fingerprint Access::FingerprintOf(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) return {};
  return {.device = found.st_dev,
          .inode = found.st_ino,
          .size = found.st_size,
          .modified_ns = Nanoseconds(found.st_mtim),
          .changed_ns = Nanoseconds(found.st_ctim)};
}

absl::Status Access::Read() {
  looked_ = Clock::now();
  // Before the file is read: a change in between is seen the next time.
  const Fingerprint fingerprint = FingerprintOf(path_);
  if (seen_ == fingerprint) return absl::OkStatus();
  const absl::StatusOr<std::string> text =
      ReadNamedFile(path_, kMostTokensBytes);
  if (!text.ok()) return text.status();
  const bool again = seen_.has_value();
  seen_ = fingerprint;
  absl::StatusOr<std::vector<TokenEntry>> entries = ParseTokens(*text, path_);
  if (!entries.ok()) return entries.status();
  entries_ = *std::move(entries);
  if (again) spdlog::info("{}: now {} tokens", path_, entries_.size());
  return absl::OkStatus();
}

void Access::Refresh() {
  if (Clock::now() - looked_ < refresh_) return;
  if (const absl::Status status = Read(); !status.ok()) {
    spdlog::warn("the tokens stay as they were: {}",
                 std::string(status.message()));
  }
}

const TokenEntry* Access::Find(absl::string_view sha256) const {
  // To the end, so that the time does not tell where the token stands.
  const TokenEntry* found = nullptr;
  for (const TokenEntry& entry : entries_) {
    if (CRYPTO_memcmp(entry.sha256.data(), sha256.data(), kHashDigits) == 0) {
      found = &entry;
    }
  }
  return found;
}

std::string Access::TokenName(
    std::optional<absl::string_view> authorization) const {
  const auto token = TokenIn(authorization);
  if (!token.has_value()) return "";
  const std::string digest = Sha256(*token);
  absl::MutexLock lock(&mutex_);
  const TokenEntry* found = Find(digest);
  return found == nullptr ? "" : found->name;
}

absl::Status Access::Check(absl::string_view method,
                           std::optional<absl::string_view> authorization) {
  const Role needed = RoleFor(method);
  if (needed == Role::kAnyone) return absl::OkStatus();
  if (!authorization.has_value()) {
    return Unauthenticated("TOKEN_MISSING",
                           "the call brings no token; this server needs one, "
                           "in a header \"authorization: Bearer TOKEN\"");
  }
  const auto token = TokenIn(authorization);
  if (!token.has_value()) {
    return Unauthenticated("TOKEN_MALFORMED",
                           "the header authorization is not one \"Bearer "
                           "TOKEN\"");
  }
  const std::string digest = Sha256(*token);
  absl::MutexLock lock(&mutex_);
  Refresh();
  const TokenEntry* found = Find(digest);
  if (found == nullptr) {
    return Unauthenticated("TOKEN_UNKNOWN",
                           "the token is not one that this server knows");
  }
  if (found->role < needed) {
    return Error(absl::StatusCode::kPermissionDenied, "ROLE_TOO_LOW",
                 absl::StrCat(Quoted(method), " needs the role ",
                              NameOf(needed), "; the token of ", found->name,
                              " has the role ", NameOf(found->role)));
  }
  return absl::OkStatus();
}

}  // namespace poe::server
