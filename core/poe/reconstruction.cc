#include "poe/reconstruction.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "poe/hierarchy.h"
#include "poe/scoring.h"

namespace poe {
namespace {

// Rows that go through a Gibbs step between two looks at the interrupt check.
constexpr Index kReconstructedRows = 256;

// One block of observations of one class, run through the chains.
class Block {
 public:
  Block(const Model& model, const RawRows& rows,
        absl::Span<const Index> indices)
      : model_(model),
        indices_(indices),
        rows_(rows, indices),
        start_(Preprocess(model.data_spec, rows_.View(), 0,
                          static_cast<Index>(indices.size()))) {}

  // Mean over chains (or the one draw), raw units, written to the frames of
  // `result` that `rows` has these observations in. Values observed under a
  // mask stay as they came, and so do inputs.
  absl::Status Run(Index class_index, const ReconstructOptions& options,
                   const Workers& workers, InterruptCheck check,
                   const RawRows& rows, RowMatrix<float>& result) const {
    const Layers layers = model_.classes[class_index].layers;
    const Layers below = layers.first(options.layer);
    const Product<float>& product = layers[options.layer];
    const RawRows given = rows_.View();
    const Observations<float> start = Climb(below, start_, workers);
    RowMatrix<float> sum =
        RowMatrix<float>::Zero(start_.frames(), start_.dimension());
    for (int chain = 0; chain < options.chains; ++chain) {
      Observations<float> x = start;
      GibbsOptions gibbs;
      gibbs.seed = DeriveSeed(options.seed, static_cast<std::uint64_t>(chain));
      gibbs.inverse_temperatures = AnnealingSchedule(options.steps, 0);
      gibbs.last = options.output;
      if (!given.observed.empty()) {
        KeepObserved(model_.data_spec, given, 0, x);
        product.base().SampleStart({gibbs.seed, Purpose::kStart, 0, 0}, x);
      }
      if (absl::Status status = RunGibbs(product, gibbs, workers, check, x);
          !status.ok())
        return status;
      x = Descend(below, std::move(x), options.output, gibbs.seed,
                  static_cast<std::uint32_t>(options.steps), workers);
      sum += x.values.topRows(sum.rows());
    }
    sum /= static_cast<float>(options.chains);
    RowMatrix<float> raw = Unprocess(model_.data_spec, sum);
    if (!given.observed.empty()) CopyObserved(given, 0, raw);
    for (Index input : model_.data_spec.input_coordinates)
      raw.col(input) = given.values.col(input);
    for (Index n = 0; n < given.size(); ++n)
      result.middleRows(rows.start(indices_[n]), given.length(n)) =
          raw.middleRows(given.start(n), given.length(n));
    return absl::OkStatus();
  }

 private:
  const Model& model_;
  absl::Span<const Index> indices_;
  GatheredRows rows_;
  Observations<float> start_;
};

// The same observations with other values, all of them observed.
RawRows Completed(const RowMatrix<float>& values, const RawRows& like) {
  return RawRows{{values.data(), values.rows(), values.cols()},
                 like.row_ids,
                 {},
                 like.starts};
}

// Whether the observed values of each observation lie in the support.
std::vector<bool> Supported(const Model& model, const RawRows& rows) {
  const DataSpec& spec = model.data_spec;
  const Product<float>& product = model.classes[0].layers[0];
  // Any value of the support stands in for a missing one.
  Observations<float> x = Preprocess(spec, rows, 0, rows.size());
  if (!rows.observed.empty()) {
    KeepObserved(spec, rows, 0, x);
    product.base().SampleStart({}, x);
  }
  return product.InSupport(x);
}

absl::Status ReconstructClass(const Model& model, const RawRows& rows,
                              Index class_index,
                              const std::vector<Index>& indices,
                              const ReconstructOptions& options,
                              const Workers& workers, InterruptCheck check,
                              RowMatrix<float>& result) {
  for (std::size_t begin = 0; begin < indices.size();
       begin += kReconstructedRows) {
    const std::size_t end = std::min(
        indices.size(), begin + static_cast<std::size_t>(kReconstructedRows));
    const Block block(model, rows,
                      absl::MakeConstSpan(indices).subspan(begin, end - begin));
    if (absl::Status status =
            block.Run(class_index, options, workers, check, rows, result);
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
    const Index layers = model.num_layers();
    RowMatrix<double> log_scores(rows.size(), classes * layers);
    for (Index c = 0; c < static_cast<Index>(completed.size()); ++c) {
      if (!complete) {
        if (absl::Status status = ReconstructClass(
                model, rows, c, all, options, workers, check, completed[c]);
            !status.ok())
          return status;
      }
      const RawRows whole = Completed(completed[c], rows);
      const absl::StatusOr<Scores> scores =
          Score(model, whole, ScoreOptions{}, workers, check);
      if (!scores.ok()) return scores.status();
      const RowMatrix<double> comparable = Comparable(model, whole, *scores);
      if (complete)
        log_scores = comparable;
      else
        log_scores.middleCols(c * layers, layers) =
            comparable.middleCols(c * layers, layers);
    }
    std::vector<Index> judged;
    for (Index n : all)
      if (log_scores.row(n).allFinite()) judged.push_back(n);
    const Classification classified =
        model.separator->Classify(log_scores(judged, Eigen::all));
    for (std::size_t i = 0; i < judged.size(); ++i)
      of_class[classified.labels[i]].push_back(judged[i]);
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
