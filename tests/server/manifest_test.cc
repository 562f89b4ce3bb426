#include "server/manifest.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Manifest TwoFiles() {
  return {.files = {DescribeFile("model.pb", "abc"), DescribeFile("b", "")}};
}

TEST(Sha256Test, AgreesWithThePublishedExamples) {
  EXPECT_EQ(Sha256(""),
            "e3b0c44298fc1c149afbf4c8996fb924"
            "27ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223"
            "b00361a396177a9cb410ff61f20015ad");
}

TEST(ManifestTest, IsTheDocumentedText) {
  const std::string text = FormatManifest(TwoFiles());
  const std::string body =
      absl::StrCat("poe-manifest 1\n", "b 0 ", Sha256(""), "\n", "model.pb 3 ",
                   Sha256("abc"), "\n");
  EXPECT_EQ(text, absl::StrCat(body, "manifest ", Sha256(body), "\n"));
}

TEST(ManifestTest, ComesBackAsItWasWritten) {
  const auto parsed = ParseManifest(FormatManifest(TwoFiles()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->files.size(), 2u);
  const ManifestEntry* model = parsed->Find("model.pb");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->size, 3);
  EXPECT_EQ(model->sha256, Sha256("abc"));
  EXPECT_EQ(parsed->TotalSize(), 3);
  EXPECT_EQ(parsed->Find("other"), nullptr);
}

TEST(ManifestTest, EveryChangedByteIsNoticed) {
  const std::string text = FormatManifest(TwoFiles());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_EQ(ParseManifest(changed).status().code(),
              absl::StatusCode::kDataLoss)
        << "byte " << i;
  }
}

TEST(ManifestTest, EveryTruncationIsNoticed) {
  const std::string text = FormatManifest(TwoFiles());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(ParseManifest(text.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size << " bytes";
  }
}

// What is said of a manifest of these files, a name and a size each, whose own
// digest fits.
absl::Status StatusOfFiles(const std::vector<std::string>& files) {
  std::string body = "poe-manifest 1\n";
  for (const std::string& file : files)
    absl::StrAppend(&body, file, " ", Sha256("abc"), "\n");
  return ParseManifest(absl::StrCat(body, "manifest ", Sha256(body), "\n"))
      .status();
}

TEST(ManifestTest, RefusesNamesThatLeadElsewhere) {
  for (const char* name : {"../model.pb", "a/b", ".hidden", "a b", ""}) {
    const absl::Status status = StatusOfFiles({absl::StrCat(name, " 3")});
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 2"));
  }
}

TEST(ManifestTest, RefusesSizesThatAreWrittenOtherwise) {
  for (const char* size : {"-3", "+3", "03", "\t3", "3\t", "0x3", "3.0"}) {
    const absl::Status status = StatusOfFiles({absl::StrCat("a ", size)});
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 2"));
  }
}

TEST(ManifestTest, RefusesFilesOutOfOrderOrTwice) {
  EXPECT_TRUE(StatusOfFiles({"a 3", "b 3"}).ok());
  for (const char* second : {"a 3", "B 3"}) {
    const absl::Status status = StatusOfFiles({"a 3", second});
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << second;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 3"));
  }
}

TEST(ManifestTest, RefusesMoreBytesThanCanBeCounted) {
  const std::string most = "9223372036854775807";
  EXPECT_TRUE(StatusOfFiles({absl::StrCat("a ", most), "b 0"}).ok());
  const absl::Status status = StatusOfFiles({absl::StrCat("a ", most), "b 1"});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more bytes"));
}

TEST(ManifestTest, ContentsMustHaveTheSizeAndTheDigest) {
  const ManifestEntry entry = DescribeFile("model.pb", "abc");
  EXPECT_TRUE(CheckFile(entry, DescribeFile("model.pb", "abc")).ok());
  const absl::Status longer =
      CheckFile(entry, DescribeFile("model.pb", "abcd"));
  EXPECT_EQ(longer.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(longer.message(), "model.pb has 4 bytes; its MANIFEST says 3");
  const absl::Status other = CheckFile(entry, DescribeFile("model.pb", "abd"));
  EXPECT_EQ(other.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(other.message()), StartsWith("model.pb is damaged"));
}

}  // namespace
}  // namespace poe::server
