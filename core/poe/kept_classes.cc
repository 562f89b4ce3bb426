#include "poe/kept_classes.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "poe/log_partition.h"

namespace poe {
namespace {

// Rows that are looked at together.
constexpr Index kSupportRows = 1000;

// Those of which log Z is there: "6", or "3 lengths from 4 to 6".
std::string DescribeLengths(const ClassModel& one) {
  std::set<Index> lengths;
  for (const LogPartition& known : one.log_partitions)
    lengths.insert(known.length);
  if (lengths.size() == 1) return absl::StrCat(*lengths.begin());
  return absl::StrCat(lengths.size(), " lengths from ", *lengths.begin(),
                      " to ", *lengths.rbegin());
}

}  // namespace

absl::Status ValidateKeptClasses(const TrainingSettings& settings) {
  const auto classes = static_cast<Index>(settings.class_names.size());
  Index before = -1;
  for (std::size_t i = 0; i < settings.kept_classes.size(); ++i) {
    const Index c = settings.kept_classes[i];
    if (c <= before || c >= classes)
      return absl::InvalidArgumentError(
          absl::StrCat("kept_classes[", i, "] is ", c,
                       "; they must be ascending, from 0 to ", classes - 1));
    before = c;
  }
  if (settings.KeepsAll() && !settings.separator.has_value())
    return absl::InvalidArgumentError(
        "all classes are kept, and no separator is to be fitted; nothing is "
        "left to do");
  return absl::OkStatus();
}

absl::Status ValidateKept(const TrainingSettings& settings,
                          const Model* earlier) {
  if (settings.kept_classes.empty() != (earlier == nullptr))
    return absl::InvalidArgumentError(
        earlier == nullptr
            ? "classes are kept, but there is no model that they are from"
            : "there is an earlier model, but no class of it is kept");
  if (earlier == nullptr) return absl::OkStatus();
  if (settings.data_spec != earlier->data_spec)
    return absl::InvalidArgumentError(
        "data_spec is not that of the model whose classes are kept");
  const std::size_t layers = settings.KeepsAll()
                                 ? earlier->classes[0].layers.size()
                                 : 1 + settings.next_layers.size();
  for (Index c : settings.kept_classes) {
    const std::string& name = settings.class_names[c];
    const ClassModel* kept = earlier->FindClass(name);
    if (kept == nullptr)
      return absl::InvalidArgumentError(
          absl::StrCat("class \"", name,
                       "\" is to be kept, but the earlier model has no class "
                       "of that name"));
    if (kept->layers.size() != layers)
      return absl::InvalidArgumentError(absl::StrCat(
          "class \"", name, "\", which is kept, has ", kept->layers.size(),
          " layers, but those that are trained get ", layers,
          "; all must have as many"));
  }
  return absl::OkStatus();
}

ClassModel KeepClass(const ClassModel& earlier, const DataSpec& spec,
                     absl::Span<const Index> lengths) {
  ClassModel kept;
  kept.name = earlier.name;
  kept.layers = earlier.layers;
  kept.log_partitions = earlier.log_partitions;
  std::vector<Index> without;
  for (Index length : lengths)
    if (earlier.FindLogPartition(length) == nullptr) without.push_back(length);
  const std::vector<LogPartition> exact =
      KnownLogPartitions(kept.layers[0], spec, without);
  kept.log_partitions.insert(kept.log_partitions.end(), exact.begin(),
                             exact.end());
  SortLogPartitions(kept.log_partitions);
  return kept;
}

bool KnowsLogPartitions(const ClassModel& one,
                        absl::Span<const Index> lengths) {
  return std::all_of(lengths.begin(), lengths.end(), [&one](Index length) {
    return one.FindLogPartition(length) != nullptr;
  });
}

absl::Status CheckKeptLengths(const ClassModel& kept, const DataSpec& spec,
                              absl::Span<const Index> lengths) {
  if (kept.log_partitions.empty()) return absl::OkStatus();
  const auto lacking =
      std::find_if(lengths.begin(), lengths.end(), [&kept](Index length) {
        return kept.FindLogPartition(length) == nullptr;
      });
  if (lacking == lengths.end()) return absl::OkStatus();
  const absl::Status exact =
      ExactLogPartition(kept.layers[0], spec, *lacking).status();
  if (exact.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "log Z kept with class \"", kept.name, "\" is for sequences of ",
      DescribeLengths(kept), " frames, not of ", *lacking,
      ", for which it is not known exactly: ", exact.message(),
      "; a separator would compare scores without it. Give sequences of the "
      "lengths for which it is kept, or ask for its estimate"));
}

absl::Status CheckSomeInSupport(absl::string_view class_name,
                                const RowSelection& training,
                                const Product<float>& product,
                                const Workers& workers, InterruptCheck check) {
  for (Index begin = 0; begin < training.size(); begin += kSupportRows) {
    if (absl::Status status = check(); !status.ok()) return status;
    const Index count = std::min(kSupportRows, training.size() - begin);
    Observations<float> x = training.Take(begin, count, workers);
    // Any value of the support stands in for a missing one.
    if (!training.rows().observed.empty()) {
      const GatheredRows gathered(
          training.rows(),
          absl::MakeConstSpan(training.numbers()).subspan(begin, count));
      KeepObserved(training.spec(), gathered.View(), 0, x);
      product.base().SampleStart({}, x);
    }
    const std::vector<bool> in_support = product.InSupport(x);
    if (std::find(in_support.begin(), in_support.end(), true) !=
        in_support.end())
      return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "class \"", class_name,
      "\" has no row within the box or range of the model whose classes are "
      "kept; train all classes together, or that model with a wider box"));
}

std::vector<ClassPartitionDifference> KeptDifferences(
    const TrainingSettings& settings, const Model& earlier) {
  // By index in the earlier model; -1: not kept.
  std::vector<Index> new_index(earlier.classes.size(), -1);
  for (Index c : settings.kept_classes)
    new_index[earlier.FindClass(settings.class_names[c]) -
              earlier.classes.data()] = c;
  std::vector<ClassPartitionDifference> kept;
  for (ClassPartitionDifference known : earlier.log_partition_differences) {
    const auto has_log_partition = [&](Index c) {
      return earlier.classes[c].FindLogPartition(known.length) != nullptr;
    };
    if (!has_log_partition(known.class_index) ||
        !has_log_partition(known.other_index))
      continue;
    known.class_index = new_index[known.class_index];
    known.other_index = new_index[known.other_index];
    if (known.class_index >= 0 && known.other_index >= 0) kept.push_back(known);
  }
  return kept;
}

}  // namespace poe
