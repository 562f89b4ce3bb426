#include "tests/e2e/soak_metrics.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "httplib.h"

namespace poe::server {

SoakMetrics::SoakMetrics(Program& server) {
  const std::string line = server.ReadLineWith("http on ");
  absl::string_view address = line;
  EXPECT_TRUE(absl::ConsumePrefix(&address, "http on ")) << line;
  address_ = absl::StrCat("http://", address);
}

double SoakMetrics::Sum(const std::string& name,
                        const std::vector<std::string>& labels) const {
  httplib::Client client(address_);
  const httplib::Result page = client.Get("/metrics");
  if (page == nullptr || page->status != 200) {
    ADD_FAILURE() << address_ << "/metrics does not come";
    return 0;
  }
  double sum = 0;
  for (const absl::string_view line : absl::StrSplit(page->body, '\n')) {
    const bool is_meant =
        absl::StartsWith(line, absl::StrCat(name, "{")) &&
        std::all_of(labels.begin(), labels.end(), [&](const std::string& one) {
          return absl::StrContains(line, one);
        });
    double value = 0;
    if (is_meant &&
        absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value)) {
      sum += value;
    }
  }
  return sum;
}

}  // namespace poe::server
