// The factor that always speaks. It fixes the family of the data: it samples x
// from the sum of all messages.
#ifndef POE_BASE_H_
#define POE_BASE_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "poe/numerics/random.h"
#include "poe/numerics/workers.h"
#include "poe/observations.h"
#include "poe/parameters.h"

namespace poe {

// What to return of the data's distribution given the latents.
enum class Reconstruction { kMean, kSample };

// Created and validated by each family's Create; afterwards const methods are
// total and thread-safe. The base is never tempered.
template <typename Scalar>
class Base : public Parameterized<Scalar> {
 public:
  virtual Family family() const = 0;
  virtual Index dimension() const = 0;  // D
  // The last columns of a frame may be real inputs of a conditional model: the
  // base has no term for them, never draws them, and takes any number there.
  virtual Index num_real_inputs() const { return 0; }
  virtual std::unique_ptr<Base> Clone() const = 0;

  // Tells a structured base, once and before any messages, which pairs of
  // coordinates the columns of Messages::coupling speak of.
  virtual void Couple(std::vector<Coupling>) {}

  // Whether the density of a frame of D values can be positive.
  virtual bool InSupport(absl::Span<const Scalar> row) const = 0;

  // log_scores[n] += log b(x_n).
  virtual void AddLogScores(const Observations<Scalar>& x,
                            absl::Span<double> log_scores) const = 0;

  // log of the integral (sum) of b(x) over one frame; a sequence of T frames
  // has T times that. Nothing where it is not known. Of grey levels read as
  // Bernoulli means there is none: what the Bernoulli base gives is that of
  // bits.
  virtual std::optional<double> LogNormalizer() const = 0;

  // log_normalizers[n] += log of the integral (sum) of b over those values of
  // x_n that are not clamped, the others as they are: log b(x_n) where all are
  // clamped, LogNormalizer() for each frame where none is. -infinity where a
  // clamped value is out of support. Only where LogNormalizer() is known.
  virtual void AddLogNormalizers(const Observations<Scalar>& x,
                                 absl::Span<double> log_normalizers) const = 0;

  // The base's own natural parameters: of one frame, as those of all.
  virtual Messages<Scalar> NaturalParameters() const = 0;

  // Sets messages to the base's own, for as many frames as x has.
  void StartMessages(const Observations<Scalar>& x, const Workers& workers,
                     Messages<Scalar>& messages) const {
    const Messages<Scalar> own = NaturalParameters();
    const auto for_parts = [&](auto body) {
      body(own.linear, messages.linear);
      body(own.precision, messages.precision);
      body(own.coupling, messages.coupling);
    };
    const Index rows = x.values.rows();
    for_parts(
        [&](const auto& from, auto& to) { to.resize(rows, from.cols()); });
    // Each row by the thread that will add to it.
    workers.ParallelFor(rows, kLeastRows, [&](Index begin, Index end) {
      for_parts([&](const auto& from, auto& to) {
        if (to.cols() > 0)
          to.middleRows(begin, end - begin).rowwise() = from.row(0);
      });
    });
  }

  // Replaces x by the mean of, or a draw from, the distribution with these
  // natural parameters, given the values of x that are clamped.
  virtual void Reconstruct(const Messages<Scalar>& messages,
                           Reconstruction reconstruction, const Draws& draws,
                           const Workers& workers,
                           Observations<Scalar>& x) const = 0;

  // Replaces x, except where it is clamped, by draws from the base alone:
  // where random chains start. Exact draws wherever the normalizer is known.
  virtual void SampleStart(const Draws& draws,
                           Observations<Scalar>& x) const = 0;

  // gradient += sum_n weights[n] d log b(x_n) / d parameters.
  virtual void AddGradient(const Observations<Scalar>& x,
                           absl::Span<const Scalar> weights,
                           Eigen::Ref<Vector<Scalar>> gradient) const = 0;
};

}  // namespace poe

#endif  // POE_BASE_H_
