#include "server/codec/training_stages_codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/codec/training_codec.h"
#include "tests/server/codec/refusal.h"

namespace poe::server {
namespace {

// A request for two classes of real or binary data with these stages.
v1::TrainStart Start(const std::string& stages,
                     const std::string& family = "FAMILY_BERNOULLI") {
  return FromText<v1::TrainStart>(absl::StrCat(
      "class_names: ['a', 'b'] data_spec { dimension: 2 family: ", family,
      "} products { groups { num_experts: 1 bernoulli_units {} } }", stages));
}

absl::StatusOr<TrainingSettings> Decode(const v1::TrainStart& start) {
  return DecodeTrainStart(start, 1);
}

TEST(TrainingStagesCodecTest, NoStagesMeanTheUsualOnes) {
  absl::StatusOr<TrainingSettings> settings = Decode(Start(""));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_TRUE(settings->separator.has_value());
  EXPECT_TRUE(settings->calibrate);
  EXPECT_EQ(settings->contrastive_divergence.epochs, 20);
  v1::TrainStart one_class = Start("");
  one_class.clear_class_names();
  settings = Decode(one_class);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_FALSE(settings->separator.has_value());
  EXPECT_TRUE(settings->calibrate);
}

TEST(TrainingStagesCodecTest, StagesThatAreNotAskedForAreNotDone) {
  const absl::StatusOr<TrainingSettings> settings =
      Decode(Start("stages { contrastive_divergence {} }"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_FALSE(settings->separator.has_value());
  EXPECT_FALSE(settings->calibrate);
}

TEST(TrainingStagesCodecTest, DefaultsAreThoseOfTheApi) {
  const absl::StatusOr<TrainingSettings> settings = Decode(
      Start("stages { contrastive_divergence {} } stages { separator {} }"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  const ContrastiveDivergenceSettings& cd = settings->contrastive_divergence;
  EXPECT_EQ(cd.epochs, 20);
  EXPECT_EQ(cd.updates, 0);
  EXPECT_EQ(cd.batch_size, 100);
  EXPECT_EQ(cd.gibbs_steps, 1);
  EXPECT_EQ(cd.reconstruction, Reconstruction::kMean);
  EXPECT_EQ(cd.grow_gibbs_steps_every, 0);
  EXPECT_FALSE(cd.early_stopping.has_value());
  EXPECT_TRUE(settings->further_divergence.empty());
  EXPECT_EQ(cd.optimizer.kind, OptimizerSettings::Kind::kMomentum);
  EXPECT_EQ(cd.optimizer.schedule, OptimizerSettings::Schedule::kConstant);
  EXPECT_EQ(cd.optimizer.rate, 0.05);
  EXPECT_EQ(cd.optimizer.final_rate_share, 0);
  EXPECT_EQ(cd.optimizer.momentum, 0.9);
  EXPECT_EQ(cd.optimizer.early_momentum, 0.9);
  EXPECT_EQ(cd.optimizer.early_epochs, 0);
  EXPECT_EQ(cd.optimizer.second_decay, 0.999);
  EXPECT_EQ(cd.optimizer.weight_decay, 0);
  EXPECT_TRUE(cd.optimizer.rate_multipliers.empty());
  EXPECT_EQ(cd.optimizer.average_share, 0);
  ASSERT_TRUE(settings->separator.has_value());
  EXPECT_EQ(settings->separator->rows,
            SeparatorSettings::Rows::kHeldOutOrTraining);
  EXPECT_EQ(settings->separator->options.method,
            SeparatorOptions::Method::kMaximumMargin);
  EXPECT_FALSE(settings->separator->options.cost.has_value());
}

TEST(TrainingStagesCodecTest, RealDataAreReconstructedByDraws) {
  const absl::StatusOr<TrainingSettings> settings =
      Decode(Start("", "FAMILY_GAUSSIAN"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->contrastive_divergence.reconstruction,
            Reconstruction::kSample);
}

TEST(TrainingStagesCodecTest, EveryFieldIsRead) {
  const absl::StatusOr<TrainingSettings> settings = Decode(Start(R"pb(
    stages {
      contrastive_divergence {
        updates: 2000
        batch_size: -1
        gibbs_steps: 3
        sample_data: true
        grow_gibbs_steps_every: 5
        optimizer {
          kind: KIND_ADAM
          schedule: SCHEDULE_COSINE
          final_rate_share: 0.125
          momentum: 0.5
          early_epochs: 4
          second_decay: 0.75
          weight_decay: 0.25
          rate_multipliers { key: "mean" value: 3 }
          average_share: 0.5
        }
      }
    }
    stages { separator { rows: ROWS_ALL method: METHOD_LOGISTIC cost: 4 } }
    stages { calibration {} }
  )pb"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  const ContrastiveDivergenceSettings& cd = settings->contrastive_divergence;
  EXPECT_EQ(cd.epochs, 0);
  EXPECT_EQ(cd.updates, 2000);
  EXPECT_EQ(cd.batch_size, -1);
  EXPECT_EQ(cd.gibbs_steps, 3);
  EXPECT_EQ(cd.reconstruction, Reconstruction::kSample);
  EXPECT_EQ(cd.grow_gibbs_steps_every, 5);
  EXPECT_EQ(cd.optimizer.kind, OptimizerSettings::Kind::kAdam);
  EXPECT_EQ(cd.optimizer.rate, 0.003);
  EXPECT_EQ(cd.optimizer.schedule, OptimizerSettings::Schedule::kCosine);
  EXPECT_EQ(cd.optimizer.final_rate_share, 0.125);
  EXPECT_EQ(cd.optimizer.momentum, 0.5);
  EXPECT_EQ(cd.optimizer.early_momentum, 0.5);
  EXPECT_EQ(cd.optimizer.early_epochs, 4);
  EXPECT_EQ(cd.optimizer.second_decay, 0.75);
  EXPECT_EQ(cd.optimizer.weight_decay, 0.25);
  EXPECT_EQ(cd.optimizer.rate_multipliers.at("mean"), 3);
  EXPECT_EQ(cd.optimizer.average_share, 0.5);
  EXPECT_EQ(settings->separator->rows, SeparatorSettings::Rows::kAll);
  EXPECT_EQ(settings->separator->options.method,
            SeparatorOptions::Method::kLogistic);
  EXPECT_EQ(settings->separator->options.cost, 4);
  EXPECT_TRUE(settings->calibrate);
}

TEST(TrainingStagesCodecTest, ContrastiveDivergenceMayBeGivenMoreThanOnce) {
  const absl::StatusOr<TrainingSettings> settings = Decode(Start(R"pb(
    stages { contrastive_divergence { epochs: 3 } }
    stages {
      contrastive_divergence {
        epochs: 4
        gibbs_steps: 3
        optimizer { kind: KIND_ADAM }
      }
    }
    stages { contrastive_divergence { gibbs_steps: 10 } }
    stages { unlearn {} }
  )pb"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->contrastive_divergence.epochs, 3);
  EXPECT_EQ(settings->contrastive_divergence.gibbs_steps, 1);
  ASSERT_EQ(settings->further_divergence.size(), 2u);
  EXPECT_EQ(settings->further_divergence[0].epochs, 4);
  EXPECT_EQ(settings->further_divergence[0].gibbs_steps, 3);
  EXPECT_EQ(settings->further_divergence[0].optimizer.kind,
            OptimizerSettings::Kind::kAdam);
  EXPECT_EQ(settings->further_divergence[1].epochs, 20);
  EXPECT_EQ(settings->further_divergence[1].gibbs_steps, 10);
  EXPECT_EQ(settings->further_divergence[1].optimizer.kind,
            OptimizerSettings::Kind::kMomentum);
}

TEST(TrainingStagesCodecTest, EarlyStoppingIsReadForEveryLayer) {
  const absl::StatusOr<TrainingSettings> settings = Decode(Start(R"pb(
    held_out_share: 0.25
    stages { contrastive_divergence { early_stopping {} } }
    stages { contrastive_divergence { early_stopping { patience: 4 } } }
    stages {
      next_layer {
        product {
          groups {
            num_experts: 7
            bernoulli_units {}
          }
        }
        contrastive_divergence { early_stopping { patience: 5 } }
      }
    }
  )pb"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  ASSERT_TRUE(settings->contrastive_divergence.early_stopping.has_value());
  EXPECT_EQ(settings->contrastive_divergence.early_stopping->patience, 0);
  EXPECT_EQ(settings->further_divergence[0].early_stopping->patience, 4);
  EXPECT_EQ(
      settings->next_layers[0].contrastive_divergence.early_stopping->patience,
      5);
}

TEST(TrainingStagesCodecTest, FurtherLayersAreReadInOrder) {
  const absl::StatusOr<TrainingSettings> settings = Decode(Start(R"pb(
    stages { contrastive_divergence { epochs: 3 } }
    stages {
      next_layer {
        product {
          groups {
            num_experts: 7
            bernoulli_units {}
          }
        }
        contrastive_divergence { epochs: 4 }
      }
    }
    stages {
      next_layer {
        product {
          groups {
            num_experts: 5
            bernoulli_units {}
          }
        }
      }
    }
    stages { separator {} }
  )pb"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->contrastive_divergence.epochs, 3);
  ASSERT_EQ(settings->next_layers.size(), 2u);
  EXPECT_EQ(settings->next_layers[0].product.groups[0].num_experts, 7);
  EXPECT_EQ(settings->next_layers[0].contrastive_divergence.epochs, 4);
  EXPECT_EQ(settings->next_layers[1].product.groups[0].num_experts, 5);
  EXPECT_EQ(settings->next_layers[1].contrastive_divergence.epochs, 20);
  EXPECT_EQ(settings->next_layers[1].contrastive_divergence.reconstruction,
            Reconstruction::kMean);
}

TEST(TrainingStagesCodecTest, UnlearningHasDefaultsAndIsRead) {
  const absl::StatusOr<TrainingSettings> defaults = Decode(
      Start("stages { contrastive_divergence {} } stages { unlearn {} }"));
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  ASSERT_TRUE(defaults->unlearning.has_value());
  EXPECT_EQ(defaults->unlearning->epochs, 0);
  EXPECT_EQ(defaults->unlearning->updates, 1000);
  EXPECT_EQ(defaults->unlearning->batch_size, 100);
  EXPECT_EQ(defaults->unlearning->gibbs_steps, 1);
  EXPECT_EQ(defaults->unlearning->chains->chains, 100);
  EXPECT_EQ(defaults->unlearning->chains->steps, 1000);
  EXPECT_FALSE(defaults->contrastive_divergence.chains.has_value());
  const absl::StatusOr<TrainingSettings> settings = Decode(Start(R"pb(
    stages { contrastive_divergence {} }
    stages {
      unlearn {
        chains: 7
        steps: 30
        gibbs_steps: 2
        updates: 5
        batch_size: -1
        optimizer { rate: 0.25 }
      }
    }
  )pb"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->unlearning->updates, 5);
  EXPECT_EQ(settings->unlearning->batch_size, -1);
  EXPECT_EQ(settings->unlearning->gibbs_steps, 2);
  EXPECT_EQ(settings->unlearning->chains->chains, 7);
  EXPECT_EQ(settings->unlearning->chains->steps, 30);
  EXPECT_EQ(settings->unlearning->optimizer.rate, 0.25);
}

// Trees whose base is too wide to matter.
v1::TrainStart PoolStart(const std::string& pool) {
  v1::TrainStart start = Start(absl::StrCat("stages { pool {", pool, "} }"));
  start.mutable_data_spec()->set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
  start.clear_products();
  start.MergeFrom(FromText<v1::TrainStart>(R"pb(
    products {
      groups {
        num_experts: 2
        gaussian_tree { num_trees: 1 }
      }
      base { deviation_multiple: 10000 }
    }
  )pb"));
  return start;
}

TEST(TrainingStagesCodecTest, PoolsAreRead) {
  const auto learned = Decode(PoolStart(""));
  ASSERT_TRUE(learned.ok()) << learned.status();
  EXPECT_FALSE(learned->train_together);
  ASSERT_TRUE(learned->pool.has_value());
  EXPECT_TRUE(learned->pool->weights.empty());
  const auto given = Decode(PoolStart("weights: [ 0.25, 0.75 ]"));
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->pool->weights, std::vector<double>({0.25, 0.75}));
}

TEST(TrainingStagesCodecTest, BadPoolsAreRefused) {
  using R = Refusal<v1::TrainStart>;
  const auto weights = [](std::vector<double> weights) {
    return [weights](v1::TrainStart& start) {
      auto& stage = *start.mutable_stages(0)->mutable_pool();
      stage.mutable_weights()->Assign(weights.begin(), weights.end());
    };
  };
  const auto more = [](const std::string& stages) {
    return [stages](v1::TrainStart& start) {
      start.MergeFrom(FromText<v1::TrainStart>(stages));
    };
  };
  ExpectRefused<v1::TrainStart>(
      PoolStart(""),
      {R{weights({0.5, 0.4}), kInvalid, "INVALID_SETTINGS",
         "the weights sum to 0.9; they must sum to 1"},
       R{weights({-1, 2}), kInvalid, "INVALID_SETTINGS", "weights[0] is -1"},
       R{weights({1}), kInvalid, "INVALID_SETTINGS",
         "there are 1 weights; must be 2"},
       R{more("stages { pool {} }"), kInvalid, "DUPLICATE",
         "stages[1].pool is the second of its kind"},
       R{more("stages { contrastive_divergence {} }"), kInvalid, "CONFLICT",
         "stages[1].contrastive_divergence comes after pool"},
       R{more("stages { initialize {} }"), kInvalid, "INVALID_ORDER",
         "stages[1].initialize comes after another stage"},
       R{[](auto& s) {
           s.mutable_stages(0)->mutable_contrastive_divergence();
           s.add_stages()->mutable_pool();
         },
         kInvalid, "CONFLICT",
         "stages[1].pool comes after contrastive_divergence"},
       R{[](auto& s) { s.mutable_products(0)->clear_base(); }, kInvalid,
         "INVALID_SETTINGS", "base.deviation_multiple is 3"},
       R{[](auto& s) {
           s.mutable_products(0)
               ->mutable_groups(0)
               ->mutable_gaussian_tree()
               ->set_num_trees(2);
         },
         kInvalid, "INVALID_SETTINGS", "groups[0] is of mixtures"}},
      [](const v1::TrainStart& start) { return Decode(start).status(); });
}

TEST(TrainingStagesCodecTest, NormalizersHaveDefaults) {
  const auto decoded = [](const std::string& stages) {
    return Decode(Start("stages { contrastive_divergence {} }" + stages))
        ->normalizer;
  };
  EXPECT_FALSE(decoded("").has_value());
  const auto defaults = decoded("stages { normalizer {} }");
  EXPECT_EQ(defaults->chains, 1000);
  EXPECT_EQ(defaults->temperatures, 1000);
  const auto given =
      decoded("stages { normalizer { chains: 7 temperatures: 9 } }");
  EXPECT_EQ(given->chains, 7);
  EXPECT_EQ(given->temperatures, 9);
}

TEST(TrainingStagesCodecTest, BadStagesAreRefused) {
  using R = Refusal<v1::TrainStart>;
  auto to = [](const std::string& stages) {
    return [stages](v1::TrainStart& start) {
      start.clear_stages();
      start.MergeFrom(FromText<v1::TrainStart>(stages));
    };
  };
  auto optimizer = [&to](const std::string& settings) {
    return to(absl::StrCat("stages { contrastive_divergence { optimizer {",
                           settings, "} } }"));
  };
  const std::string cd = "stages { contrastive_divergence {} }";
  const std::string next_layer =
      "stages { next_layer { product { groups { num_experts: 2 "
      "bernoulli_units {} } } } }";
  ExpectRefused<v1::TrainStart>(
      Start(cd),
      {R{to("stages {}"), kInvalid, "REQUIRED", "stages[0] names no stage"},
       R{to(cd + "stages { normalizer { chains: 1 } }"), kInvalid,
         "INVALID_SETTINGS", "stages[1].normalizer.chains is 1"},
       R{to(cd + "stages { normalizer { temperatures: -1 } }"), kInvalid,
         "INVALID_SETTINGS", "stages[1].normalizer.temperatures is -1"},
       R{to(cd + "stages { normalizer {} } stages { normalizer {} }"), kInvalid,
         "DUPLICATE", "stages[2].normalizer is the second"},
       R{to(cd + "stages { calibration {} } stages { normalizer {} }"),
         kInvalid, "INVALID_ORDER", "stages[2].normalizer comes after"},
       R{to(cd + "stages { initialize {} }"), kInvalid, "INVALID_ORDER",
         "stages[1].initialize comes after another stage"},
       R{to("stages { initialize {} } stages { initialize {} }"), kInvalid,
         "DUPLICATE", "stages[1].initialize is the second"},
       R{to("stages { initialize { coordinate_share: 0 } }"), kInvalid,
         "INVALID_SETTINGS", "initialize.coordinate_share is 0"},
       R{to("stages { initialize { row_share: 0 } }"), kInvalid,
         "INVALID_SETTINGS", "stages[0].initialize.row_share is 0"},
       R{to("stages { initialize { row_share: 1.5 } }"), kInvalid,
         "INVALID_SETTINGS", "stages[0].initialize.row_share is 1.5"},
       R{to("stages { initialize { power: nan } }"), kInvalid,
         "INVALID_SETTINGS", "stages[0].initialize.power is nan"},
       R{to("stages { initialize { max_iterations: 0 } }"), kInvalid,
         "INVALID_SETTINGS", "stages[0].initialize.max_iterations is 0"},
       R{to(next_layer + cd), kInvalid, "INVALID_ORDER",
         "stages[0].next_layer comes before the lowest layer is trained"},
       R{to(cd + "stages { separator {} }" + next_layer), kInvalid,
         "INVALID_ORDER", "stages[2].next_layer comes after separator"},
       R{to("stages { initialize {} }" + next_layer + cd), kInvalid,
         "INVALID_ORDER",
         "stages[2].contrastive_divergence comes after unlearn or next_layer"},
       R{to("stages { unlearn {} }" + cd), kInvalid, "INVALID_ORDER",
         "stages[0].unlearn comes before anything is learned"},
       R{to(cd + next_layer + "stages { unlearn {} }"), kInvalid,
         "INVALID_ORDER", "stages[2].unlearn comes after next_layer"},
       R{to(cd + "stages { unlearn {} } stages { unlearn {} }"), kInvalid,
         "DUPLICATE", "stages[2].unlearn is the second of its kind"},
       R{to(cd + "stages { unlearn { chains: -1 } }"), kInvalid,
         "INVALID_SETTINGS", "unlearn.chains is -1"},
       R{to(cd + "stages { unlearn { steps: 2000000 } }"), kInvalid,
         "OUT_OF_RANGE", "has 100 chains of 2000000 steps"},
       R{to(cd + "stages { next_layer {} }"), kInvalid, "INVALID_SETTINGS",
         "stages[1].next_layer: product has no groups"},
       R{to(cd + "stages { next_layer { product { groups { num_experts: 0 "
                 "bernoulli_units {} } } } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[1].next_layer.product.groups[0]: num_experts is 0"},
       R{to(cd + "stages { next_layer { product { groups { num_experts: 2 "
                 "unigauss {} } } } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[1].next_layer.product.groups[0]: unigauss experts need"},
       R{to(cd + "stages { next_layer { product { groups { num_experts: 2 } } "
                 "} }"),
         kInvalid, "REQUIRED", "stages[1].next_layer.product.groups[0] names"},
       R{to(cd + "stages { next_layer { product { groups { num_experts: 2 "
                 "bernoulli_units {} } } contrastive_divergence { optimizer { "
                 "rate: -1 } } } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[1].next_layer.contrastive_divergence.optimizer.rate is -1"},
       R{to(cd + "stages { next_layer { product { groups { num_experts: 2 "
                 "bernoulli_units {} } } contrastive_divergence { gibbs_steps: "
                 "-1 } } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[1].next_layer.contrastive_divergence.gibbs_steps is -1"},
       R{to(cd + "stages { contrastive_divergence { gibbs_steps: -2 } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[1].contrastive_divergence.gibbs_steps is -2"},
       R{to("stages { contrastive_divergence { early_stopping {} } }"),
         kInvalid, "INVALID_SETTINGS",
         "held_out_share is 0; early_stopping goes by held-out rows"},
       R{to("stages { contrastive_divergence { early_stopping { patience: -1 } "
            "} }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[0].contrastive_divergence.early_stopping.patience is -1"},
       R{to("held_out_share: 0.1 stages { contrastive_divergence { "
            "early_stopping {} optimizer { average_share: 0.5 } } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[0].contrastive_divergence.early_stopping is given with "
         "optimizer.average_share 0.5"},
       R{to(cd + "stages { next_layer { product { groups { num_experts: 2 "
                 "bernoulli_units {} } } contrastive_divergence { "
                 "early_stopping { patience: -3 } } } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[1].next_layer.contrastive_divergence.early_stopping.patience "
         "is -3"},
       R{to("stages { separator {} }"), kInvalid, "REQUIRED",
         "stages has none of initialize, contrastive_divergence and pool"},
       R{to("stages { separator {} }" + cd), kInvalid, "INVALID_ORDER",
         "stages[1].contrastive_divergence comes after"},
       R{to(cd + "stages { calibration {} } stages { separator {} }"), kInvalid,
         "INVALID_ORDER", "stages[2].separator comes after calibration"},
       R{to(cd + "stages { separator {} } stages { separator {} }"), kInvalid,
         "DUPLICATE", "stages[2].separator is the second"},
       R{to(cd + "stages { calibration {} } stages { calibration {} }"),
         kInvalid, "DUPLICATE", "stages[2].calibration is the second"},
       R{[](auto& s) {
           s.clear_class_names();
           s.add_stages()->mutable_separator();
         },
         kInvalid, "NOT_ALLOWED", "stages[1].separator is given"},
       R{to(cd + "stages { separator { rows: 9 } }"), kInvalid, "INVALID_VALUE",
         "stages[1].separator.rows is 9"},
       R{to(cd + "stages { separator { method: 9 } }"), kInvalid,
         "INVALID_VALUE", "stages[1].separator.method is 9"},
       R{to("stages { contrastive_divergence { epochs: 2 updates: 3 } }"),
         kInvalid, "CONFLICT",
         "stages[0].contrastive_divergence has epochs 2 and updates 3"},
       R{to("stages { contrastive_divergence { epochs: -2 } }"), kInvalid,
         "INVALID_SETTINGS", "stages[0].contrastive_divergence: epochs is -2"},
       R{to("stages { contrastive_divergence { updates: -2 } }"), kInvalid,
         "INVALID_SETTINGS", "updates is -2"},
       R{to("stages { contrastive_divergence { batch_size: -2 } }"), kInvalid,
         "INVALID_SETTINGS",
         "stages[0].contrastive_divergence.batch_size is -2"},
       R{to("stages { contrastive_divergence { gibbs_steps: -2 } }"), kInvalid,
         "INVALID_SETTINGS",
         "stages[0].contrastive_divergence.gibbs_steps is -2"},
       R{to("stages { contrastive_divergence { grow_gibbs_steps_every: -1 } }"),
         kInvalid, "INVALID_SETTINGS",
         "stages[0].contrastive_divergence.grow_gibbs_steps_every"},
       R{optimizer("kind: 9"), kInvalid, "INVALID_VALUE",
         "stages[0].contrastive_divergence.optimizer.kind is 9"},
       R{optimizer("schedule: 9"), kInvalid, "INVALID_VALUE",
         "optimizer.schedule is 9"},
       R{optimizer("rate: -1"), kInvalid, "INVALID_SETTINGS",
         "stages[0].contrastive_divergence.optimizer.rate is -1"},
       R{optimizer("rate: nan"), kInvalid, "INVALID_SETTINGS",
         "optimizer.rate is nan"},
       R{optimizer("final_rate_share: 2"), kInvalid, "INVALID_SETTINGS",
         "optimizer.final_rate_share is 2"},
       R{optimizer("momentum: 1"), kInvalid, "INVALID_SETTINGS",
         "optimizer.momentum is 1"},
       R{optimizer("early_momentum: -0.5"), kInvalid, "INVALID_SETTINGS",
         "optimizer.early_momentum is -0.5"},
       R{optimizer("early_epochs: -1"), kInvalid, "INVALID_SETTINGS",
         "optimizer.early_epochs is -1"},
       R{optimizer("second_decay: 1"), kInvalid, "INVALID_SETTINGS",
         "optimizer.second_decay is 1"},
       R{optimizer("weight_decay: -1"), kInvalid, "INVALID_SETTINGS",
         "optimizer.weight_decay is -1"},
       R{optimizer("average_share: 1.5"), kInvalid, "INVALID_SETTINGS",
         "optimizer.average_share is 1.5"},
       R{optimizer("rate_multipliers { key: 'bias' value: 1 }"), kInvalid,
         "INVALID_SETTINGS", "optimizer.rate_multipliers names \"bias\""},
       R{optimizer("rate_multipliers { key: 'mean' value: -1 }"), kInvalid,
         "INVALID_SETTINGS", "optimizer.rate_multipliers[mean] is -1"}},
      [](const v1::TrainStart& start) { return Decode(start).status(); });
}

}  // namespace
}  // namespace poe::server
