#include "tests/e2e/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

extern char** environ;

namespace poe::server {

Program::Program(const std::vector<std::string>& arguments,
                 const std::string& path) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  EXPECT_EQ(
      posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(), environ),
      0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  output_ = fdopen(ends[0], "r");
}

Program::~Program() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  fclose(output_);
}

std::string Program::ReadLineWith(absl::string_view text) {
  std::string all, line;
  for (int c = getc(output_); c != EOF; c = getc(output_)) {
    all.push_back(static_cast<char>(c));
    if (c != '\n') {
      line.push_back(static_cast<char>(c));
    } else if (absl::StrContains(line, text)) {
      return line;
    } else {
      line.clear();
    }
  }
  return all;
}

std::string Program::ReadAll() {
  std::string all;
  for (int c = getc(output_); c != EOF; c = getc(output_)) {
    all.push_back(static_cast<char>(c));
  }
  return all;
}

void Program::Signal(int signal) { kill(pid_, signal); }

int Program::Wait() {
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace poe::server
