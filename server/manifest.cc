#include "server/manifest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace poe::server {
namespace {

constexpr absl::string_view kFirstLine = "poe-manifest 1\n";
constexpr absl::string_view kLastWord = "manifest";
constexpr std::size_t kDigestDigits = 64;

bool IsFileName(absl::string_view name) {
  return !name.empty() && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
         });
}

bool IsDigest(absl::string_view digest) {
  return digest.size() == kDigestDigits &&
         std::all_of(digest.begin(), digest.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

absl::Status BadManifest(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("MANIFEST is damaged: ", what));
}

// Of OpenSSL's digests, which fail for want of memory alone.
void Check(bool succeeded) {
  if (!succeeded) throw std::bad_alloc();
}

}  // namespace

const ManifestEntry* Manifest::Find(absl::string_view file) const {
  const auto found = std::find_if(
      files.begin(), files.end(),
      [file](const ManifestEntry& entry) { return entry.file == file; });
  return found == files.end() ? nullptr : &*found;
}

std::int64_t Manifest::TotalSize() const {
  std::int64_t total = 0;
  for (const ManifestEntry& entry : files) total += entry.size;
  return total;
}

Sha256Digest::Sha256Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  Check(context_ != nullptr);
  Check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256Digest::Add(absl::string_view bytes) {
  Check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256Digest::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  Check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

std::string Sha256(absl::string_view bytes) {
  Sha256Digest digest;
  digest.Add(bytes);
  return digest.Finish();
}

ManifestEntry DescribeFile(absl::string_view file, absl::string_view contents) {
  return {.file = std::string(file),
          .size = static_cast<std::int64_t>(contents.size()),
          .sha256 = Sha256(contents)};
}

std::string FormatManifest(const Manifest& manifest) {
  std::vector<ManifestEntry> files = manifest.files;
  std::sort(files.begin(), files.end(),
            [](const ManifestEntry& a, const ManifestEntry& b) {
              return a.file < b.file;
            });
  std::string text(kFirstLine);
  for (const ManifestEntry& entry : files) {
    absl::StrAppend(&text, entry.file, " ", entry.size, " ", entry.sha256,
                    "\n");
  }
  return absl::StrCat(text, kLastWord, " ", Sha256(text), "\n");
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view text) {
  const absl::string_view whole = text;
  if (!absl::ConsumePrefix(&text, kFirstLine)) {
    return BadManifest("it does not begin with \"poe-manifest 1\"");
  }
  if (!absl::ConsumeSuffix(&text, "\n")) {
    return BadManifest("its last line is not complete");
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  const std::vector<absl::string_view> last = absl::StrSplit(lines.back(), ' ');
  if (last.size() != 2 || last[0] != kLastWord ||
      last[1] != Sha256(whole.substr(0, lines.back().data() - whole.data()))) {
    return BadManifest("its digest does not fit");
  }
  Manifest manifest;
  std::int64_t total = 0;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    const std::vector<absl::string_view> fields = absl::StrSplit(lines[i], ' ');
    ManifestEntry entry;
    if (fields.size() != 3 || !IsFileName(fields[0]) ||
        !absl::SimpleAtoi(fields[1], &entry.size) || entry.size < 0 ||
        absl::StrCat(entry.size) != fields[1] || !IsDigest(fields[2])) {
      return BadManifest(absl::StrCat("line ", i + 2,
                                      " is not a file name, a size and a "
                                      "SHA-256"));
    }
    if (!manifest.files.empty() && fields[0] <= manifest.files.back().file) {
      return BadManifest(absl::StrCat("line ", i + 2,
                                      " is not behind the line before it, by "
                                      "the file's name"));
    }
    if (__builtin_add_overflow(total, entry.size, &total)) {
      return BadManifest("its files have more bytes than can be counted");
    }
    entry.file = std::string(fields[0]);
    entry.sha256 = std::string(fields[2]);
    manifest.files.push_back(std::move(entry));
  }
  return manifest;
}

absl::Status CheckFile(const ManifestEntry& entry, const ManifestEntry& found) {
  if (found.size != entry.size) {
    return absl::DataLossError(absl::StrCat(entry.file, " has ", found.size,
                                            " bytes; its MANIFEST says ",
                                            entry.size));
  }
  if (found.sha256 != entry.sha256) {
    return absl::DataLossError(absl::StrCat(
        entry.file, " is damaged: its SHA-256 is not that of its MANIFEST"));
  }
  return absl::OkStatus();
}

}  // namespace poe::server
