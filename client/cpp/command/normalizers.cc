#include "client/cpp/command/normalizers.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

std::string Measured(double value, double standard_error) {
  if (standard_error == 0) return absl::StrFormat("%.4f", value);
  return absl::StrFormat("%.4f ± %.4f", value, standard_error);
}

std::string MethodText(v1::LogPartition::Method method) {
  switch (method) {
    case v1::LogPartition::METHOD_EXACT:
      return "exact";
    case v1::LogPartition::METHOD_AIS_FORWARD:
      return "annealed, forward";
    case v1::LogPartition::METHOD_AIS_REVERSE:
      return "annealed, reverse";
    default:
      return v1::LogPartition::Method_Name(method);
  }
}

template <typename Messages>
absl::Status AddList(const Messages& messages, const char* name,
                     Json& document) {
  if (messages.empty()) return absl::OkStatus();
  Json& list = document[name] = Json::array();
  for (const auto& message : messages) {
    absl::StatusOr<Json> json = MessageJson(message);
    if (!json.ok()) return json.status();
    list.push_back(*std::move(json));
  }
  return absl::OkStatus();
}

}  // namespace

bool AreEstimated(const LogPartitions& known) {
  return std::any_of(known.begin(), known.end(),
                     [](const v1::LogPartition& one) {
                       return one.method() != v1::LogPartition::METHOD_EXACT;
                     });
}

std::string NormalizerTable(const LogPartitions& known,
                            const LogPartitionDifferences& differences) {
  if (known.empty() && differences.empty()) return "";
  const auto has_length = [](const auto& one) { return one.length() > 0; };
  const bool lengths =
      std::any_of(known.begin(), known.end(), has_length) ||
      std::any_of(differences.begin(), differences.end(), has_length);
  std::vector<Table::Column> columns = {{"log Z of"}};
  if (lengths) columns.push_back({"length", Table::Align::kRight});
  columns.push_back({"value", Table::Align::kRight});
  columns.push_back({"method"});
  Table table(columns);
  const auto add = [&](const std::string& of, const auto& one,
                       const std::string& method) {
    std::vector<std::string> cells = {of};
    if (lengths) cells.push_back(absl::StrCat(one.length()));
    cells.push_back(Measured(one.value(), one.standard_error()));
    cells.push_back(method);
    table.AddRow(cells);
  };
  for (const v1::LogPartition& one : known) {
    add(one.class_name(), one, MethodText(one.method()));
  }
  for (const v1::LogPartitionDifference& one : differences) {
    add(absl::StrCat(one.class_name(), " less ", one.other_class_name()), one,
        "acceptance ratio");
  }
  return table.ToString();
}

absl::Status AddNormalizers(const LogPartitions& known,
                            const LogPartitionDifferences& differences,
                            Json& document) {
  absl::Status status = AddList(known, "log_partitions", document);
  status.Update(AddList(differences, "log_partition_differences", document));
  return status;
}

}  // namespace poe::client
