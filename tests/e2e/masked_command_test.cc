// Training by the command on rows of which a mask says what is missing.
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/e2e/program.h"

namespace poe::server {
namespace {

// Under the mask stand numbers that no bit has.
class MaskedCommandTest : public ::testing::Test {
 protected:
  MaskedCommandTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    std::ofstream rows(folder_ / "rows.csv"), mask(folder_ / "mask.csv"),
        short_mask(folder_ / "short.csv");
    rows << "a,b,c\n";
    mask << "a,b,c\n";
    short_mask << "a,b\n1,1\n";
    for (int n = 0; n < 100; ++n) {
      rows << (n % 2 == 0 ? "1,1,7\n" : "0,0,1\n");
      mask << (n % 2 == 0 ? "1,1,0\n" : "1,1,1\n");
    }
    server_ = std::make_unique<Program>(std::vector<std::string>{
        absl::StrCat("--repository=", (folder_ / "models").string()),
        "--listen=localhost:0"});
    const std::string line = server_->ReadLineWith("listening on ");
    address_ = std::string(absl::StripPrefix(line, "listening on "));
  }
  ~MaskedCommandTest() override {
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->Wait(), 0);
    std::filesystem::remove_all(folder_);
  }

  // The exit status of poe train with a mask, or without one.
  int Train(const std::string& mask) const {
    std::vector<std::string> arguments = {"train",
                                          "gaps",
                                          "--data",
                                          (folder_ / "rows.csv").string(),
                                          "--family",
                                          "bernoulli",
                                          "--kind",
                                          "units:4",
                                          "--epochs",
                                          "3",
                                          "--seed",
                                          "1",
                                          "--server=" + address_};
    if (!mask.empty()) {
      arguments.push_back("--mask");
      arguments.push_back((folder_ / mask).string());
    }
    Program program(arguments, POE_COMMAND_BINARY);
    program.ReadAll();
    return program.Wait();
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Program> server_;
  std::string address_;
};

TEST_F(MaskedCommandTest, WhatStandsUnderTheMaskIsNotSeen) {
  EXPECT_NE(Train(""), 0);
  EXPECT_NE(Train("short.csv"), 0);
  EXPECT_EQ(Train("mask.csv"), 0);
}

}  // namespace
}  // namespace poe::server
