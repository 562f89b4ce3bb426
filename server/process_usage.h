// What the process uses of the machine.
#ifndef POE_SERVER_PROCESS_USAGE_H_
#define POE_SERVER_PROCESS_USAGE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace poe::server {

struct ProcessUsage {
  std::int64_t resident_bytes = 0;
  absl::Duration cpu;  // user and system, of all threads
  int open_files = 0;
  absl::Time start;
};

// As Linux says; what it does not say is 0. Thread-safe.
ProcessUsage ReadProcessUsage();

}  // namespace poe::server

#endif  // POE_SERVER_PROCESS_USAGE_H_
