#include "server/process_usage.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace poe::server {
namespace {

// Fields of /proc/self/stat after the name of the program, which may hold
// anything but ends with the last parenthesis: see proc(5), whose third is the
// first here.
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  const std::size_t end_of_name = text.rfind(") ");
  if (end_of_name == std::string::npos) return {};
  return absl::StrSplit(absl::string_view(text).substr(end_of_name + 2), ' ');
}

constexpr std::size_t kStartTicks = 19;
constexpr std::size_t kResidentPages = 21;

std::int64_t Number(const std::vector<std::string>& fields, std::size_t n) {
  std::int64_t number = 0;
  if (n >= fields.size() || !absl::SimpleAtoi(fields[n], &number)) return 0;
  return number;
}

int CountOpenFiles() {
  std::error_code error;
  int count = 0;
  for (std::filesystem::directory_iterator file("/proc/self/fd", error), end;
       !error && file != end; file.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  const std::vector<std::string> fields = StatFields();
  usage.resident_bytes = Number(fields, kResidentPages) * sysconf(_SC_PAGESIZE);
  usage.open_files = CountOpenFiles();
  rusage times = {};
  if (getrusage(RUSAGE_SELF, &times) == 0) {
    usage.cpu = absl::DurationFromTimeval(times.ru_utime) +
                absl::DurationFromTimeval(times.ru_stime);
  }
  timespec since_boot = {};
  if (clock_gettime(CLOCK_BOOTTIME, &since_boot) == 0) {
    const double start = static_cast<double>(Number(fields, kStartTicks)) /
                         static_cast<double>(sysconf(_SC_CLK_TCK));
    usage.start = absl::Now() - absl::DurationFromTimespec(since_boot) +
                  absl::Seconds(start);
  }
  return usage;
}

}  // namespace poe::server
