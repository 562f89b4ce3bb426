#include "server/manifest.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

void Read(absl::string_view text) {
  const auto manifest = server::ParseManifest(text);
  if (!manifest.ok()) return;
  Require(server::FormatManifest(*manifest) == text,
          "a manifest that is read is one that was written");
  for (const server::ManifestEntry& entry : manifest->files) {
    Require(manifest->Find(entry.file) == &entry, "names differ");
    Require(entry.size <= manifest->TotalSize(), "no file is more than all");
  }
}

}  // namespace

void FuzzManifest(absl::string_view input) {
  Read(input);
  // No fuzzer finds a digest that fits.
  Read(absl::StrCat(input, "manifest ", server::Sha256(input), "\n"));
}

}  // namespace poe::fuzz
