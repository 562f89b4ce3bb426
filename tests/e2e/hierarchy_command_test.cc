// A model of layers by the command, on a server that is started again between
// training and questions.
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/program.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Outcome {
  std::string output;
  int status;
};

class HierarchyCommandTest : public ::testing::Test {
 protected:
  HierarchyCommandTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    std::ofstream labelled(data()), rows(unlabelled());
    labelled << "a,b,c,d,side\n";
    rows << "a,b,c,d\n";
    for (int n = 0; n < 100; ++n) {
      labelled << (n % 2 == 0 ? "1,1,0,0,0\n" : "0,0,1,1,1\n");
      rows << (n % 2 == 0 ? "1,1,0,0\n" : "0,0,1,1\n");
    }
  }
  ~HierarchyCommandTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string data() const { return (folder_ / "sides.csv").string(); }
  std::string unlabelled() const { return (folder_ / "rows.csv").string(); }

  void StartServer() {
    server_ = std::make_unique<Program>(std::vector<std::string>{
        absl::StrCat("--repository=", (folder_ / "models").string()),
        "--listen=localhost:0"});
    const std::string line = server_->ReadLineWith("listening on ");
    address_ = std::string(absl::StripPrefix(line, "listening on "));
  }

  void StopServer() {
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->Wait(), 0);
  }

  Outcome Poe(std::vector<std::string> arguments) const {
    arguments.push_back(absl::StrCat("--server=", address_));
    Program program(arguments, POE_COMMAND_BINARY);
    Outcome outcome;
    outcome.output = program.ReadAll();
    outcome.status = program.Wait();
    return outcome;
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Program> server_;
  std::string address_;
};

TEST_F(HierarchyCommandTest, TrainsAndAnswersFromEachLayer) {
  StartServer();
  const Outcome trained =
      Poe({"train", "sides", "--data", data(), "--label-column", "side",
           "--class-names", "left,right", "--family", "bernoulli", "--experts",
           "6", "--next-layers", "5,4", "--epochs", "60", "--seed", "1"});
  EXPECT_EQ(trained.status, 0) << trained.output;
  StopServer();
  StartServer();

  EXPECT_THAT(
      Poe({"models", "show", "sides"}).output,
      AllOf(HasSubstr("layers         3"), HasSubstr("experts        15")));

  const Outcome scores =
      Poe({"score", "sides", "--data", data(), "--label-column", "side"});
  EXPECT_EQ(scores.status, 0) << scores.output;
  EXPECT_THAT(scores.output, HasSubstr("0 errors in 100 rows"));

  for (const char* layer : {"0", "1", "2"}) {
    const Outcome sampled =
        Poe({"sample", "sides", "--class", "left", "--layer", layer, "--chains",
             "3", "--seed", "2"});
    EXPECT_EQ(sampled.status, 0) << sampled.output;
    const Outcome reconstructed =
        Poe({"reconstruct", "sides", "--data", unlabelled(), "--rows", ":4",
             "--layer", layer, "--seed", "2"});
    EXPECT_EQ(reconstructed.status, 0) << reconstructed.output;
    const Outcome shown =
        Poe({"show", "sides", "--class", "left", "--layer", layer});
    EXPECT_EQ(shown.status, 0) << shown.output;
    EXPECT_THAT(shown.output, HasSubstr(layer[0] == '0' ? "a " : "[0] "));
  }

  const Outcome spurious =
      Poe({"spurious", "sides", "--class", "left", "--data", unlabelled(),
           "--chains", "20", "--steps", "50", "--seed", "2", "--json"});
  EXPECT_EQ(spurious.status, 0) << spurious.output;
  EXPECT_THAT(spurious.output,
              AllOf(HasSubstr(R"("seed":2,"chains":20)"),
                    // Each row is there fifty times.
                    HasSubstr(R"("usual_distance":0.0)"), HasSubstr("modes")));

  const Outcome refused =
      Poe({"sample", "sides", "--class", "left", "--layer", "3"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output,
              HasSubstr("layer is 3; this model has 3 layers, 0 to 2"));
}

TEST_F(HierarchyCommandTest, KeepsAClassWithItsLayers) {
  StartServer();
  const std::vector<std::string> plain = {
      "train",          "sides",     "--data",        data(),
      "--label-column", "side",      "--class-names", "left,right",
      "--family",       "bernoulli", "--experts",     "6",
      "--epochs",       "5",         "--seed",        "1"};
  std::vector<std::string> layered = plain;
  layered.insert(layered.end(), {"--next-layers", "5,4"});
  const Outcome trained = Poe(layered);
  EXPECT_EQ(trained.status, 0) << trained.output;
  layered.insert(layered.end(), {"--base", "1", "--keep", "left"});
  const Outcome kept = Poe(layered);
  EXPECT_EQ(kept.status, 0) << kept.output;
  EXPECT_THAT(kept.output, HasSubstr("sides version 2"));
  EXPECT_THAT(Poe({"models", "show", "sides"}).output,
              HasSubstr("layers         3"));

  std::vector<std::string> flat = plain;
  flat.insert(flat.end(), {"--base", "1", "--keep", "left"});
  const Outcome refused = Poe(flat);
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output, HasSubstr("has 3 layers"));
}

}  // namespace
}  // namespace poe::server
