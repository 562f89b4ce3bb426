// What a server under stress says of itself at /metrics.
#ifndef POE_TESTS_E2E_SOAK_METRICS_H_
#define POE_TESTS_E2E_SOAK_METRICS_H_

#include <string>
#include <vector>

#include "tests/e2e/program.h"

namespace poe::server {

// Makes a server answer HTTP.
inline constexpr char kHttpFlag[] = "--http=127.0.0.1:0";

class SoakMetrics {
 public:
  // Of a server that was started with kHttpFlag and whose address alone has
  // been read.
  explicit SoakMetrics(Program& server);

  // Sum over the series of this name that have all these labels, each as
  // name="value"; 0 of none. A page that does not come fails the test.
  double Sum(const std::string& name,
             const std::vector<std::string>& labels) const;

 private:
  std::string address_;
};

}  // namespace poe::server

#endif  // POE_TESTS_E2E_SOAK_METRICS_H_
