// The programs, run as users run them.
#ifndef POE_TESTS_E2E_PROGRAM_H_
#define POE_TESTS_E2E_PROGRAM_H_

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace poe::server {

// A running program, poe-server unless `path` is another, whose standard output
// and error go to one pipe.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments,
                   const std::string& path = POE_SERVER_BINARY);
  // Kills what still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The next line of output that contains `text`; where none does before the
  // program ends, all that it said instead.
  std::string ReadLineWith(absl::string_view text);
  std::string ReadAll();

  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // The exit status; minus the signal that killed it, if one did.
  int Wait();

 private:
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
};

}  // namespace poe::server

#endif  // POE_TESTS_E2E_PROGRAM_H_
