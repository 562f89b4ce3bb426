// Every input of the corpora through the function that its fuzzer calls.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, void (*)(absl::string_view)>& Targets() {
  static const auto& targets =
      *new std::map<std::string, void (*)(absl::string_view)>{
          {"csv", FuzzCsv},
          {"http_request", FuzzHttpRequest},
          {"idx", FuzzIdx},
          {"manifest", FuzzManifest},
          {"model", FuzzModel},
          {"npy", FuzzNpy},
          {"open_inference", FuzzOpenInference},
          {"open_inference_json", FuzzOpenInferenceJson},
          {"reconstruct_request", FuzzReconstructRequest},
          {"sample_request", FuzzSampleRequest},
          {"score_request", FuzzScoreRequest},
          {"tokens", FuzzTokens},
          {"train_chunk", FuzzTrainChunk},
          {"train_start", FuzzTrainStart},
          {"version_policy", FuzzVersionPolicy},
      };
  return targets;
}

struct Input {
  std::string target;
  fs::path path;
};

void PrintTo(const Input& input, std::ostream* out) { *out << input.path; }

std::vector<Input> AllInputs() {
  std::vector<Input> inputs;
  for (const auto& folder : fs::directory_iterator(POE_FUZZ_CORPUS))
    for (const auto& file : fs::directory_iterator(folder))
      inputs.push_back({folder.path().filename(), file.path()});
  return inputs;
}

std::string NameOf(const testing::TestParamInfo<Input>& info) {
  std::string name =
      absl::StrCat(info.param.target, "_", info.param.path.filename().string());
  for (char& c : name)
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class CorpusTest : public testing::TestWithParam<Input> {};

TEST_P(CorpusTest, IsDecodedOrRefused) {
  std::ifstream file(GetParam().path, std::ios::binary);
  ASSERT_TRUE(file.is_open());
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto target = Targets().find(GetParam().target);
  ASSERT_NE(target, Targets().end());
  target->second(bytes);
}

INSTANTIATE_TEST_SUITE_P(Fuzz, CorpusTest, testing::ValuesIn(AllInputs()),
                         NameOf);

TEST(CorporaTest, EachFuzzerHasOne) {
  for (const auto& [name, target] : Targets())
    EXPECT_TRUE(fs::is_directory(fs::path(POE_FUZZ_CORPUS) / name)) << name;
}

}  // namespace
}  // namespace poe::fuzz
