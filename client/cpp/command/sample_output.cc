#include "client/cpp/command/sample_output.h"

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/table.h"

namespace poe::client {

int64_t Samples::rows() const {
  return lengths.empty()
             ? chains
             : std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
}

std::string SampleTable(const Samples& samples, const v1::DataSpec& spec) {
  constexpr auto kRight = Table::Align::kRight;
  std::vector<Table::Column> leading = {{"step", kRight}, {"chain", kRight}};
  if (spec.sequential()) leading.push_back({"row", kRight});
  std::vector<std::vector<std::string>> cells;
  for (const int32_t step : samples.steps) {
    for (int64_t chain = 0; chain < samples.chains; ++chain) {
      const int64_t length = spec.sequential() ? samples.lengths[chain] : 1;
      for (int64_t row = 0; row < length; ++row) {
        cells.push_back({absl::StrCat(step), absl::StrCat(chain)});
        if (spec.sequential()) cells.back().push_back(absl::StrCat(row));
      }
    }
  }
  return RowTable(spec, leading, cells, samples.values);
}

Json SampleJson(const Samples& samples, const v1::DataSpec& spec) {
  Json document;
  document["model"] = {{"name", samples.model.name()},
                       {"version", samples.model.version()}};
  document["seed"] = samples.seed;
  Json& list = document["samples"] = Json::array();
  const int64_t size = samples.rows() * spec.dimension();
  for (size_t i = 0; i < samples.steps.size(); ++i) {
    const auto part =
        absl::MakeConstSpan(samples.values).subspan(i * size, size);
    list.push_back({{"step", samples.steps[i]},
                    {"rows", RowsJson(spec, samples.lengths, part)}});
  }
  return document;
}

absl::Status WriteSamples(const std::string& path, const Samples& samples,
                          const v1::DataSpec& spec, bool all_steps) {
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < samples.steps.size(); ++i) {
    lengths.insert(lengths.end(), samples.lengths.begin(),
                   samples.lengths.end());
  }
  return WriteRows(path, spec,
                   all_steps ? static_cast<int64_t>(samples.steps.size()) : 0,
                   lengths, samples.values);
}

}  // namespace poe::client
