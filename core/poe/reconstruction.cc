#include "poe/reconstruction.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "poe/scoring.h"

namespace poe {
namespace {

// Rows that go through a Gibbs step between two looks at the interrupt check.
constexpr Index kBlockRows = 256;

// One block of rows of one class, run through the chains.
class Block {
 public:
  Block(const Model& model, const RawRows& rows, std::vector<Index> indices)
      : model_(model), indices_(std::move(indices)) {
    const Index size = static_cast<Index>(indices_.size());
    const Index dimension = model.data_spec.dimension;
    RowMatrix<float> raw(size, dimension);
    std::vector<std::uint64_t> ids(size);
    for (Index n = 0; n < size; ++n) {
      const Index row = indices_[n];
      raw.row(n) = rows.values.row(row);
      ids[n] = rows.row_ids.empty() ? static_cast<std::uint64_t>(row)
                                    : rows.row_ids[row];
      if (!rows.observed.empty())
        observed_.insert(observed_.end(),
                         rows.observed.begin() + row * dimension,
                         rows.observed.begin() + (row + 1) * dimension);
    }
    RawRows block;
    new (&block.values)
        Eigen::Map<const RowMatrix<float>>(raw.data(), size, dimension);
    block.row_ids = ids;
    block.observed = observed_;
    start_ = Preprocess(model.data_spec, block, 0, size);
  }

  // Mean over chains (or the one draw), raw units, written to `result`'s rows;
  // values observed under a mask are left there as they are.
  absl::Status Run(Index class_index, const ReconstructOptions& options,
                   const Workers& workers, InterruptCheck check,
                   RowMatrix<float>& result) const {
    const Product<float>& product = model_.classes[class_index].layers[0];
    RowMatrix<float> sum =
        RowMatrix<float>::Zero(start_.size, model_.data_spec.dimension);
    for (int chain = 0; chain < options.chains; ++chain) {
      Observations<float> x = start_;
      GibbsOptions gibbs;
      gibbs.seed = DeriveSeed(options.seed, static_cast<std::uint64_t>(chain));
      gibbs.inverse_temperatures = AnnealingSchedule(options.steps, 0);
      gibbs.last = options.output;
      FillMissing(product, gibbs.seed, x);
      if (absl::Status status =
              RunGibbs(product, gibbs, observed_, workers, check, x);
          !status.ok())
        return status;
      sum += x.values.topRows(start_.size);
    }
    sum /= static_cast<float>(options.chains);
    Unprocess(model_.data_spec, sum);
    for (Index n = 0; n < sum.rows(); ++n)
      for (Index i = 0; i < sum.cols(); ++i)
        if (observed_.empty() || observed_[n * sum.cols() + i] == 0)
          result(indices_[n], i) = sum(n, i);
    return absl::OkStatus();
  }

 private:
  // Missing values start as draws of the base.
  void FillMissing(const Product<float>& product, std::uint64_t seed,
                   Observations<float>& x) const {
    if (observed_.empty()) return;
    Observations<float> drawn = x;
    product.base().SampleStart({seed, Purpose::kStart, 0, 0}, drawn);
    const Index dimension = model_.data_spec.dimension;
    for (Index n = 0; n < x.size; ++n)
      for (Index i = 0; i < dimension; ++i)
        if (observed_[n * dimension + i] == 0)
          x.values(n, i) = drawn.values(n, i);
  }

  const Model& model_;
  std::vector<Index> indices_;
  std::vector<std::uint8_t> observed_;
  Observations<float> start_;
};

RawRows RowsOf(const RowMatrix<float>& values, const RawRows& like) {
  RawRows rows;
  new (&rows.values) Eigen::Map<const RowMatrix<float>>(
      values.data(), values.rows(), values.cols());
  rows.row_ids = like.row_ids;
  return rows;
}

// Whether the observed values of each row lie in the support.
std::vector<bool> Supported(const Model& model, const RawRows& rows) {
  const DataSpec& spec = model.data_spec;
  const Base<float>& base = model.classes[0].layers[0].base();
  // Any value of the support stands in for a missing one.
  const Observations<float> x = Preprocess(spec, rows, 0, rows.size());
  Observations<float> inside = MakeDense<float>(1, spec.dimension);
  base.SampleStart({}, inside);
  std::vector<bool> supported(rows.size());
  Vector<float> row(spec.dimension);
  for (Index n = 0; n < rows.size(); ++n) {
    row = x.values.row(n);
    for (Index i = 0; i < spec.dimension; ++i)
      if (!rows.observed.empty() && rows.observed[n * spec.dimension + i] == 0)
        row(i) = inside.values(0, i);
    supported[n] = base.InSupport(absl::MakeConstSpan(row.data(), row.size()));
  }
  return supported;
}

absl::Status ReconstructClass(const Model& model, const RawRows& rows,
                              Index class_index,
                              const std::vector<Index>& indices,
                              const ReconstructOptions& options,
                              const Workers& workers, InterruptCheck check,
                              RowMatrix<float>& result) {
  for (std::size_t begin = 0; begin < indices.size(); begin += kBlockRows) {
    const std::size_t end =
        std::min(indices.size(), begin + static_cast<std::size_t>(kBlockRows));
    const Block block(model, rows,
                      {indices.begin() + static_cast<std::ptrdiff_t>(begin),
                       indices.begin() + static_cast<std::ptrdiff_t>(end)});
    if (absl::Status status =
            block.Run(class_index, options, workers, check, result);
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Reconstructions> Reconstruct(const Model& model,
                                            const RawRows& rows,
                                            const ReconstructOptions& options,
                                            const Workers& workers,
                                            InterruptCheck check) {
  const Index classes = model.num_classes();
  const bool choose = options.class_index < 0 && classes > 1;
  if (choose && !model.separator.has_value())
    return absl::FailedPreconditionError(
        "the model has several classes and no separator; name the class whose "
        "product is to reconstruct");
  Reconstructions result;
  result.values = rows.values;
  result.classes.assign(rows.size(), -1);
  const std::vector<bool> supported = Supported(model, rows);
  std::vector<Index> all;
  for (Index n = 0; n < rows.size(); ++n)
    if (supported[n]) all.push_back(n);

  std::vector<std::vector<Index>> of_class(classes);
  if (!choose) {
    of_class[std::max<Index>(options.class_index, 0)] = all;
  } else {
    // A complete row is labelled as it is. A row with missing values has to be
    // completed by every class before their products can be compared.
    const bool complete = rows.observed.empty();
    std::vector<RowMatrix<float>> completed(complete ? 1 : classes,
                                            result.values);
    RowMatrix<double> log_scores(rows.size(), classes);
    for (Index c = 0; c < static_cast<Index>(completed.size()); ++c) {
      if (!complete) {
        if (absl::Status status = ReconstructClass(
                model, rows, c, all, options, workers, check, completed[c]);
            !status.ok())
          return status;
      }
      const absl::StatusOr<Scores> scores = Score(
          model, RowsOf(completed[c], rows), ScoreOptions{}, workers, check);
      if (!scores.ok()) return scores.status();
      if (complete)
        log_scores = scores->log_scores;
      else
        log_scores.col(c) = scores->log_scores.col(c);
    }
    for (Index n = 0; n < rows.size(); ++n)
      if (!supported[n]) log_scores.row(n).setZero();
    const Classification judged = model.separator->Classify(log_scores);
    for (Index n : all) of_class[judged.labels[n]].push_back(n);
  }
  for (Index c = 0; c < classes; ++c) {
    for (Index n : of_class[c])
      result.classes[n] = static_cast<std::int32_t>(c);
    if (absl::Status status =
            ReconstructClass(model, rows, c, of_class[c], options, workers,
                             check, result.values);
        !status.ok())
      return status;
  }
  return result;
}

}  // namespace poe
