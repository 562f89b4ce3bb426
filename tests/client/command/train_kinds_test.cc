// Kinds of expert and the options that belong to them.
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/train_start.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DataSet Reals() {
  DataSet set;
  set.rows = 100;
  set.dimension = 6;
  return set;
}

DataSet Bytes() {
  DataSet set = Reals();
  set.grey_levels = true;
  return set;
}

TEST(TrainKindsTest, KindsSayWhatTheDataAre) {
  TrainOptions options;
  for (const ExpertKind kind : {ExpertKind::kMarkov, ExpertKind::kDynamics}) {
    options.kinds = {{kind}};
    EXPECT_TRUE(FormOf(options).sequential);
    const auto start = MakeTrainStart(options, Reals(), {});
    ASSERT_TRUE(start.ok()) << start.status();
    EXPECT_TRUE(start->data_spec().sequential());
    EXPECT_EQ(start->data_spec().family(), v1::FAMILY_STRUCTURED_GAUSSIAN);
    EXPECT_EQ(start->data_spec().preprocessing().kind(),
              v1::Preprocessing::KIND_STANDARDIZE);
    EXPECT_EQ(start->products(0).groups(0).num_experts(), 3);
  }
  options.kinds = {{ExpertKind::kTree}};
  auto start = MakeTrainStart(options, Reals(), {});
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_STRUCTURED_GAUSSIAN);
  EXPECT_FALSE(start->data_spec().sequential());
  options.kinds = {{ExpertKind::kMixture}};
  start = MakeTrainStart(options, Bytes(), {});
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_GAUSSIAN);
  options.kinds = {{ExpertKind::kMarkov}};
  options.symbols = 4;
  start = MakeTrainStart(options, Reals(), {});
  EXPECT_EQ(start->data_spec().family(), v1::FAMILY_CATEGORICAL);
}

TEST(TrainKindsTest, ShapesArriveInTheirKinds) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kMixture}};
  options.components = 7;
  options.initial_deviation = 0.5;
  auto start = MakeTrainStart(options, Reals(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const auto& mixture = start->products(0).groups(0).gaussian_mixture();
  EXPECT_EQ(mixture.num_components(), 7);
  EXPECT_EQ(mixture.initial_standard_deviation(), 0.5);
  EXPECT_EQ(start->stages(0).contrastive_divergence().optimizer().kind(),
            v1::OptimizerSettings::KIND_ADAM);

  options = {};
  options.kinds = {{ExpertKind::kMarkov}};
  options.states = 6;
  start = MakeTrainStart(options, Reals(), {});
  EXPECT_EQ(start->products(0).groups(0).hidden_markov().num_states(), 6);

  options = {};
  options.kinds = {{ExpertKind::kDynamics}};
  options.latent = 4;
  start = MakeTrainStart(options, Reals(), {});
  EXPECT_EQ(start->products(0).groups(0).linear_dynamical().num_latent(), 4);

  options = {};
  options.kinds = {{ExpertKind::kTree}};
  options.trees = 2;
  options.uniform = true;
  start = MakeTrainStart(options, Reals(), {});
  EXPECT_EQ(start->products(0).groups(0).gaussian_tree().num_trees(), 2);
  EXPECT_TRUE(start->products(0).groups(0).gaussian_tree().with_uniform());
}

TEST(TrainKindsTest, KindsAreMixedEachWithItsNumber) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kMixture, 20}, {ExpertKind::kUnits}};
  options.experts = 50;
  const auto start = MakeTrainStart(options, Reals(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  ASSERT_EQ(start->products(0).groups_size(), 2);
  EXPECT_TRUE(start->products(0).groups(0).has_gaussian_mixture());
  EXPECT_EQ(start->products(0).groups(0).num_experts(), 20);
  EXPECT_TRUE(start->products(0).groups(1).has_bernoulli_units());
  EXPECT_EQ(start->products(0).groups(1).num_experts(), 50);
  EXPECT_TRUE(start->products(0).base().gaussian_factor());
}

TEST(TrainKindsTest, FittedApartAloneOrBeforeTheRest) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kMarkov}};
  options.fit_apart = true;
  options.exact = true;
  auto start = MakeTrainStart(options, Reals(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  ASSERT_EQ(start->stages_size(), 3);
  EXPECT_TRUE(start->stages(0).has_initialize());
  EXPECT_TRUE(start->stages(1).contrastive_divergence().exact());
  EXPECT_FALSE(start->products(0).base().fixed_variance());
  options.no_together = true;
  start = MakeTrainStart(options, Reals(), {});
  ASSERT_EQ(start->stages_size(), 2);
  EXPECT_TRUE(start->stages(0).has_initialize());
  EXPECT_TRUE(start->stages(1).has_calibration());
  EXPECT_TRUE(start->products(0).base().fixed_variance());
}

TEST(TrainKindsTest, PooledInsteadOfTrainedTogether) {
  TrainOptions options;
  options.kinds = {{ExpertKind::kTree}};
  options.pool = true;
  const auto start = MakeTrainStart(options, Reals(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  ASSERT_EQ(start->stages_size(), 2);
  EXPECT_TRUE(start->stages(0).has_pool());
  EXPECT_TRUE(start->stages(1).has_calibration());
  EXPECT_GE(start->products(0).base().deviation_multiple(), 1000);
}

TEST(TrainKindsTest, OptionsMustBelongToAKindThatIsThere) {
  const auto refused = [](auto change) {
    TrainOptions options;
    change(options);
    return IsUsageError(MakeTrainStart(options, Reals(), {}).status());
  };
  EXPECT_TRUE(refused([](TrainOptions& o) { o.components = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.states = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.latent = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.trees = 3; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.uniform = true; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.weight_scale = 1; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.fit_apart = true; }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}};
    o.circular = true;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kUnits}};
    o.initial_deviation = 1;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}};
    o.no_together = true;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}, {ExpertKind::kUnits}};
    o.fit_apart = o.no_together = true;
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMarkov}, {ExpertKind::kUnits}};
  }));
  EXPECT_TRUE(refused([](TrainOptions& o) {
    o.kinds = {{ExpertKind::kMixture}};
    o.pool = true;
  }));
}

TEST(TrainKindsTest, ExpertsMaySeeSomeColumnsOnly) {
  TrainOptions options;
  options.kinds = {*ParseExperts("unigauss:2@0-2,5"),
                   *ParseExperts("mixture:1")};
  const auto start = MakeTrainStart(options, Reals(), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const v1::ProductSettings& product = start->products(0);
  EXPECT_THAT(product.groups(0).coordinates(), ElementsAre(0, 1, 2, 5));
  EXPECT_EQ(product.groups(0).num_experts(), 2);
  EXPECT_THAT(product.groups(1).coordinates(), IsEmpty());

  options.kinds = {*ParseExperts("unigauss@4-6")};
  const auto beyond = MakeTrainStart(options, Reals(), {}).status();
  EXPECT_TRUE(IsUsageError(beyond));
  EXPECT_THAT(beyond.message(),
              HasSubstr("--kind unigauss 4-6 names column 6; the data have the "
                        "columns 0 to 5"));
}

TEST(TrainKindsTest, KindsAreReadWithAndWithoutANumber) {
  const auto alone = ParseExperts("lds");
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->kind, ExpertKind::kDynamics);
  EXPECT_EQ(alone->count, 0);
  const auto counted = ParseExperts("mixture:20");
  ASSERT_TRUE(counted.ok()) << counted.status();
  EXPECT_EQ(counted->kind, ExpertKind::kMixture);
  EXPECT_EQ(counted->count, 20);
  const auto seeing = ParseExperts("hmm:2@0,3");
  ASSERT_TRUE(seeing.ok()) << seeing.status();
  EXPECT_EQ(seeing->count, 2);
  EXPECT_EQ(seeing->columns, "0,3");
  for (const char* text : {"", "rbm", "units:", "units:0", "units:-1",
                           "units:2:3", "units:x", "units@", "units:2@"}) {
    EXPECT_TRUE(IsUsageError(ParseExperts(text).status())) << text;
  }
}

}  // namespace
}  // namespace poe::client
