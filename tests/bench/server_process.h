// The real poe-server as a child process.
#ifndef POE_TESTS_BENCH_SERVER_PROCESS_H_
#define POE_TESTS_BENCH_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace poe::bench {

// Runs a server on a free port with an empty repository in a temporary folder.
// Exits the program with a message if it does not start.
class ServerProcess {
 public:
  // `binary` is the path of poe-server, `flags` are added to its own.
  explicit ServerProcess(const std::string& binary,
                         const std::vector<std::string>& flags = {});
  // Ends the server and removes the repository.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }

  // Processor time it has used so far.
  absl::Duration CpuTime() const;

 private:
  std::string repository_;
  std::string address_;
  pid_t pid_ = 0;
};

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_SERVER_PROCESS_H_
