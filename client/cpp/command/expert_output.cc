// Experts as text and JSON.
#include "client/cpp/command/expert_output.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cpp/command/coordinates.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

// What the table says of one expert at most.
constexpr size_t kMostNamed = 4;
// Symbols that are less likely are not named.
constexpr double kLeastProbability = 0.001;

// What the columns of the table are called for experts of one kind.
struct Headings {
  std::string state;
  std::string strength;
  std::string rest;
};

Headings HeadingsOf(const Expert& expert) {
  switch (expert.kind) {
    case ExpertKind::kUnits:
      return {"", "bias", "strongest weights"};
    case ExpertKind::kUnigauss:
      return {"", "share", "surest"};
    case ExpertKind::kMixture:
      return {"component", "share", "surest"};
    case ExpertKind::kMarkov:
      return {"state", "share",
              expert.probabilities.empty() ? "surest" : "likely symbols"};
    case ExpertKind::kDynamics:
      return {"", "modulus", "strongest signals (and noise)"};
    case ExpertKind::kTree:
      return {"tree", "share", "strongest edges"};
  }
  return {};
}

// The first few of 0 .. size - 1 by falling importance; those that an expert
// does not see have NaN and are left out.
template <typename Importance>
std::vector<size_t> MostImportant(size_t size, Importance importance) {
  std::vector<size_t> order;
  for (size_t i = 0; i < size; ++i) {
    if (!std::isnan(importance(i))) order.push_back(i);
  }
  const size_t shown = std::min(order.size(), kMostNamed);
  std::partial_sort(
      order.begin(), order.begin() + shown, order.end(),
      [&](size_t a, size_t b) { return importance(a) > importance(b); });
  order.resize(shown);
  return order;
}

using Named = std::vector<std::string>;

std::string WeightName(const v1::DataSpec& spec, int layer, size_t i) {
  if (layer > 0) return CoordinateName(spec, layer, i);
  const std::vector<int64_t> firsts = FirstWeights(spec);
  const auto place = static_cast<int64_t>(i);
  const auto next = std::upper_bound(firsts.begin(), firsts.end(), place);
  const int64_t first = *(next - 1);
  const std::string name =
      CoordinateName(spec, layer, next - firsts.begin() - 1);
  return *next - first == 1 ? name : absl::StrCat(name, "=", place - first);
}

Named NameWeights(const Expert& expert, const v1::DataSpec& spec, int layer) {
  Named named;
  for (const size_t i : MostImportant(expert.values.size(), [&](size_t i) {
         return std::abs(expert.values[i]);
       })) {
    named.push_back(absl::StrCat(WeightName(spec, layer, i), " ",
                                 FormatNumber(expert.values[i])));
  }
  return named;
}

Named NameGaussians(const Expert& expert, const v1::DataSpec& spec, int layer) {
  Named named;
  for (const size_t i : MostImportant(expert.values.size(), [&](size_t i) {
         return 1 / expert.deviations[i];
       })) {
    named.push_back(absl::StrCat(CoordinateName(spec, layer, i), " ",
                                 FormatNumber(expert.values[i]), " ± ",
                                 FormatNumber(expert.deviations[i])));
  }
  return named;
}

Named NameSymbols(const Expert& expert, const v1::DataSpec& spec, int layer) {
  const size_t symbols = spec.num_symbols();
  Named named;
  for (const size_t i :
       MostImportant(expert.probabilities.size(),
                     [&](size_t i) { return expert.probabilities[i]; })) {
    if (!(expert.probabilities[i] >= kLeastProbability)) continue;
    named.push_back(absl::StrFormat("%s=%d %.3f",
                                    CoordinateName(spec, layer, i / symbols),
                                    i % symbols, expert.probabilities[i]));
  }
  return named;
}

Named NameSignals(const Expert& expert, const v1::DataSpec& spec, int layer) {
  Named named;
  for (const size_t i : MostImportant(
           expert.values.size(), [&](size_t i) { return expert.values[i]; })) {
    named.push_back(absl::StrCat(CoordinateName(spec, layer, i), " ",
                                 FormatNumber(expert.values[i]), " (",
                                 FormatNumber(expert.deviations[i]), ")"));
  }
  return named;
}

Named NameEdges(const Expert& expert, const v1::DataSpec& spec, int layer) {
  Named named;
  for (const size_t i : MostImportant(expert.edges.size(), [&](size_t i) {
         return std::abs(expert.edges[i].weight);
       })) {
    const Expert::Edge& edge = expert.edges[i];
    named.push_back(absl::StrCat(CoordinateName(spec, layer, edge.parent), "-",
                                 CoordinateName(spec, layer, edge.child), " ",
                                 FormatNumber(edge.weight)));
  }
  return named;
}

Named NameMost(const Expert& expert, const v1::DataSpec& spec, int layer) {
  if (expert.kind == ExpertKind::kUnits) {
    return NameWeights(expert, spec, layer);
  }
  if (expert.kind == ExpertKind::kDynamics) {
    return NameSignals(expert, spec, layer);
  }
  if (expert.kind == ExpertKind::kTree) return NameEdges(expert, spec, layer);
  if (!expert.probabilities.empty()) return NameSymbols(expert, spec, layer);
  return NameGaussians(expert, spec, layer);
}

std::string Strength(const Expert& expert) {
  if (expert.kind != ExpertKind::kDynamics) {
    return absl::StrFormat("%.3f", expert.strength);
  }
  return absl::StrJoin(expert.moduli, " ", [](std::string* text, double value) {
    absl::StrAppendFormat(text, "%.3f", value);
  });
}

// Adds a heading to those of other kinds that stand over the same column.
void Add(const std::string& heading, std::vector<std::string>& headings) {
  if (!heading.empty() &&
      std::find(headings.begin(), headings.end(), heading) == headings.end()) {
    headings.push_back(heading);
  }
}

Json NumberList(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(JsonNumber(value));
  return list;
}

// A row-major matrix as a list of rows.
Json MatrixJson(const std::vector<double>& values, size_t columns) {
  Json rows = Json::array();
  for (size_t first = 0; first < values.size(); first += columns) {
    rows.push_back(
        NumberList({values.begin() + first, values.begin() + first + columns}));
  }
  return rows;
}

}  // namespace

std::string CoordinateName(const v1::DataSpec& spec, int layer, size_t i) {
  const auto index = static_cast<int>(i);
  if (layer > 0 || index >= spec.coordinate_names_size()) {
    return absl::StrCat("[", i, "]");
  }
  return spec.coordinate_names(index);
}

std::string ExpertTable(const std::vector<Expert>& experts,
                        const v1::DataSpec& spec, int layer) {
  constexpr auto kRight = Table::Align::kRight;
  std::vector<std::string> states, strengths, rests;
  for (const Expert& expert : experts) {
    const Headings headings = HeadingsOf(expert);
    Add(headings.state, states);
    Add(headings.strength, strengths);
    Add(headings.rest, rests);
  }
  std::vector<Table::Column> columns = {{"class"}, {"expert", kRight}};
  if (!states.empty()) {
    columns.push_back({absl::StrJoin(states, " or "), kRight});
  }
  columns.push_back({absl::StrJoin(strengths, " or "), kRight});
  columns.push_back({absl::StrJoin(rests, " or ")});
  Table table(columns);
  for (const Expert& expert : experts) {
    std::vector<std::string> cells = {expert.class_name,
                                      absl::StrCat(expert.number)};
    if (!states.empty()) {
      cells.push_back(expert.state < 0 ? "" : absl::StrCat(expert.state));
    }
    cells.push_back(Strength(expert));
    cells.push_back(absl::StrJoin(NameMost(expert, spec, layer), "  "));
    table.AddRow(cells);
  }
  return table.ToString();
}

Json ExpertJson(const Expert& expert) {
  const Headings headings = HeadingsOf(expert);
  Json object;
  object["class"] = expert.class_name;
  object["expert"] = expert.number;
  object["kind"] = KindName(expert.kind);
  if (expert.state >= 0) object[headings.state] = expert.state;
  if (expert.kind == ExpertKind::kUnits) {
    object["bias"] = JsonNumber(expert.strength);
    object["weights"] = NumberList(expert.values);
    return object;
  }
  if (expert.kind == ExpertKind::kDynamics) {
    object["moduli"] = NumberList(expert.moduli);
    object["signal"] = NumberList(expert.values);
    object["noise"] = NumberList(expert.deviations);
    const size_t latent = expert.moduli.size();
    object["transition"] = MatrixJson(expert.transition, latent);
    object["transition_noise"] = MatrixJson(expert.transition_noise, latent);
    object["emission"] = MatrixJson(expert.emission, latent);
    return object;
  }
  object["share"] = JsonNumber(expert.strength);
  if (expert.kind == ExpertKind::kMarkov) {
    object["initial"] = JsonNumber(expert.initial);
    object["next"] = NumberList(expert.next);
  }
  if (expert.kind == ExpertKind::kTree) {
    Json& edges = object["edges"] = Json::array();
    for (const Expert::Edge& edge : expert.edges) {
      edges.push_back({{"parent", edge.parent},
                       {"child", edge.child},
                       {"weight", JsonNumber(edge.weight)}});
    }
  } else if (!expert.probabilities.empty()) {
    object["probabilities"] = NumberList(expert.probabilities);
  } else {
    object["mean"] = NumberList(expert.values);
    object["standard_deviation"] = NumberList(expert.deviations);
  }
  return object;
}

}  // namespace poe::client
