#include "server/row_answers.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace poe::server {
namespace {

absl::StatusOr<RowAnswer> AskFor(const Model& model, const RawRows& rows,
                                 const ScoreOptions& options,
                                 const Workers& workers, InterruptCheck check) {
  return Score(model, rows, options, workers, check);
}

absl::StatusOr<RowAnswer> AskFor(const Model& model, const RawRows& rows,
                                 const ReconstructOptions& options,
                                 const Workers& workers, InterruptCheck check) {
  return Reconstruct(model, rows, options, workers, check);
}

// What is empty stays so.
template <typename Scalar>
RowMatrix<Scalar> PartOf(const RowMatrix<Scalar>& whole, Index begin,
                         Index end) {
  if (whole.rows() == 0) return whole;
  return whole.middleRows(begin, end - begin);
}

template <typename T>
std::vector<T> PartOf(const std::vector<T>& whole, Index begin, Index end) {
  if (whole.empty()) return whole;
  return std::vector<T>(whole.begin() + begin, whole.begin() + end);
}

template <typename Scalar>
std::vector<RowMatrix<Scalar>> PartOfEach(
    const std::vector<RowMatrix<Scalar>>& wholes, Index begin, Index end) {
  std::vector<RowMatrix<Scalar>> parts;
  parts.reserve(wholes.size());
  for (const RowMatrix<Scalar>& whole : wholes) {
    parts.push_back(PartOf(whole, begin, end));
  }
  return parts;
}

Scores PartOf(const Scores& whole, const RawRows& rows, Index begin,
              Index end) {
  Scores part;
  part.log_scores = PartOf(whole.log_scores, begin, end);
  part.log_probabilities = PartOf(whole.log_probabilities, begin, end);
  if (!whole.lengths.empty()) {
    std::set<Index> lengths;
    for (Index n = begin; n < end; ++n) {
      lengths.insert(rows.starts.empty() ? 0 : rows.length(n));
    }
    part.lengths.assign(lengths.begin(), lengths.end());
    for (const std::vector<LogPartition>& of_class :
         whole.computed_log_partitions) {
      std::vector<LogPartition>& kept =
          part.computed_log_partitions.emplace_back();
      std::copy_if(of_class.begin(), of_class.end(), std::back_inserter(kept),
                   [&lengths](const LogPartition& known) {
                     return lengths.contains(known.length);
                   });
    }
  }
  part.labels = PartOf(whole.labels, begin, end);
  part.margins = PartOf(whole.margins, begin, end);
  part.probabilities = PartOf(whole.probabilities, begin, end);
  part.percentiles = PartOf(whole.percentiles, begin, end);
  part.out_of_support = PartOf(whole.out_of_support, begin, end);
  if (std::find(part.out_of_support.begin(), part.out_of_support.end(), true) ==
      part.out_of_support.end()) {
    part.out_of_support.clear();
  }
  part.standard_errors = PartOf(whole.standard_errors, begin, end);
  part.expert_log_scores = PartOfEach(whole.expert_log_scores, begin, end);
  part.objections = PartOfEach(whole.objections, begin, end);
  return part;
}

Reconstructions PartOf(const Reconstructions& whole, const RawRows& rows,
                       Index begin, Index end) {
  return {PartOf(whole.values, rows.start(begin), rows.start(end)),
          PartOf(whole.classes, begin, end)};
}

}  // namespace

absl::StatusOr<RowAnswer> Ask(const Model& model, const RawRows& rows,
                              const RowQuestion& question,
                              const Workers& workers, InterruptCheck check) {
  return std::visit(
      [&](const auto& options) {
        return AskFor(model, rows, options, workers, check);
      },
      question);
}

bool CanJoin(const RawRows& one, const RawRows& other) {
  return one.observed.empty() == other.observed.empty() &&
         one.starts.empty() == other.starts.empty() &&
         one.values.cols() == other.values.cols();
}

JoinedRows::JoinedRows(absl::Span<const RawRows> parts) {
  Index frames = 0;
  for (const RawRows& part : parts) frames += part.values.rows();
  values_.resize(frames, parts[0].values.cols());
  Index first = 0;
  for (const RawRows& part : parts) {
    values_.middleRows(first, part.values.rows()) = part.values;
    observed_.insert(observed_.end(), part.observed.begin(),
                     part.observed.end());
    for (Index n = 0; n < part.size(); ++n) {
      row_ids_.push_back(part.row_id(n));
      if (!part.starts.empty()) starts_.push_back(first + part.start(n));
    }
    first += part.values.rows();
  }
  if (!starts_.empty()) starts_.push_back(first);
}

RawRows JoinedRows::View() const {
  return RawRows{{values_.data(), values_.rows(), values_.cols()},
                 row_ids_,
                 observed_,
                 starts_};
}

RowAnswer Part(const RowAnswer& whole, const RawRows& rows, Index begin,
               Index end) {
  return std::visit(
      [&](const auto& answer) -> RowAnswer {
        return PartOf(answer, rows, begin, end);
      },
      whole);
}

}  // namespace poe::server
