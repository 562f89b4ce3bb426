#include "poe/annealing_start.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "poe/bases/structured_gaussian.h"

namespace poe {
namespace {

// Drawn to see how far the experts' data reach.
constexpr Index kScoutRows = 128, kScoutSequences = 16, kScoutFrames = 16;
constexpr std::uint64_t kScoutSeed = 0x73636f7574206f75;
// So small that all latent states are alike, and far from underflow.
constexpr double kScoutTemperature = 1e-20;
// Deviations of the start in those of the data: too narrow costs more than too
// wide.
constexpr double kStartMultiple = 2;

// b(x) / q(x) of two bases, tempered: an expert of one state.
template <typename Scalar>
class BaseRatio final : public ExpertGroup<Scalar> {
 public:
  BaseRatio(std::unique_ptr<Base<Scalar>> base,
            std::unique_ptr<Base<Scalar>> start, bool sequential)
      : base_(std::move(base)),
        start_(std::move(start)),
        sequential_(sequential) {
    const Messages<Scalar> of_base = base_->NaturalParameters();
    const Messages<Scalar> of_start = start_->NaturalParameters();
    information_ = of_base.linear.row(0) - of_start.linear.row(0);
    precision_ = of_base.precision.row(0) - of_start.precision.row(0);
  }

  Index num_experts() const override { return 1; }
  Index dimension() const override { return base_->dimension(); }
  bool Supports(Family family) const override {
    return family == base_->family();
  }
  bool sequential() const override { return sequential_; }
  Scalar power() const override { return 1; }
  std::unique_ptr<ExpertGroup<Scalar>> Clone() const override {
    return std::make_unique<BaseRatio>(base_->Clone(), start_->Clone(),
                                       sequential_);
  }

  std::unique_ptr<Posterior> NewPosterior() const override {
    return std::make_unique<Ratios>();
  }
  void Infer(const Observations<Scalar>& x, Scalar beta, const Workers&,
             Posterior& posterior) const override {
    auto& ratios = static_cast<Ratios&>(posterior);
    std::vector<double> of_start(x.size, 0);
    ratios.beta = beta;
    ratios.log_scores.assign(x.size, 0);
    base_->AddLogScores(x, absl::MakeSpan(ratios.log_scores));
    start_->AddLogScores(x, absl::MakeSpan(of_start));
    for (Index n = 0; n < x.size; ++n)
      ratios.log_scores[n] =
          static_cast<double>(beta) * (ratios.log_scores[n] - of_start[n]);
  }
  void AddLogScores(const Posterior& posterior,
                    absl::Span<double> log_scores) const override {
    const auto& ratios = static_cast<const Ratios&>(posterior);
    for (std::size_t n = 0; n < ratios.log_scores.size(); ++n)
      log_scores[n] += ratios.log_scores[n];
  }
  void ExpertLogScores(const Posterior& posterior,
                       RowMatrixRef<double> log_scores) const override {
    const auto& ratios = static_cast<const Ratios&>(posterior);
    for (std::size_t n = 0; n < ratios.log_scores.size(); ++n)
      log_scores(static_cast<Index>(n), 0) = ratios.log_scores[n];
  }
  void AddSampledMessages(const Observations<Scalar>&,
                          const Posterior& posterior, const Draws&,
                          const Workers&,
                          Messages<Scalar>& messages) const override {
    const Scalar beta = static_cast<const Ratios&>(posterior).beta;
    messages.linear.rowwise() += beta * information_;
    messages.precision.rowwise() += beta * precision_;
  }
  void AddGradient(const Observations<Scalar>&, const Posterior&,
                   absl::Span<const Scalar>, const Workers&,
                   Eigen::Ref<Vector<Scalar>>) const override {}

 private:
  using Row = Eigen::Matrix<Scalar, 1, Eigen::Dynamic>;
  struct Ratios final : Posterior {
    Scalar beta = 1;
    std::vector<double> log_scores;
  };

  std::unique_ptr<Base<Scalar>> base_, start_;
  bool sequential_;
  Row information_, precision_;
};

// Frames drawn given latents of all states alike, at inverse temperature 1.
template <typename Scalar>
Observations<Scalar> Scout(const Product<Scalar>& product) {
  Observations<Scalar> x =
      product.sequential()
          ? MakeAlike<Scalar>(true, kScoutSequences, kScoutFrames,
                              product.dimension())
          : MakeDense<Scalar>(kScoutRows, product.dimension());
  const auto temperature = static_cast<Scalar>(kScoutTemperature);
  Messages<Scalar> messages, all;
  product.base().StartMessages(x, Workers::Inline(), all);
  messages.linear =
      RowMatrix<Scalar>::Zero(all.linear.rows(), all.linear.cols());
  messages.precision = messages.linear;
  messages.coupling =
      RowMatrix<Scalar>::Zero(all.coupling.rows(), all.coupling.cols());
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const ExpertGroup<Scalar>& group = product.group(i);
    const std::unique_ptr<Posterior> posterior = group.NewPosterior();
    group.Infer(x, temperature, Workers::Inline(), *posterior);
    group.AddSampledMessages(
        x, *posterior,
        {kScoutSeed, Purpose::kLatents, static_cast<std::uint32_t>(i), 0},
        Workers::Inline(), messages);
    messages.first_coupling += static_cast<Index>(group.couplings().size());
  }
  all.linear += messages.linear / temperature;
  all.precision += messages.precision / temperature;
  all.coupling += messages.coupling / temperature;
  product.base().Reconstruct(all, Reconstruction::kSample,
                             {kScoutSeed, Purpose::kData, 0, 0},
                             Workers::Inline(), x);
  return x;
}

}  // namespace

template <typename Scalar>
std::optional<Product<Scalar>> NearerStart(const Product<Scalar>& product) {
  const auto* base =
      dynamic_cast<const StructuredGaussianBase<Scalar>*>(&product.base());
  if (base == nullptr) return std::nullopt;
  const Observations<Scalar> x = Scout(product);
  const RowMatrix<double> values =
      x.values.topRows(x.frames()).template cast<double>();
  Vector<Scalar> mean = base->block(0).transpose();
  Vector<Scalar> log_variance = base->block(1).transpose();
  bool any = false;
  for (Index i = 0; i < base->dimension(); ++i) {
    const double centre = values.col(i).mean();
    // Where M experts speak of the same, the centre of their opinions varies
    // by an Mth of what each does.
    const double variance = static_cast<double>(product.num_experts()) *
                            (values.col(i).array() - centre).square().mean();
    const double far = std::log(kWidestStart * kWidestStart * variance);
    if (!(static_cast<double>(log_variance(i)) > far)) continue;
    mean(i) = static_cast<Scalar>(centre);
    log_variance(i) = static_cast<Scalar>(
        std::log(kStartMultiple * kStartMultiple * variance));
    any = true;
  }
  if (!any || !mean.allFinite() || !log_variance.allFinite())
    return std::nullopt;
  auto start = StructuredGaussianBase<Scalar>::Create(mean, log_variance);
  if (!start.ok()) return std::nullopt;
  std::vector<std::unique_ptr<ExpertGroup<Scalar>>> groups;
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    groups.push_back(product.group(i).Clone());
  groups.push_back(std::make_unique<BaseRatio<Scalar>>(
      base->Clone(), (*start)->Clone(), product.sequential()));
  auto nearer = Product<Scalar>::Create(*std::move(start), std::move(groups));
  if (!nearer.ok()) return std::nullopt;
  return *std::move(nearer);
}

template std::optional<Product<float>> NearerStart(const Product<float>&);
template std::optional<Product<double>> NearerStart(const Product<double>&);

}  // namespace poe
