#include "poe/class_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/best_epoch.h"
#include "poe/exact_gradient.h"
#include "poe/exact_tree_gradient.h"
#include "poe/imputation.h"

namespace poe {
namespace {

using Clock = std::chrono::steady_clock;

// Rows of either kind that the free-energy gap is taken over.
constexpr Index kGapRows = 512;
// The most updates between two looks at whether all parameters are finite.
constexpr std::int64_t kFiniteCheckEvery = 50;
// Seconds between reports within an epoch.
constexpr double kReportEvery = 0.5;
// Names the draws of missing values among those of a class.
constexpr std::uint64_t kImputation = 1 << 21;
// And those by which held-out rows are judged.
constexpr std::uint64_t kHeldOutJudgement = 1 << 22;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

bool IsFinite(const Product<float>& product) {
  if (!product.base().parameters().allFinite()) return false;
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    if (!product.group(i).parameters().allFinite()) return false;
  return true;
}

double MeanLogScore(const Product<float>& product, const RowSelection& rows,
                    const Workers& workers) {
  const Index count = std::min(rows.size(), kGapRows);
  const std::vector<double> scores =
      product.LogScores(rows.Take(0, count, workers), workers);
  // Rows outside the box of the training data say nothing about overfitting,
  // nor do those with missing values.
  double sum = 0;
  Index finite = 0;
  for (Index n = 0; n < count; ++n) {
    const double score = scores[n];
    if (!std::isfinite(score) || !rows.rows().IsComplete(rows.numbers()[n]))
      continue;
    sum += score;
    ++finite;
  }
  return finite == 0 ? 0 : sum / static_cast<double>(finite);
}

// Applies what contrastive divergence finds to base and groups.
class Ascent {
 public:
  Ascent(const OptimizerSettings& settings, std::int64_t updates,
         Product<float>& product)
      : product_(product),
        optimizers_(product.num_groups() + 1,
                    Optimizer<float>(settings, updates)) {}

  void Step(std::int64_t update, int epoch,
            const GradientEstimate<float>& estimate, const Workers& workers) {
    optimizers_[0].Step(update, epoch, estimate.base_gradient(), workers,
                        product_.mutable_base());
    for (std::size_t i = 0; i < product_.num_groups(); ++i)
      optimizers_[i + 1].Step(update, epoch, estimate.group_gradient(i),
                              workers, product_.mutable_group(i));
  }

  void Save(ArchiveWriter& writer) const {
    for (const Optimizer<float>& optimizer : optimizers_)
      optimizer.Save(writer);
  }
  void Load(ArchiveReader& reader) {
    for (Optimizer<float>& optimizer : optimizers_) optimizer.Load(reader);
  }

  void Finish(const Workers& workers) {
    optimizers_[0].Finish(workers, product_.mutable_base());
    for (std::size_t i = 0; i < product_.num_groups(); ++i)
      optimizers_[i + 1].Finish(workers, product_.mutable_group(i));
  }

 private:
  Product<float>& product_;
  std::vector<Optimizer<float>> optimizers_;
};

// One of the ways to a gradient, as the settings ask.
class Teacher {
 public:
  // FailedPrecondition where the exact gradient is asked for and there is none.
  static absl::StatusOr<std::unique_ptr<Teacher>> Create(
      const ContrastiveDivergenceSettings& settings,
      const RowSelection& training, const Product<float>& product,
      std::uint64_t seed) {
    std::unique_ptr<Teacher> teacher(new Teacher(settings, training, product));
    if (!training.rows().observed.empty())
      teacher->imputation_.emplace(training.spec(), training.rows(),
                                   DeriveSeed(seed, kImputation));
    if (settings.chains.has_value()) {
      teacher->unlearning_.emplace(product, *settings.chains, seed);
      return teacher;
    }
    if (!settings.exact) return teacher;
    const std::vector<std::uint8_t> inputs =
        training.Take(0, 1, Workers::Inline()).clamped;
    if (product.base().family() == Family::kStructuredGaussian) {
      teacher->trees_.emplace(product, inputs);
      return teacher;
    }
    auto exact =
        ExactGradient<float>::Create(product, training.num_symbols(), inputs);
    if (!exact.ok()) return exact.status();
    teacher->exact_.emplace(*std::move(exact));
    return teacher;
  }

  const GradientEstimate<float>& estimate() const {
    if (trees_.has_value()) return *trees_;
    if (exact_.has_value()) return *exact_;
    if (unlearning_.has_value()) return *unlearning_;
    return divergence_;
  }
  // Of the last reconstruction; 0 where there is none.
  double reconstruction_error() const {
    return divergence_.reconstruction_error();
  }

  // What it remembers from update to update.
  void Save(ArchiveWriter& writer) const {
    if (imputation_.has_value()) imputation_->Save(writer);
    if (unlearning_.has_value()) unlearning_->Save(writer);
  }
  void Load(ArchiveReader& reader) {
    if (imputation_.has_value()) imputation_->Load(reader);
    if (unlearning_.has_value()) unlearning_->Load(reader);
  }

  // One update; with missing values those of the batch are drawn first.
  absl::Status Compute(absl::Span<const std::uint32_t> positions,
                       int gibbs_steps, std::uint64_t seed, std::int64_t update,
                       const Workers& workers, InterruptCheck check) {
    // The moments of all rows are the same at every update.
    const bool all = static_cast<Index>(positions.size()) == training_.size();
    if (trees_.has_value() && all && std::exchange(has_moments_, true))
      return trees_->ComputeGradient(workers);
    Observations<float> data = training_.Take(positions, workers);
    if (imputation_.has_value()) {
      std::vector<Index> numbers;
      for (std::uint32_t position : positions)
        numbers.push_back(training_.numbers()[position]);
      imputation_->Fill(product_, numbers, static_cast<std::uint32_t>(update),
                        workers, data);
    }
    const std::vector<float> weights = training_.Weights(positions);
    if (trees_.has_value())
      return trees_->ComputeGradient(data, weights, workers);
    if (exact_.has_value())
      exact_->ComputeGradient(data, weights, workers);
    else if (unlearning_.has_value())
      return unlearning_->ComputeGradient(data, weights, gibbs_steps, workers,
                                          check);
    else
      divergence_.ComputeGradient(data, weights, gibbs_steps,
                                  settings_.reconstruction, seed,
                                  static_cast<std::uint32_t>(update), workers);
    return absl::OkStatus();
  }

 private:
  Teacher(const ContrastiveDivergenceSettings& settings,
          const RowSelection& training, const Product<float>& product)
      : settings_(settings),
        training_(training),
        product_(product),
        divergence_(product) {}

  const ContrastiveDivergenceSettings& settings_;
  const RowSelection& training_;
  const Product<float>& product_;
  bool has_moments_ = false;  // of all rows, where trees_ is
  std::optional<Imputation> imputation_;
  ContrastiveDivergence<float> divergence_;
  std::optional<ExactGradient<float>> exact_;
  std::optional<ExactTreeGradient<float>> trees_;
  std::optional<Unlearning<float>> unlearning_;
};

}  // namespace

absl::Status TrainProduct(const ContrastiveDivergenceSettings& settings,
                          const RowSelection& training,
                          const RowSelection& held_out, std::uint64_t seed,
                          const Workers& workers, ProgressCallback progress,
                          InterruptCheck check, Product<float>& product,
                          std::optional<std::int64_t>& kept_update,
                          TrainingSnapshots* snapshots) {
  const Index rows = training.size();
  const Index batch =
      settings.batch_size < 0 ? rows : std::min(rows, settings.batch_size);
  const std::int64_t updates_per_epoch = (rows + batch - 1) / batch;
  const std::int64_t updates = settings.updates > 0
                                   ? settings.updates
                                   : settings.epochs * updates_per_epoch;
  const auto epochs =
      static_cast<int>((updates + updates_per_epoch - 1) / updates_per_epoch);

  absl::StatusOr<std::unique_ptr<Teacher>> created =
      Teacher::Create(settings, training, product, seed);
  if (!created.ok()) return created.status();
  Teacher& teacher = **created;
  Ascent ascent(settings.optimizer, updates, product);
  const Clock::time_point start = Clock::now();
  Clock::time_point reported = start;
  std::int64_t update = 0, rows_done = 0;
  std::optional<BestEpoch> best;
  if (settings.early_stopping.has_value())
    best.emplace(*settings.early_stopping, held_out, product,
                 settings.reconstruction, DeriveSeed(seed, kHeldOutJudgement));
  if (snapshots != nullptr &&
      snapshots->step() == TrainingSnapshots::Step::kResume) {
    ArchiveReader& memory = snapshots->OpenStage(update);
    ascent.Load(memory);
    teacher.Load(memory);
    const bool fits = !best.has_value() || best->Load(memory);
    if (!fits || !memory.at_end() || update < 0 || update > updates)
      return absl::DataLossError(
          "the snapshot of the training does not fit its optimizer");
  } else if (best.has_value()) {
    if (absl::Status status = best->Judge(0, product, workers, check);
        !status.ok()) {
      if (absl::IsDeadlineExceeded(status)) kept_update = 0;
      return status;
    }
  }
  std::vector<Vector<float>> kept = product.Parameters();
  std::int64_t kept_after = update;
  auto go_back = [&] {
    product.SetParameters(kept, workers);
    kept_update = kept_after;
  };
  auto ended = [&](const absl::Status& status) {
    if (absl::IsDeadlineExceeded(status)) go_back();
    return status;
  };
  auto diverged = [&](const std::string& text) {
    go_back();
    return absl::InternalError(
        absl::StrCat(text, "; try a smaller optimizer.rate"));
  };

  auto report = [&](int epoch, double error, bool end_of_epoch) {
    TrainingProgress now;
    now.stage = settings.exact                ? "exact gradient"
                : settings.chains.has_value() ? "unlearning"
                                              : "contrastive divergence";
    now.epoch = epoch + 1;
    now.epochs = epochs;
    now.update = update;
    now.updates = updates;
    now.fraction = static_cast<double>(update) / static_cast<double>(updates);
    now.seconds = Seconds(start);
    now.rows_per_second = static_cast<double>(rows_done) / now.seconds;
    if (!settings.exact && !settings.chains.has_value())
      now.reconstruction_error = error;
    now.gradient_norm = teacher.estimate().gradient_norm();
    if (best.has_value()) now.best_epoch = best->epoch();
    if (best.has_value() && end_of_epoch) {
      now.held_out_log_probability = best->figure().log_probability;
      now.held_out_reconstruction_error = best->figure().reconstruction_error;
    }
    if (end_of_epoch && held_out.size() > 0)
      now.free_energy_gap = MeanLogScore(product, held_out, workers) -
                            MeanLogScore(product, training, workers);
    progress(now);
    reported = Clock::now();
  };

  for (auto epoch = static_cast<int>(update / updates_per_epoch);
       epoch < epochs; ++epoch) {
    const std::vector<std::uint32_t> order = RandomPermutation(
        {seed, Purpose::kShuffle, 0, static_cast<std::uint32_t>(epoch)},
        static_cast<std::uint32_t>(rows));
    int gibbs_steps = settings.gibbs_steps;
    if (settings.grow_gibbs_steps_every > 0)
      gibbs_steps =
          std::min(kMostGibbsSteps,
                   gibbs_steps + epoch / settings.grow_gibbs_steps_every);
    double error = 0;
    int batches = 0;
    for (Index begin = update % updates_per_epoch * batch;
         begin < rows && update < updates; begin += batch) {
      if (snapshots != nullptr && snapshots->IsDue() && IsFinite(product))
        snapshots->Keep(update, product, [&](ArchiveWriter& writer) {
          ascent.Save(writer);
          teacher.Save(writer);
          if (best.has_value()) best->Save(writer);
        });
      if (absl::Status status = check(); !status.ok()) return ended(status);
      const auto positions = absl::MakeConstSpan(order).subspan(begin, batch);
      if (absl::Status status = teacher.Compute(positions, gibbs_steps, seed,
                                                update, workers, check);
          !status.ok())
        return ended(status);
      ascent.Step(update, epoch, teacher.estimate(), workers);
      ++update;
      rows_done += static_cast<std::int64_t>(positions.size());
      error += teacher.reconstruction_error();
      ++batches;
      const bool last_of_epoch = begin + batch >= rows || update == updates;
      if (last_of_epoch || update % kFiniteCheckEvery == 0) {
        if (!IsFinite(product))
          return diverged(
              absl::StrCat("a parameter stopped being finite by update ",
                           update, " of ", updates));
        if (std::isfinite(teacher.estimate().gradient_norm())) {
          kept = product.Parameters();
          kept_after = update;
        }
      }
      if (Seconds(reported) > kReportEvery)
        report(epoch, error / batches, false);
    }
    if (best.has_value())
      if (absl::Status status = best->Judge(epoch + 1, product, workers, check);
          !status.ok())
        return ended(status);
    report(epoch, error / std::max(batches, 1), true);
    if (best.has_value() && best->is_over()) break;
  }
  if (best.has_value()) best->Restore(workers, product);
  ascent.Finish(workers);
  if (!IsFinite(product))
    return diverged(absl::StrCat(
        "the average of a parameter is not finite after update ", updates));
  return absl::OkStatus();
}

}  // namespace poe
