#include "poe/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "poe/exact_gradient.h"
#include "poe/hierarchy.h"
#include "poe/incomplete_scoring.h"
#include "poe/log_partition.h"

namespace poe {
namespace {

// Rows between two looks at the interrupt check; large enough that matrix
// products run at full speed.
constexpr Index kScoredRows = 512;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double LogJacobianOfFrame(const DataSpec& spec) {
  double sum = 0;
  for (Index i = 0; i < spec.dimension; ++i) sum += LogJacobian(spec, i);
  return sum;
}

// Labels, margins, probabilities and percentiles of rows whose log scores are
// known; rows out of support keep the values they have.
void Judge(const Model& model, const RowMatrix<double>& comparable,
           Scores& scores) {
  const Index rows = comparable.rows(), classes = model.num_classes();
  const Index layers = model.num_layers();
  auto supported = [&](Index n) { return comparable.row(n).allFinite(); };
  if (model.separator.has_value()) {
    RowMatrix<double> features = comparable;
    for (Index n = 0; n < rows; ++n)
      if (!supported(n)) features.row(n).setZero();
    const Classification judged = model.separator->Classify(features);
    scores.labels.assign(rows, -1);
    scores.margins.assign(rows, 0);
    for (Index n = 0; n < rows; ++n) {
      if (!supported(n)) continue;
      scores.labels[n] = judged.labels[n];
      scores.margins[n] = judged.margins[n];
    }
    if (model.calibration.has_value()) {
      scores.probabilities = model.calibration->Probabilities(judged.decisions);
      for (Index n = 0; n < rows; ++n)
        if (!supported(n)) scores.probabilities.row(n).setZero();
    }
  }
  const bool percentiles = std::all_of(
      model.classes.begin(), model.classes.end(),
      [](const ClassModel& c) { return c.percentiles.has_value(); });
  if (!percentiles) return;
  scores.percentiles.resize(rows, classes);
  for (Index n = 0; n < rows; ++n) {
    for (Index c = 0; c < classes; ++c) {
      const double sum = comparable.row(n).segment(c * layers, layers).sum();
      scores.percentiles(n, c) =
          std::isnan(sum) ? kNaN
                          : model.classes[c].percentiles->Percentile(sum);
    }
  }
}

// What the experts' log scores are against their usual verdicts.
void AddObjections(const Model& model, const RawRows& rows, Scores& scores) {
  std::vector<Index> frames;
  for (Index n = 0; n < rows.size(); ++n) frames.push_back(rows.length(n));
  for (Index c = 0; c < model.num_classes(); ++c) {
    const std::optional<UsualVerdicts>& usual = model.classes[c].usual_verdicts;
    scores.objections.push_back(
        usual.has_value()
            ? usual->Objections(scores.expert_log_scores[c], frames)
            : RowMatrix<float>());
  }
}

// The most combinations of outputs that are summed over for each row scored.
constexpr Index kMostListed = 64;

absl::StatusOr<ExactGradient<float>> Listed(const DataSpec& spec,
                                            const Product<float>& product,
                                            const Observations<float>& x) {
  const auto width = static_cast<std::size_t>(product.dimension());
  return ExactGradient<float>::Create(
      product, spec.num_symbols,
      absl::MakeConstSpan(x.clamped).subspan(0, width));
}

// log p(outputs | inputs) of the rows from `begin` on.
void AddConditional(
    const Model& model, const Product<float>& product,
    const Observations<float>& x, Index begin, const Workers& workers,
    Eigen::Ref<Vector<double>, 0, Eigen::InnerStride<>> log_probabilities) {
  const auto listed = Listed(model.data_spec, product, x);
  if (!listed.ok()) return;
  const std::vector<double> values = listed->LogProbabilities(x, workers);
  for (Index n = 0; n < x.size; ++n) log_probabilities(begin + n) = values[n];
}

// log p(x) where log Z is known or can be computed.
absl::Status Normalize(const Model& model, const RawRows& rows,
                       InterruptCheck check, Scores& scores) {
  const Index classes = model.num_classes(), layers = model.num_layers();
  const bool sequential = model.data_spec.sequential;
  if (std::all_of(model.classes.begin(), model.classes.end(),
                  [](const ClassModel& c) { return c.log_partitions.empty(); }))
    return absl::OkStatus();
  scores.log_probabilities.resize(rows.size(), classes);
  std::set<Index> lengths;
  for (Index n = 0; n < rows.size(); ++n)
    lengths.insert(sequential ? rows.length(n) : 0);
  scores.lengths.assign(lengths.begin(), lengths.end());
  for (Index c = 0; c < classes; ++c) {
    if (absl::Status status = check(); !status.ok()) return status;
    const ClassModel& one = model.classes[c];
    const std::vector<LogPartition>& computed =
        scores.computed_log_partitions.emplace_back(
            LogPartitionsOfOtherLengths(one, model.data_spec, scores.lengths));
    std::map<Index, double> log_z;
    for (const LogPartition& known : computed)
      log_z[known.length] = known.value;
    for (Index length : scores.lengths)
      if (const LogPartition* known = one.FindLogPartition(length))
        log_z[length] = known->value;
    for (Index n = 0; n < rows.size(); ++n) {
      const auto found = log_z.find(sequential ? rows.length(n) : 0);
      scores.log_probabilities(n, c) =
          scores.log_scores(n, c * layers) -
          (found == log_z.end() ? kNaN : found->second);
    }
  }
  return absl::OkStatus();
}

std::vector<Index> FindIncomplete(const RawRows& rows) {
  std::vector<Index> incomplete;
  for (Index n = 0; n < rows.size(); ++n)
    if (!rows.IsComplete(n)) incomplete.push_back(n);
  return incomplete;
}

// What is known of the rows numbered `incomplete` instead of what their
// placeholders gave.
absl::Status ReplaceIncomplete(const Model& model, const RawRows& rows,
                               absl::Span<const Index> incomplete,
                               const IncompleteScoreOptions& options,
                               const Workers& workers, InterruptCheck check,
                               std::vector<bool>& out_of_support,
                               Scores& scores) {
  if (incomplete.empty()) return absl::OkStatus();
  const Index layers = model.num_layers();
  const GatheredRows gathered(rows, incomplete);
  const auto estimated = ScoreIncomplete(model, gathered.View(), options,
                                         workers, check, IgnoreProgress);
  if (!estimated.ok()) return estimated.status();
  for (std::size_t i = 0; i < incomplete.size(); ++i) {
    const Index n = incomplete[i];
    const auto of_row = estimated->log_scores.row(static_cast<Index>(i));
    scores.log_scores.row(n).setConstant(kNaN);
    for (Index c = 0; c < model.num_classes(); ++c)
      scores.log_scores(n, c * layers) = of_row[c];
    out_of_support[n] = of_row.array().isInf().any();
    if (out_of_support[n])
      scores.log_scores.row(n).setConstant(
          -std::numeric_limits<double>::infinity());
    else
      scores.standard_errors.row(n) =
          estimated->standard_errors.row(static_cast<Index>(i));
    if (scores.log_probabilities.size() > 0)
      scores.log_probabilities.row(n).setConstant(kNaN);
    for (RowMatrix<double>& experts : scores.expert_log_scores)
      experts.row(n).setConstant(kNaN);
  }
  return absl::OkStatus();
}

}  // namespace

bool KnowsConditionalProbability(const DataSpec& spec,
                                 const Product<float>& product) {
  if (spec.input_coordinates.empty() || spec.sequential) return false;
  Observations<float> any = MakeDense<float>(1, spec.width());
  any.clamped = InputMask(spec);
  const auto listed = Listed(spec, product, any);
  return listed.ok() && listed->combinations() <= kMostListed;
}

RowMatrix<double> Comparable(const Model& model, const RawRows& rows,
                             const Scores& scores) {
  if (!model.data_spec.input_coordinates.empty())
    return scores.log_probabilities.size() > 0
               ? scores.log_probabilities
               : RowMatrix<double>::Constant(rows.size(), model.num_classes(),
                                             kNaN);
  if (!model.data_spec.sequential) return scores.log_scores;
  if (model.has_log_partitions()) return scores.log_probabilities;
  RowMatrix<double> comparable = scores.log_scores;
  for (Index n = 0; n < rows.size(); ++n)
    if (rows.length(n) != model.comparable_length)
      comparable.row(n).setConstant(kNaN);
  return comparable;
}

absl::StatusOr<Scores> Score(const Model& model, const RawRows& rows,
                             const ScoreOptions& options,
                             const Workers& workers, InterruptCheck check) {
  const Index total = rows.size(), classes = model.num_classes();
  const Index layers = model.num_layers();
  const double jacobian = LogJacobianOfFrame(model.data_spec);
  Scores scores;
  scores.log_scores.resize(total, classes * layers);
  const bool conditional =
      KnowsConditionalProbability(model.data_spec, model.classes[0].layers[0]);
  if (conditional)
    scores.log_probabilities =
        RowMatrix<double>::Constant(total, classes, kNaN);
  std::vector<bool> out_of_support(total, false);
  for (Index c = 0; options.per_expert && c < classes; ++c)
    scores.expert_log_scores.emplace_back(
        total, model.classes[c].layers[0].num_experts());
  for (Index begin = 0; begin < total; begin += kScoredRows) {
    if (absl::Status status = check(); !status.ok()) return status;
    const Index end = std::min(total, begin + kScoredRows);
    const Observations<float> x = Preprocess(model.data_spec, rows, begin, end);
    const std::vector<bool> in_support =
        model.classes[0].layers[0].InSupport(x);
    for (Index n = 0; n < x.size; ++n)
      out_of_support[begin + n] = !in_support[n];
    for (Index c = 0; c < classes; ++c) {
      const Product<float>& product = model.classes[c].layers[0];
      auto log_scores =
          scores.log_scores.block(begin, c * layers, x.size, layers);
      log_scores = LayerLogScores(model.classes[c].layers, x, workers);
      if (conditional)
        AddConditional(model, product, x, begin, workers,
                       scores.log_probabilities.col(c));
      for (Index n = 0; n < x.size; ++n) {
        log_scores(n, 0) += static_cast<double>(x.length(n)) * jacobian;
        if (out_of_support[begin + n])
          log_scores.row(n).setConstant(
              -std::numeric_limits<double>::infinity());
      }
      if (!options.per_expert) continue;
      auto part = scores.expert_log_scores[c].middleRows(begin, x.size);
      part = product.ExpertLogScores(x, workers);
      for (Index n = 0; n < x.size; ++n)
        if (out_of_support[begin + n]) part.row(n).setConstant(kNaN);
    }
  }
  const std::vector<Index> incomplete = FindIncomplete(rows);
  if (options.missing.has_value()) {
    scores.standard_errors.setZero(total, classes);
    absl::Status status =
        ReplaceIncomplete(model, rows, incomplete, *options.missing, workers,
                          check, out_of_support, scores);
    if (!status.ok()) return status;
  }
  if (std::find(out_of_support.begin(), out_of_support.end(), true) !=
      out_of_support.end())
    scores.out_of_support = std::move(out_of_support);
  if (options.per_expert) AddObjections(model, rows, scores);
  if (!conditional) {
    absl::Status status = Normalize(model, rows, check, scores);
    if (!status.ok()) return status;
  }
  Judge(model, Comparable(model, rows, scores), scores);
  if (scores.percentiles.size() > 0)
    for (Index n : incomplete) scores.percentiles.row(n).setConstant(kNaN);
  return scores;
}

}  // namespace poe
