// Training by the command on files that the server has, under its limits.
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

using ::testing::HasSubstr;

struct Answer {
  std::string output;
  int status;
};

class ServerFileCommandTest : public ::testing::Test {
 protected:
  ServerFileCommandTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    std::filesystem::create_directory(folder_ / "data");
    std::ofstream rows(folder_ / "data/rows.csv");
    std::ofstream labels(folder_ / "data/labels.csv");
    rows << "a,b,c,d\n";
    labels << "side\n";
    for (int n = 0; n < 100; ++n) {
      rows << (n % 2 == 0 ? "1,1,0,0\n" : "0,0,1,1\n");
      labels << n % 2 << "\n";
    }
  }
  ~ServerFileCommandTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void StartServer(const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {
        absl::StrCat("--repository=", (folder_ / "models").string()),
        absl::StrCat("--data_directory=", (folder_ / "data").string()),
        "--listen=localhost:0"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    server_ = std::make_unique<Program>(arguments);
    const std::string line = server_->ReadLineWith("listening on ");
    address_ = std::string(absl::StripPrefix(line, "listening on "));
  }

  // poe train on a file, with more options.
  Answer Train(const std::string& file,
               const std::vector<std::string>& options) const {
    std::vector<std::string> arguments = {"train",
                                          "sides",
                                          "--server-file",
                                          file,
                                          "--dimension",
                                          "4",
                                          "--server-labels",
                                          "labels.csv",
                                          "--class-names",
                                          "left,right",
                                          "--family",
                                          "bernoulli",
                                          "--experts",
                                          "6",
                                          "--seed",
                                          "1",
                                          absl::StrCat("--server=", address_)};
    arguments.insert(arguments.end(), options.begin(), options.end());
    Program program(arguments, POE_COMMAND_BINARY);
    Answer answer;
    answer.output = program.ReadAll();
    answer.status = program.Wait();
    return answer;
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Program> server_;
  std::string address_;
};

TEST_F(ServerFileCommandTest, TrainsOnAFileOfTheServer) {
  StartServer({});
  const Answer trained = Train("rows.csv", {"--epochs", "5"});
  EXPECT_EQ(trained.status, 0) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("sides version 1: 100 rows"));

  const Answer missing = Train("nothing.csv", {});
  EXPECT_NE(missing.status, 0);
  EXPECT_THAT(missing.output, HasSubstr("data_file: cannot read nothing.csv"));
  const Answer outside = Train("../models/MANIFEST", {});
  EXPECT_NE(outside.status, 0);
  EXPECT_THAT(outside.output,
              HasSubstr("data_file is \"../models/MANIFEST\"; must be"));
}

TEST_F(ServerFileCommandTest, LimitsOfATrainingAreThoseOfTheFlags) {
  StartServer({"--max_training_rows=99", "--max_experts=6"});
  const Answer rows = Train("rows.csv", {"--epochs", "5"});
  EXPECT_NE(rows.status, 0);
  EXPECT_THAT(rows.output, HasSubstr("at most 99 are allowed"));
  const Answer experts = Train("rows.csv", {"--next-layers", "1"});
  EXPECT_NE(experts.status, 0);
  EXPECT_THAT(experts.output,
              HasSubstr("ask for 7 experts of one class, all layers together; "
                        "at most 6"));
}

TEST_F(ServerFileCommandTest, ATrainingEndsWithItsTime) {
  StartServer({"--max_training_seconds=0.1"});
  const Answer endless = Train("rows.csv", {"--updates", "1000000000"});
  EXPECT_NE(endless.status, 0);
  EXPECT_THAT(endless.output, HasSubstr("the training has run for 100ms"));
}

}  // namespace
}  // namespace poe::server
