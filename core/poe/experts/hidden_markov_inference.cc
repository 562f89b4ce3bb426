// What a pass of inference leaves behind, and all that is read off it.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "poe/experts/frame_order.h"
#include "poe/experts/hidden_markov.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// Sequences of similar length go together, this many at a time and half of all
// at most, so that two threads share them. Blocks never depend on the number of
// threads, and sums over them are taken in so many parts.
constexpr Index kMostTogether = 24;
constexpr Index kMostParts = 64;
// Log densities are found for this many frames at a time.
constexpr Index kFrames = 96;

struct Block {
  FrameOrder order;
  std::vector<Index> observations;  // by position
  std::vector<Index> frames;        // of the batch, by row of the order
  RowMatrix<double> forward;        // (M K) x frames
  auto Forward(Index m, Index states) const {
    return forward.middleRows(m * states, states);
  }
};

struct ForwardMessages : Posterior {
  double exponent = 1;              // power x inverse temperature
  std::vector<MarkovChain> chains;  // M
  std::vector<Block> blocks;
  RowMatrix<double> log_scores;  // N x M
};

const ForwardMessages& ForwardOf(const Posterior& posterior) {
  return static_cast<const ForwardMessages&>(posterior);
}

template <typename Scalar>
void CutIntoBlocks(const Observations<Scalar>& x, std::vector<Block>& blocks) {
  const Index together =
      std::clamp(PaddedRows((x.size + 1) / 2), kRowQuantum, kMostTogether);
  const std::vector<Index> starts = x.FrameStarts();
  std::vector<Index> lengths(x.size);
  for (Index n = 0; n < x.size; ++n) lengths[n] = x.length(n);
  const FrameOrder by_length(lengths);
  blocks.resize((x.size + together - 1) / together);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    Block& block = blocks[b];
    const Index begin = static_cast<Index>(b) * together;
    const Index size = std::min(together, x.size - begin);
    block.observations.resize(size);
    lengths.resize(size);
    for (Index k = 0; k < size; ++k) {
      block.observations[k] = by_length.observation(begin + k);
      lengths[k] = x.length(block.observations[k]);
    }
    block.order = FrameOrder(lengths);
    block.frames.resize(block.order.rows());
    for (Index k = 0; k < size; ++k)
      for (Index t = 0; t < lengths[k]; ++t)
        block.frames[block.order.row(k, t)] = starts[block.observations[k]] + t;
  }
}

}  // namespace

template <typename Scalar>
std::unique_ptr<Posterior> HiddenMarkov<Scalar>::NewPosterior() const {
  return std::make_unique<ForwardMessages>();
}

template <typename Scalar>
void HiddenMarkov<Scalar>::LogEmissions(const RowMatrix<Scalar>& frames,
                                        RowMatrixRef<double> result) const {
  if (has_symbols()) {
    symbols_.LogDensities(frames, result);
    return;
  }
  gaussians_.LogDensities(frames, 0, result);
}

template <typename Scalar>
void HiddenMarkov<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                                 const Workers& workers,
                                 Posterior& posterior) const {
  auto& messages = static_cast<ForwardMessages&>(posterior);
  const Index experts = num_experts(), states = num_states();
  messages.exponent = static_cast<double>(power_) * beta;
  messages.chains.clear();
  for (Index m = 0; m < experts; ++m)
    messages.chains.push_back(Chain(m, messages.exponent));
  messages.log_scores.resize(x.size, experts);
  CutIntoBlocks(x, messages.blocks);
  workers.ForEach(std::ssize(messages.blocks), [&](Index b) {
    Block& block = messages.blocks[b];
    block.forward.resize(experts * states, block.order.rows());
    RowMatrix<Scalar> frames;
    RowMatrix<double> log_emissions;
    for (Index begin = 0; begin < block.order.rows(); begin += kFrames) {
      const Index size = std::min(kFrames, block.order.rows() - begin);
      frames.resize(size, dimension());
      for (Index f = 0; f < size; ++f)
        frames.row(f) = x.values.row(block.frames[begin + f]);
      log_emissions.resize(size, experts * states);
      LogEmissions(frames, log_emissions);
      block.forward.middleCols(begin, size) =
          messages.exponent * log_emissions.transpose();
    }
    std::vector<double> scores(block.order.sequences());
    for (Index m = 0; m < experts; ++m) {
      messages.chains[m].Forward(block.order,
                                 block.forward.middleRows(m * states, states),
                                 absl::MakeSpan(scores));
      for (Index k = 0; k < block.order.sequences(); ++k)
        messages.log_scores(block.observations[k], m) = scores[k];
    }
  });
}

template <typename Scalar>
void HiddenMarkov<Scalar>::AddLogScores(const Posterior& posterior,
                                        absl::Span<double> log_scores) const {
  const RowMatrix<double>& each = ForwardOf(posterior).log_scores;
  for (Index n = 0; n < each.rows(); ++n)
    for (Index m = 0; m < each.cols(); ++m) log_scores[n] += each(n, m);
}

template <typename Scalar>
void HiddenMarkov<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  const RowMatrix<double>& each = ForwardOf(posterior).log_scores;
  log_scores.topRows(each.rows()) = each;
}

template <typename Scalar>
void HiddenMarkov<Scalar>::AddSampledMessages(
    const Observations<Scalar>& x, const Posterior& posterior,
    const Draws& draws, const Workers& workers,
    Messages<Scalar>& messages) const {
  const ForwardMessages& forward = ForwardOf(posterior);
  const Index experts = num_experts(), states = num_states();
  const Scalar exponent = static_cast<Scalar>(forward.exponent);
  const ConstRowMatrixRef<Scalar> linear =
      has_symbols() ? ConstRowMatrixRef<Scalar>(symbols_.logits())
                    : gaussians_.messages();
  const auto width = static_cast<std::size_t>(dimension());
  const auto add = [&](const Scalar* from, auto row) {
    AddScaled<Scalar>(exponent, absl::MakeConstSpan(from, width),
                      absl::MakeSpan(row.data(), width));
  };
  workers.ForEach(std::ssize(forward.blocks), [&](Index b) {
    const Block& block = forward.blocks[b];
    const Index rows = block.order.rows();
    RowMatrix<double> uniforms(experts, rows);
    std::vector<double> own;
    for (Index k = 0; k < block.order.sequences(); ++k) {
      const Index n = block.observations[k], length = x.length(n);
      own.resize(length * experts);
      FillUniform(draws, x.row_ids[n], absl::MakeSpan(own));
      for (Index t = 0; t < length; ++t)
        for (Index m = 0; m < experts; ++m)
          uniforms(m, block.order.row(k, t)) = own[t * experts + m];
    }
    std::vector<Index> path(rows);
    for (Index m = 0; m < experts; ++m) {
      forward.chains[m].SamplePaths(
          block.order, block.Forward(m, states),
          absl::MakeConstSpan(uniforms.row(m).data(), rows),
          absl::MakeSpan(path));
      for (Index f = 0; f < rows; ++f) {
        const Scalar* said = linear.row(m * states + path[f]).data();
        add(said, messages.linear.row(block.frames[f]));
        if (!has_symbols())
          add(said + width, messages.precision.row(block.frames[f]));
      }
    }
  });
}

template <typename Scalar>
typename HiddenMarkov<Scalar>::ExpectedCounts HiddenMarkov<Scalar>::Count(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const double> weights, const Workers& workers) const {
  const ForwardMessages& forward = ForwardOf(posterior);
  const Index experts = num_experts(), states = num_states();
  const Index blocks = std::ssize(forward.blocks);
  const Index parts = std::min(blocks, kMostParts);
  ExpectedCounts counts;
  counts.initial = RowMatrix<double>::Zero(experts, states);
  counts.transitions = RowMatrix<double>::Zero(experts * states, states);
  counts.occupancy = RowMatrix<double>::Zero(x.values.rows(), experts * states);
  std::vector<RowMatrix<double>> transitions(parts, counts.transitions);
  const auto add_block = [&](const Block& block, RowMatrix<double>& sums) {
    std::vector<double> own(block.order.sequences());
    for (Index k = 0; k < block.order.sequences(); ++k)
      own[k] = weights[block.observations[k]];
    RowMatrix<double> occupancy(states, block.order.rows());
    for (Index m = 0; m < experts; ++m) {
      forward.chains[m].Smooth(block.order, block.Forward(m, states), own,
                               occupancy, sums.middleRows(m * states, states));
      for (Index f = 0; f < block.order.rows(); ++f)
        counts.occupancy.row(block.frames[f]).segment(m * states, states) =
            occupancy.col(f);
    }
  };
  workers.ForEach(parts, [&](Index part) {
    for (Index b = blocks * part / parts; b < blocks * (part + 1) / parts; ++b)
      add_block(forward.blocks[b], transitions[part]);
  });
  for (const RowMatrix<double>& part : transitions) counts.transitions += part;
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n)
    for (Index m = 0; m < experts; ++m)
      counts.initial.row(m) +=
          counts.occupancy.row(starts[n]).segment(m * states, states);
  return counts;
}

template <typename Scalar>
void HiddenMarkov<Scalar>::AddGradient(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  std::vector<double> scaled(weights.begin(), weights.end());
  for (double& weight : scaled) weight *= ForwardOf(posterior).exponent;
  const ExpectedCounts counts = Count(x, posterior, scaled, workers);
  // Of logits: what was counted less what their softmax shares out.
  auto add = [&](std::size_t block, const RowMatrix<double>& count,
                 const RowMatrix<double>& log_softmax) {
    auto logit_gradient = this->BlockOf(gradient, block);
    for (Index j = 0; j < count.rows(); ++j) {
      const double total = count.row(j).sum();
      for (Index k = 0; k < count.cols(); ++k)
        logit_gradient(j, k) += static_cast<Scalar>(
            count(j, k) - std::exp(log_softmax(j, k)) * total);
    }
  };
  add(0, counts.initial, log_initial_);
  add(1, counts.transitions, log_transition_);
  if (has_symbols()) {
    symbols_.AddGradient(x.values, counts.occupancy, workers,
                         this->BlockOf(gradient, 2));
    return;
  }
  const auto set_occupancy = [&](Index row, Index first,
                                 RowMatrixRef<Scalar> occupancy) {
    occupancy =
        counts.occupancy.block(row, first, occupancy.rows(), occupancy.cols())
            .template cast<Scalar>();
  };
  gaussians_.AddGradient(x.values, set_occupancy, workers,
                         this->BlockOf(gradient, 2),
                         this->BlockOf(gradient, 3));
}

template class HiddenMarkov<float>;
template class HiddenMarkov<double>;

}  // namespace poe
