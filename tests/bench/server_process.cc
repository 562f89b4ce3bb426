#include "tests/bench/server_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace poe::bench {
namespace {

[[noreturn]] void Fail(absl::string_view message) {
  std::cerr << message << "\n";
  std::exit(EXIT_FAILURE);
}

}  // namespace

ServerProcess::ServerProcess(const std::string& binary,
                             const std::vector<std::string>& flags) {
  std::string folder =
      (std::filesystem::temp_directory_path() / "poe-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    Fail(absl::StrCat("cannot make ", folder));
  }
  repository_ = folder;

  int ends[2];
  if (pipe(ends) != 0) Fail("cannot make a pipe");
  std::vector<std::string> arguments = {
      binary, absl::StrCat("--repository=", repository_),
      "--listen=127.0.0.1:0", "--log_level=warning"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) Fail("cannot fork");
  if (pid_ == 0) {
    // However this program ends, the server goes with it.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(EXIT_FAILURE);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execv(binary.c_str(), argv.data());
    _exit(EXIT_FAILURE);
  }
  close(ends[1]);

  std::FILE* output = fdopen(ends[0], "r");
  char line[256] = "";
  const bool answered = std::fgets(line, sizeof(line), output) != nullptr;
  std::fclose(output);
  absl::string_view address = absl::StripSuffix(line, "\n");
  if (!answered || !absl::ConsumePrefix(&address, "listening on ")) {
    Fail(absl::StrCat(binary, " did not start"));
  }
  address_ = std::string(address);
}

ServerProcess::~ServerProcess() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  std::filesystem::remove_all(repository_);
}

absl::Duration ServerProcess::CpuTime() const {
  clockid_t clock;
  timespec time = {};
  if (clock_getcpuclockid(pid_, &clock) != 0 ||
      clock_gettime(clock, &time) != 0) {
    Fail("the server has ended");
  }
  return absl::DurationFromTimespec(time);
}

}  // namespace poe::bench
