// The MANIFEST of a stored version: which files belong to it, their sizes and
// their SHA-256. Text:
//
//   poe-manifest 1
//   model.pb 1234567 <64 hexadecimal digits>
//   manifest <64 hexadecimal digits>
//
// The first line is the format and its version. Then one line for each file,
// sorted by name: name, size in bytes, digest of the contents. The last line
// holds the digest of all bytes before it. Fields are separated by one space,
// lines end with a line feed, digits are lower case.
#ifndef POE_SERVER_MANIFEST_H_
#define POE_SERVER_MANIFEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace poe::server {

struct ManifestEntry {
  std::string file;  // a plain name of [A-Za-z0-9_.-], not beginning with "."
  std::int64_t size = 0;  // bytes
  std::string sha256;     // 64 lower case hexadecimal digits

  bool operator==(const ManifestEntry&) const = default;
};

struct Manifest {
  std::vector<ManifestEntry> files;

  // Null if there is no such file.
  const ManifestEntry* Find(absl::string_view file) const;
  // Bytes of all files, the manifest itself not counted.
  std::int64_t TotalSize() const;

  bool operator==(const Manifest&) const = default;
};

// Of bytes that come piece by piece.
class Sha256Digest {
 public:
  Sha256Digest();

  void Add(absl::string_view bytes);
  // Of all bytes so far, 64 lower case hexadecimal digits. Only once, and
  // nothing can be added afterwards.
  std::string Finish();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

// The same of bytes that are there.
std::string Sha256(absl::string_view bytes);

ManifestEntry DescribeFile(absl::string_view file, absl::string_view contents);

std::string FormatManifest(const Manifest& manifest);

// DataLoss, saying what does not fit, for anything FormatManifest has not
// written.
absl::StatusOr<Manifest> ParseManifest(absl::string_view text);

// DataLoss unless a file that was found has the size and digest that it should.
absl::Status CheckFile(const ManifestEntry& entry, const ManifestEntry& found);

}  // namespace poe::server

#endif  // POE_SERVER_MANIFEST_H_
