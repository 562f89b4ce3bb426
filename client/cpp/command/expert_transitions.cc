// How the latent states of experts over sequences move, as text.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cpp/command/expert_output.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

// Lines stay within 80 columns.
constexpr int64_t kMostEntries = 4;

// The numbers of the greatest of `size` entries by modulus, NaN left out.
std::vector<int64_t> GreatestEntries(
    int64_t size, const std::function<double(int64_t)>& entry) {
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](int64_t i) { return std::isnan(entry(i)); });
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return std::abs(entry(a)) > std::abs(entry(b));
  });
  if (static_cast<int64_t>(order.size()) > kMostEntries) {
    order.resize(kMostEntries);
  }
  return order;
}

std::string NameFollowers(const std::vector<double>& next) {
  const auto share = [&](int64_t k) { return next[k]; };
  std::vector<std::string> named;
  for (const int64_t k :
       GreatestEntries(static_cast<int64_t>(next.size()), share)) {
    named.push_back(absl::StrFormat("%d %.3f", k, next[k]));
  }
  return absl::StrJoin(named, "  ");
}

std::string MarkovTable(const std::vector<Expert>& experts) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"class"},
               {"expert", kRight},
               {"state", kRight},
               {"first", kRight},
               {"likeliest next"}});
  bool any = false;
  for (const Expert& expert : experts) {
    if (expert.next.empty()) continue;
    any = true;
    table.AddRow({expert.class_name, absl::StrCat(expert.number),
                  absl::StrCat(expert.state),
                  absl::StrFormat("%.3f", expert.initial),
                  NameFollowers(expert.next)});
  }
  return any ? table.ToString() : "";
}

std::string DynamicsTable(const std::vector<Expert>& experts,
                          const v1::DataSpec& spec, int layer) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"class"},
               {"expert", kRight},
               {"matrix"},
               {"latent", kRight},
               {"greatest entries"}});
  bool any = false;
  for (const Expert& expert : experts) {
    const auto latent = static_cast<int64_t>(expert.moduli.size());
    const auto add_line = [&](const std::string& matrix, int64_t line,
                              int64_t size, const auto& entry,
                              const auto& name) {
      std::vector<std::string> named;
      for (const int64_t i : GreatestEntries(size, entry)) {
        named.push_back(absl::StrCat(name(i), " ", FormatNumber(entry(i))));
      }
      table.AddRow({expert.class_name, absl::StrCat(expert.number), matrix,
                    absl::StrCat(line), absl::StrJoin(named, "  ")});
    };
    const auto latent_name = [](int64_t i) {
      return absl::StrCat("[", i, "]");
    };
    const auto column_name = [&](int64_t i) {
      return CoordinateName(spec, layer, i);
    };
    for (int64_t k = 0; k < latent; ++k) {
      any = true;
      add_line(
          "A", k, latent,
          [&](int64_t i) { return expert.transition[k * latent + i]; },
          latent_name);
    }
    for (int64_t k = 0; k < latent; ++k) {
      add_line(
          "Q", k, latent,
          [&](int64_t i) { return expert.transition_noise[k * latent + i]; },
          latent_name);
    }
    for (int64_t k = 0; k < latent; ++k) {
      add_line(
          "C", k, static_cast<int64_t>(expert.emission.size()) / latent,
          [&](int64_t i) { return expert.emission[i * latent + k]; },
          column_name);
    }
  }
  return any ? table.ToString() : "";
}

}  // namespace

std::string TransitionTables(const std::vector<Expert>& experts,
                             const v1::DataSpec& spec, int layer) {
  std::string tables;
  for (const std::string& table :
       {MarkovTable(experts), DynamicsTable(experts, spec, layer)}) {
    if (!table.empty()) absl::StrAppend(&tables, "\n", table);
  }
  return tables;
}

}  // namespace poe::client
