#include "server/thread_priority.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include <algorithm>

#include "spdlog/spdlog.h"

namespace poe::server {

void LowerThreadPriority(int niceness, absl::string_view work) {
  if (niceness == 0) return;
  // On Linux, process 0 is this thread.
  const int wanted = std::max(niceness, getpriority(PRIO_PROCESS, 0));
  if (setpriority(PRIO_PROCESS, 0, wanted) != 0) {
    spdlog::warn("{} runs at normal priority: {}",
                 std::string_view(work.data(), work.size()), strerror(errno));
  }
}

}  // namespace poe::server
