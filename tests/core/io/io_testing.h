#ifndef POE_TESTS_CORE_IO_IO_TESTING_H_
#define POE_TESTS_CORE_IO_IO_TESTING_H_

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/data_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}

template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Matches a Status or StatusOr with this code and this text in its message.
MATCHER_P2(IsError, code, text, "") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << "which is " << status;
  return status.code() == code && absl::StrContains(status.message(), text);
}

MATCHER_P(IsInvalid, text, "") {
  return testing::ExplainMatchResult(
      IsError(absl::StatusCode::kInvalidArgument, text), arg, result_listener);
}

// The values of a file that should hold elements of this type.
template <typename T>
std::vector<T> ValuesOf(const DataFile& file) {
  const auto* values = std::get_if<std::vector<T>>(&file.values);
  if (values == nullptr) {
    ADD_FAILURE() << "the values are of alternative " << file.values.index();
    return {};
  }
  return *values;
}

// A path in the temporary folder, of a file that is not there (any more).
inline std::string FreshPath(const std::string& name) {
  const testing::TestInfo& test =
      *testing::UnitTest::GetInstance()->current_test_info();
  const std::string path = absl::StrCat(
      testing::TempDir(), test.test_suite_name(), ".", test.name(), ".", name);
  std::remove(path.c_str());
  return path;
}

inline void Store(const std::string& path, absl::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace poe

#endif  // POE_TESTS_CORE_IO_IO_TESTING_H_
