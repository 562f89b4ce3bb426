#include "tests/e2e/soak_report.h"

#include <stdlib.h>

#include <fstream>
#include <iomanip>
#include <iostream>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace poe::server {
namespace {

struct Figure {
  std::string name;
  double value;
  std::string bar;
  bool held;
};

// Prints and writes itself when the tests have ended.
class Table final : public testing::Environment {
 public:
  void TearDown() override {
    nlohmann::json list = nlohmann::json::array();
    std::cout << std::left << std::setw(52) << "case" << std::setw(12)
              << "figure" << std::setw(24) << "bar"
              << "held\n";
    for (const Figure& figure : figures) {
      std::cout << std::setw(52) << figure.name << std::setw(12) << figure.value
                << std::setw(24) << figure.bar << (figure.held ? "yes" : "no")
                << "\n";
      list.push_back({{"case", figure.name},
                      {"figure", figure.value},
                      {"bar", figure.bar},
                      {"held", figure.held}});
    }
    if (const char* const path = getenv("POE_SOAK_JSON")) {
      std::ofstream(path) << list.dump(2) << "\n";
    }
  }

  std::vector<Figure> figures;
};

Table& TheTable() {
  static auto* const table =
      static_cast<Table*>(testing::AddGlobalTestEnvironment(new Table));
  return *table;
}

// Before the tests begin, so that it is told when they end.
[[maybe_unused]] const Table& at_start = TheTable();

}  // namespace

bool IsLongForm() {
  const char* const asked = getenv("POE_SOAK");
  return asked != nullptr && std::string_view(asked) == "1";
}

void Report(const std::string& name, double figure, const std::string& bar,
            bool held, bool decides) {
  TheTable().figures.push_back({name, figure, bar, held});
  if (decides) {
    EXPECT_TRUE(held) << name << ": " << figure << ", bar " << bar;
  }
}

}  // namespace poe::server
