#include "poe/model_calibration.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "poe/class_trainer.h"
#include "poe/scoring.h"

namespace poe {
namespace {

constexpr Index kScoreBlock = 4096;
// The most rows of a class that tell what its experts usually say.
constexpr Index kMostVerdictRows = 10000;

// `most` of the numbers at most, evenly spaced.
std::vector<Index> Thin(const std::vector<Index>& numbers, Index most) {
  const auto size = static_cast<Index>(numbers.size());
  const Index kept = std::min(size, most);
  std::vector<Index> thinned(kept);
  for (Index i = 0; i < kept; ++i) thinned[i] = numbers[i * size / kept];
  return thinned;
}

}  // namespace

absl::StatusOr<LabelledScores> ScoreRows(const Model& model,
                                         const TrainingRows& rows,
                                         RowNumbers parts,
                                         const Workers& workers,
                                         InterruptCheck check) {
  std::vector<Index> numbers;
  for (const auto* part : parts)
    for (const std::vector<Index>& of_class : *part)
      std::copy_if(of_class.begin(), of_class.end(),
                   std::back_inserter(numbers),
                   [&](Index n) { return rows.IsComplete(n); });
  std::sort(numbers.begin(), numbers.end());
  const auto total = static_cast<Index>(numbers.size());
  LabelledScores result;
  result.log_scores.resize(total, model.num_classes() * model.num_layers());
  Index kept = 0;
  for (Index begin = 0; begin < total; begin += kScoreBlock) {
    const Index count = std::min(kScoreBlock, total - begin);
    const GatheredRows block(
        rows, absl::MakeConstSpan(numbers).subspan(begin, count));
    const absl::StatusOr<Scores> scores =
        Score(model, block.View(), ScoreOptions{}, workers, check);
    if (!scores.ok()) return scores.status();
    const RowMatrix<double> comparable =
        Comparable(model, block.View(), *scores);
    for (Index n = 0; n < count; ++n) {
      const auto row = comparable.row(n);
      if (!row.allFinite()) continue;
      result.log_scores.row(kept++) = row;
      result.labels.push_back(
          rows.labels.empty() ? 0 : rows.labels[numbers[begin + n]]);
    }
  }
  result.log_scores.conservativeResize(kept, Eigen::NoChange);
  return result;
}

absl::Status FitModelSeparator(const SeparatorSettings& settings,
                               const TrainingRows& rows, const Split& split,
                               const LabelledScores& held_out,
                               const Workers& workers, InterruptCheck check,
                               Model& model) {
  using Rows = SeparatorSettings::Rows;
  std::vector<bool> held_out_of_class(model.num_classes(), false);
  for (std::int32_t label : held_out.labels) held_out_of_class[label] = true;
  const bool every_class_held_out =
      std::count(held_out_of_class.begin(), held_out_of_class.end(), false) ==
      0;
  LabelledScores fitted_on;
  if (settings.rows == Rows::kHeldOut ||
      (settings.rows == Rows::kHeldOutOrTraining && every_class_held_out)) {
    fitted_on = held_out;
  } else {
    absl::StatusOr<LabelledScores> scores =
        settings.rows == Rows::kAll
            ? ScoreRows(model, rows, {&split.training, &split.held_out},
                        workers, check)
            : ScoreRows(model, rows, {&split.training}, workers, check);
    if (!scores.ok()) return scores.status();
    fitted_on = *std::move(scores);
  }
  absl::StatusOr<Separator> separator =
      FitSeparator(fitted_on.log_scores, fitted_on.labels, model.num_classes(),
                   settings.options, check);
  if (!separator.ok()) return separator.status();
  model.separator = *std::move(separator);
  return absl::OkStatus();
}

absl::Status Calibrate(const LabelledScores& held_out, Model& model) {
  const Index classes = model.num_classes(), layers = model.num_layers();
  std::vector<std::vector<double>> own(classes);
  for (std::size_t n = 0; n < held_out.labels.size(); ++n) {
    const std::int32_t label = held_out.labels[n];
    own[label].push_back(held_out.log_scores.row(static_cast<Index>(n))
                             .segment(label * layers, layers)
                             .sum());
  }
  const bool every_class =
      std::none_of(own.begin(), own.end(),
                   [](const auto& scores) { return scores.empty(); });
  if (!every_class) return absl::OkStatus();
  for (Index c = 0; c < classes; ++c)
    model.classes[c].percentiles =
        ScorePercentiles::FromScores(std::move(own[c]));
  if (!model.separator.has_value()) return absl::OkStatus();
  absl::StatusOr<ProbabilityCalibration> calibration =
      FitProbabilityCalibration(model.separator->Decisions(held_out.log_scores),
                                held_out.labels);
  if (!calibration.ok()) return calibration.status();
  model.calibration = *std::move(calibration);
  return absl::OkStatus();
}

absl::Status LearnUsualVerdicts(const TrainingRows& rows, const Split& split,
                                const Workers& workers, InterruptCheck check,
                                Model& model) {
  for (std::size_t c = 0; c < model.classes.size(); ++c) {
    std::vector<Index> numbers = split.held_out[c];
    if (numbers.empty())
      std::copy_if(split.training[c].begin(), split.training[c].end(),
                   std::back_inserter(numbers),
                   [&](Index n) { return rows.IsComplete(n); });
    if (numbers.empty()) continue;
    const RowSelection judged(model.data_spec, rows,
                              Thin(numbers, kMostVerdictRows));
    const Product<float>& product = model.classes[c].layers[0];
    RowMatrix<double> log_scores(judged.size(), product.num_experts());
    for (Index begin = 0; begin < judged.size(); begin += kScoreBlock) {
      if (absl::Status status = check(); !status.ok()) return status;
      const Index count = std::min(kScoreBlock, judged.size() - begin);
      const Observations<float> x = judged.Take(begin, count, workers);
      log_scores.middleRows(begin, count) = product.ExpertLogScores(x, workers);
      const std::vector<bool> in_support = product.InSupport(x);
      for (Index n = 0; n < count; ++n)
        if (!in_support[n])
          log_scores.row(begin + n).setConstant(
              std::numeric_limits<double>::quiet_NaN());
    }
    std::vector<Index> frames;
    for (Index n : judged.numbers()) frames.push_back(rows.length(n));
    model.classes[c].usual_verdicts =
        UsualVerdicts::FromScores(log_scores, frames);
  }
  return absl::OkStatus();
}

}  // namespace poe
