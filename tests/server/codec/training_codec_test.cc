#include "server/codec/training_codec.h"

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "server/codec/data_spec_codec.h"
#include "tests/server/codec/refusal.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr char kUnits[] = R"pb(
  model_name: "digits"
  class_names: [ "two", "three" ]
  data_spec { family: FAMILY_BERNOULLI dimension: 256 }
  products {
    groups {
      num_experts: 100
      bernoulli_units {}
    }
  }
)pb";

constexpr char kReal[] = R"pb(
  model_name: "clusters"
  data_spec { family: FAMILY_GAUSSIAN dimension: 2 }
  products {
    groups {
      num_experts: 15
      unigauss {}
    }
    base { gaussian_factor: true }
  }
)pb";

absl::StatusOr<TrainingSettings> Decode(const std::string& text) {
  return DecodeTrainStart(FromText<v1::TrainStart>(text), 5);
}

TEST(TrainingCodecTest, DefaultsAreThoseOfTheApi) {
  const absl::StatusOr<TrainingSettings> settings = Decode(kUnits);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->class_names, ElementsAre("two", "three"));
  EXPECT_EQ(settings->data_spec.dimension, 256);
  EXPECT_EQ(settings->seed, 5u);
  EXPECT_EQ(settings->held_out_share, 0);
  ASSERT_THAT(settings->products, SizeIs(1));
  EXPECT_FALSE(settings->products[0].gaussian_factor);
  EXPECT_FALSE(settings->products[0].fixed_variance);
  ASSERT_THAT(settings->products[0].groups, SizeIs(1));
  const GroupSettings& group = settings->products[0].groups[0];
  EXPECT_EQ(group.num_experts, 100);
  EXPECT_EQ(group.power, 1);
  const auto& units = std::get<BernoulliUnitsSettings>(group.kind);
  EXPECT_EQ(units.initial_weight_scale, 0.01);
  EXPECT_EQ(units.initial_bias, 0);
}

TEST(TrainingCodecTest, RowsWithoutClassesAreOneClass) {
  const absl::StatusOr<TrainingSettings> settings = Decode(kReal);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->class_names, ElementsAre("data"));
  EXPECT_TRUE(settings->products[0].gaussian_factor);
  const auto& unigauss =
      std::get<UnigaussSettings>(settings->products[0].groups[0].kind);
  EXPECT_FALSE(unigauss.circular);
  EXPECT_EQ(unigauss.centres, UnigaussSettings::Centres::kData);
  EXPECT_FALSE(unigauss.initial_standard_deviation.has_value());
  EXPECT_FALSE(unigauss.initial_log_volume_odds.has_value());
  EXPECT_FALSE(unigauss.least_standard_deviation.has_value());
  EXPECT_FALSE(unigauss.greatest_standard_deviation.has_value());
}

TEST(TrainingCodecTest, EveryFieldIsRead) {
  const absl::StatusOr<TrainingSettings> settings = Decode(R"pb(
    class_names: [ "a", "b" ]
    data_spec {
      family: FAMILY_GAUSSIAN
      dimension: 2
      preprocessing { kind: KIND_STANDARDIZE }
      box_margin: 0.5
    }
    products {
      groups {
        num_experts: 3
        power: 0.5
        unigauss {
          circular: true
          initial_standard_deviation: 2
          initial_log_volume_odds: -3
          centres: CENTRES_MEAN
          least_standard_deviation: 0.125
          greatest_standard_deviation: 8
        }
      }
    }
    products {
      groups {
        num_experts: 4
        bernoulli_units { initial_weight_scale: 0 initial_bias: -4 }
      }
      base { gaussian_factor: true fixed_variance: true }
    }
    held_out_share: 0.25
  )pb");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->data_spec.preprocessing.kind,
            Preprocessing::Kind::kStandardize);
  EXPECT_EQ(settings->data_spec.box_margin, 0.5);
  EXPECT_EQ(settings->held_out_share, 0.25);
  ASSERT_THAT(settings->products, SizeIs(2));
  const GroupSettings& first = settings->products[0].groups[0];
  EXPECT_EQ(first.power, 0.5);
  const auto& unigauss = std::get<UnigaussSettings>(first.kind);
  EXPECT_TRUE(unigauss.circular);
  EXPECT_EQ(unigauss.initial_standard_deviation, 2);
  EXPECT_EQ(unigauss.initial_log_volume_odds, -3);
  EXPECT_EQ(unigauss.centres, UnigaussSettings::Centres::kMean);
  EXPECT_EQ(unigauss.least_standard_deviation, 0.125);
  EXPECT_EQ(unigauss.greatest_standard_deviation, 8);
  EXPECT_TRUE(settings->products[1].gaussian_factor);
  EXPECT_TRUE(settings->products[1].fixed_variance);
  const auto& units =
      std::get<BernoulliUnitsSettings>(settings->products[1].groups[0].kind);
  EXPECT_EQ(units.initial_weight_scale, 0);
  EXPECT_EQ(units.initial_bias, -4);
}

v1::GroupSettings& GroupOf(v1::TrainStart& start) {
  return *start.mutable_products(0)->mutable_groups(0);
}

absl::Status DecodeLimited(const v1::TrainStart& start) {
  return DecodeTrainStart(start, 5,
                          {.classes = 3, .dimension = 300, .parameters = 60000})
      .status();
}

TEST(TrainingCodecTest, BadStartsAreRefused) {
  using R = Refusal<v1::TrainStart>;
  ExpectRefused<v1::TrainStart>(
      FromText<v1::TrainStart>(kUnits),
      {R{[](auto& s) { s.set_data_file("digits.idx"); }, kInvalid, "REQUIRED",
         "label_file is missing; it says which of the 2 classes"},
       R{[](auto& s) { s.set_label_file("labels.idx"); }, kInvalid,
         "NOT_ALLOWED", "label_file is given without data_file"},
       R{[](auto& s) { s.set_expected_rows(-1); }, kInvalid, "OUT_OF_RANGE",
         "expected_rows is -1"},
       R{[](auto& s) { s.clear_data_spec(); }, kInvalid, "REQUIRED",
         "data_spec.family is missing"},
       R{[](auto& s) { s.mutable_data_spec()->set_sequential(true); }, kInvalid,
         "INVALID_SETTINGS", "products[0].groups[0]: Bernoulli units"},
       R{[](auto& s) { s.mutable_data_spec()->set_dimension(301); }, kInvalid,
         "OUT_OF_RANGE", "data_spec.dimension is 301; at most 300"},
       R{[](auto& s) { s.set_class_names(1, ""); }, kInvalid, "REQUIRED",
         "class_names[1] is empty"},
       R{[](auto& s) { s.set_class_names(1, "two"); }, kInvalid, "DUPLICATE",
         "class_names[1] is \"two\" again"},
       R{[](auto& s) {
           s.add_class_names("four");
           s.add_class_names("five");
         },
         kInvalid, "TOO_MANY_CLASSES", "class_names has 4 names; at most 3"},
       R{[](auto& s) { s.clear_products(); }, kInvalid, "WRONG_SIZE",
         "products has 0 elements for 2 classes"},
       R{[](auto& s) {
           *s.add_products() = s.products(0);
           *s.add_products() = s.products(0);
         },
         kInvalid, "WRONG_SIZE", "products has 3 elements for 2 classes"},
       R{[](auto& s) { s.mutable_products(0)->clear_groups(); }, kInvalid,
         "INVALID_SETTINGS", "products[0] has no groups"},
       R{[](auto& s) {
           s.mutable_products(0)->mutable_base()->set_gaussian_factor(true);
         },
         kInvalid, "INVALID_SETTINGS", "products[0]"},
       R{[](auto& s) { s.set_held_out_share(1); }, kInvalid, "INVALID_SETTINGS",
         "held_out_share is 1"},
       R{[](auto& s) { s.set_held_out_share(-0.5); }, kInvalid,
         "INVALID_SETTINGS", "held_out_share is -0.5"},
       R{[](auto& s) {
           s.set_held_out_share(std::numeric_limits<double>::quiet_NaN());
         },
         kInvalid, "INVALID_SETTINGS", "held_out_share is nan"}},
      DecodeLimited);
}

TEST(TrainingCodecTest, FilesHoldRows) {
  using R = Refusal<v1::TrainStart>;
  v1::TrainStart start = FromText<v1::TrainStart>(kReal);
  start.set_data_file("clusters.csv");
  EXPECT_TRUE(DecodeTrainStart(start, 5).ok());
  start.mutable_data_spec()->set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
  start.mutable_data_spec()->set_sequential(true);
  start.mutable_products(0)->clear_base();
  v1::GroupSettings& group = *start.mutable_products(0)->mutable_groups(0);
  group.mutable_hidden_markov()->set_num_states(2);
  ExpectRefused<v1::TrainStart>(
      [&] {
        v1::TrainStart chunks = start;
        chunks.clear_data_file();
        return chunks;
      }(),
      {R{[](auto& s) { s.set_data_file("clusters.csv"); }, kInvalid,
         "NOT_ALLOWED", "data_file is given; it holds single rows"}},
      [](const auto& s) { return DecodeTrainStart(s, 5).status(); });
}

TEST(TrainingCodecTest, ExpertsOfAllLayersOfAClassAreLimited) {
  v1::TrainStart start = FromText<v1::TrainStart>(kUnits);
  start.add_stages()->mutable_contrastive_divergence();
  v1::GroupSettings& upper = *start.add_stages()
                                  ->mutable_next_layer()
                                  ->mutable_product()
                                  ->add_groups();
  upper.set_num_experts(20);
  upper.mutable_bernoulli_units();
  // Each of the two classes has these.
  EXPECT_TRUE(DecodeTrainStart(start, 5, {.experts = 120}).ok());
  const absl::Status refused =
      DecodeTrainStart(start, 5, {.experts = 119}).status();
  EXPECT_EQ(refused.code(), kInvalid);
  EXPECT_EQ(ReasonOf(refused), "TOO_MANY_EXPERTS");
  EXPECT_THAT(std::string(refused.message()),
              testing::HasSubstr("products ask for 120 experts of one class, "
                                 "all layers together; at most 119"));
}

TEST(TrainingCodecTest, BadGroupsAreRefused) {
  using R = Refusal<v1::TrainStart>;
  ExpectRefused<v1::TrainStart>(
      FromText<v1::TrainStart>(kUnits),
      {R{[](auto& s) { GroupOf(s).clear_kind(); }, kInvalid, "REQUIRED",
         "products[0].groups[0] names no kind of expert"},
       R{[](auto& s) { GroupOf(s).add_coordinates(-3); }, kInvalid,
         "INVALID_SETTINGS", "groups[0]: coordinates[0] is -3"},
       R{[](auto& s) { GroupOf(s).set_num_experts(0); }, kInvalid,
         "INVALID_SETTINGS", "products[0].groups[0]: num_experts is 0"},
       R{[](auto& s) { GroupOf(s).set_num_experts(-7); }, kInvalid,
         "INVALID_SETTINGS", "num_experts is -7"},
       R{[](auto& s) { GroupOf(s).set_num_experts(117); }, kInvalid,
         "MODEL_TOO_LARGE",
         "products ask for 61162 parameters in all; at most 60000"},
       R{[](auto& s) { GroupOf(s).set_power(0); }, kInvalid, "INVALID_SETTINGS",
         "power is 0"},
       R{[](auto& s) {
           GroupOf(s).mutable_bernoulli_units()->set_initial_weight_scale(-1);
         },
         kInvalid, "INVALID_SETTINGS", "initial_weight_scale"},
       R{[](auto& s) {
           GroupOf(s).set_num_experts(5);
           GroupOf(s).mutable_unigauss();
         },
         kInvalid, "INVALID_SETTINGS",
         "unigauss experts need real-valued data"},
       R{[](auto& s) {
           GroupOf(s).mutable_unigauss()->set_centres(
               static_cast<v1::UnigaussSettings::Centres>(9));
         },
         kInvalid, "INVALID_VALUE",
         "products[0].groups[0].unigauss.centres is 9"}},
      DecodeLimited);
}

// Every kind's group for data of a family, then settings that do not fit.
TEST(TrainingCodecTest, BadSettingsOfKindsAreRefused) {
  using R = Refusal<v1::TrainStart>;
  const auto group = [](const std::string& text) {
    return [text](v1::TrainStart& start) {
      GroupOf(start) = FromText<v1::GroupSettings>("num_experts: 2 " + text);
    };
  };
  const auto bad = [&](const std::string& text, const std::string& problem) {
    return R{group(text), kInvalid, "INVALID_SETTINGS",
             "products[0].groups[0]: " + problem};
  };
  v1::TrainStart rows = FromText<v1::TrainStart>(kReal);
  group("gaussian_mixture { num_components: 3 }")(rows);
  ExpectRefused<v1::TrainStart>(
      rows,
      {bad("gaussian_mixture {}", "num_components is 0"),
       bad("gaussian_mixture { num_components: -1 }", "num_components is -1"),
       bad("gaussian_mixture { num_components: 2147483647 }",
           "num_components is 2147483647"),
       bad("gaussian_mixture { num_components: 1 "
           "least_standard_deviation: 2 greatest_standard_deviation: 1 }",
           "the bounds on standard deviations are out of order"),
       bad("gaussian_mixture { num_components: 1 "
           "initial_standard_deviation: nan }",
           "a standard deviation of Gaussian mixtures is nan"),
       bad("gaussian_mixture { num_components: 1 "
           "greatest_standard_deviation: 1e30 }",
           "a standard deviation of Gaussian mixtures is 1e+30"),
       bad("unigauss { least_standard_deviation: -1 }",
           "a standard deviation of unigauss experts is -1"),
       bad("unigauss { initial_log_volume_odds: inf }",
           "initial_log_volume_odds"),
       bad("hidden_markov { num_states: 3 }",
           "hidden Markov models see sequences, but the data are dense rows"),
       bad("linear_dynamical { num_latent: 3 }",
           "linear dynamical systems see sequences"),
       bad("gaussian_tree { num_trees: 1 }",
           "Gaussian trees need real-valued data without a box"),
       bad("power: nan gaussian_mixture { num_components: 1 }",
           "power is nan")},
      DecodeLimited);

  v1::TrainStart sequences = rows;
  sequences.mutable_data_spec()->set_sequential(true);
  group("hidden_markov { num_states: 3 }")(sequences);
  ExpectRefused<v1::TrainStart>(
      sequences,
      {bad("hidden_markov { num_states: 0 }", "num_states is 0"),
       bad("hidden_markov { num_states: -5 }", "num_states is -5"),
       bad("hidden_markov { num_states: 4097 }", "num_states is 4097"),
       bad("hidden_markov { num_states: 1 least_standard_deviation: 2 "
           "greatest_standard_deviation: 2 }",
           "the bounds on standard deviations are out of order"),
       bad("linear_dynamical {}", "num_latent is 0"),
       bad("linear_dynamical { num_latent: -1 }", "num_latent is -1"),
       bad("linear_dynamical { num_latent: 1 initial_standard_deviation: 0 }",
           "a standard deviation of linear dynamical systems is 0"),
       bad("bernoulli_units {}", "Bernoulli units see dense rows"),
       bad("unigauss {}", "unigauss experts see dense rows"),
       bad("gaussian_mixture { num_components: 1 }",
           "Gaussian mixtures see dense rows")},
      DecodeLimited);

  v1::TrainStart unbounded = rows;
  unbounded.mutable_data_spec()->set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
  unbounded.mutable_products(0)->clear_base();
  group("gaussian_tree { num_trees: 2 }")(unbounded);
  ExpectRefused<v1::TrainStart>(
      unbounded,
      {bad("gaussian_tree {}", "num_trees is 0"),
       bad("gaussian_tree { num_trees: -3 }", "num_trees is -3"),
       bad("gaussian_tree { num_trees: 1 least_standard_deviation: 3 "
           "greatest_standard_deviation: 1 }",
           "the bounds on standard deviations are out of order"),
       bad("unigauss {}", "unigauss experts need real-valued data")},
      DecodeLimited);

  v1::TrainStart bits = FromText<v1::TrainStart>(kUnits);
  ExpectRefused<v1::TrainStart>(
      bits,
      {bad("gaussian_mixture { num_components: 1 }", "Gaussian mixtures need"),
       bad("hidden_markov { num_states: 1 }", "hidden Markov models need"),
       bad("linear_dynamical { num_latent: 1 }",
           "linear dynamical systems need"),
       bad("gaussian_tree { num_trees: 1 }", "Gaussian trees need")},
      DecodeLimited);
}

// A third class beside two of an earlier version.
v1::TrainStart KeepingStart() {
  v1::TrainStart start = FromText<v1::TrainStart>(kUnits);
  start.clear_data_spec();
  start.add_class_names("four");
  start.set_base_version(3);
  start.add_kept_class_names("three");
  start.add_kept_class_names("two");
  return start;
}

Model KeptModel() {
  Model model = MakeBernoulliModel(256, 20, {"one", "two", "three"}, 1);
  model.data_spec.image_height = model.data_spec.image_width = 16;
  model.data_spec.preprocessing = {Preprocessing::Kind::kUnitInterval,
                                   std::vector<double>(256, -1),
                                   std::vector<double>(256, 2)};
  return model;
}

TEST(TrainingCodecTest, KeptClassesBringTheirDataSpec) {
  const Model base = KeptModel();
  v1::TrainStart start = KeepingStart();
  for (const bool stated : {false, true}) {
    if (stated) {
      *start.mutable_data_spec() = FromText<v1::DataSpec>(R"pb(
        family: FAMILY_BERNOULLI
        dimension: 256
        preprocessing { kind: KIND_UNIT_INTERVAL }
      )pb");
    }
    const auto settings = DecodeTrainStart(start, 5, {}, &base);
    ASSERT_TRUE(settings.ok()) << settings.status();
    EXPECT_THAT(settings->class_names, ElementsAre("two", "three", "four"));
    EXPECT_THAT(settings->kept_classes, ElementsAre(0, 1));
    EXPECT_EQ(settings->data_spec, base.data_spec);
  }
  // As a client has read it of the version.
  *start.mutable_data_spec() = EncodeDataSpec(base.data_spec);
  EXPECT_TRUE(DecodeTrainStart(start, 5, {}, &base).ok());
}

TEST(TrainingCodecTest, WhereAllAreKeptASeparatorIsEnough) {
  const Model base = KeptModel();
  v1::TrainStart start = KeepingStart();
  start.mutable_class_names()->RemoveLast();
  start.clear_products();
  start.add_stages()->mutable_separator();
  const auto settings = DecodeTrainStart(start, 5, {}, &base);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_TRUE(settings->KeepsAll());
  EXPECT_TRUE(settings->separator.has_value());
  EXPECT_FALSE(settings->calibrate);
}

TEST(TrainingCodecTest, BadKeptClassesAreRefused) {
  using R = Refusal<v1::TrainStart>;
  const Model base = KeptModel();
  ExpectRefused<v1::TrainStart>(
      KeepingStart(),
      {R{[](auto& s) { s.clear_base_version(); }, kInvalid, "REQUIRED",
         "base_version is missing"},
       R{[](auto& s) { s.set_base_version(-1); }, kInvalid, "OUT_OF_RANGE",
         "base_version is -1"},
       R{[](auto& s) { s.clear_kept_class_names(); }, kInvalid, "REQUIRED",
         "kept_class_names is missing"},
       R{[](auto& s) { s.set_kept_class_names(1, "nine"); }, kInvalid,
         "UNKNOWN_CLASS",
         "kept_class_names[1] is \"nine\", which is not in class_names"},
       R{[](auto& s) { s.set_kept_class_names(1, "four"); }, kInvalid,
         "UNKNOWN_CLASS",
         "kept_class_names[1] is \"four\", which is no class of base_version "
         "3"},
       R{[](auto& s) { s.set_kept_class_names(1, "three"); }, kInvalid,
         "DUPLICATE", "kept_class_names[1] is \"three\" again"},
       R{[](auto& s) { s.clear_products(); }, kInvalid, "WRONG_SIZE",
         "products has 0 elements for 3 classes"},
       R{[](auto& s) {
           s.mutable_class_names()->RemoveLast();
           s.add_stages()->mutable_calibration();
         },
         kInvalid, "REQUIRED", "stages has no separator"},
       R{[](auto& s) {
           s.add_stages()->mutable_contrastive_divergence();
           v1::GroupSettings& group = *s.add_stages()
                                           ->mutable_next_layer()
                                           ->mutable_product()
                                           ->add_groups();
           group.set_num_experts(3);
           group.mutable_bernoulli_units();
         },
         kInvalid, "WRONG_LAYERS", "has 1 layers"},
       R{[](auto& s) { GroupOf(s).set_num_experts(300); }, kInvalid,
         "MODEL_TOO_LARGE", "products ask for"}},
      [&base](const v1::TrainStart& start) {
        return DecodeTrainStart(
                   start, 5,
                   {.classes = 3, .dimension = 300, .parameters = 60000}, &base)
            .status();
      });
  EXPECT_EQ(DecodeTrainStart(KeepingStart(), 5).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(TrainingCodecTest, WhatIsStatedOfTheDataMustBeThatOfTheBase) {
  using R = Refusal<v1::TrainStart>;
  const Model base = KeptModel();
  const auto states = [](const std::string& spec, const std::string& text) {
    return R{[spec](v1::TrainStart& s) {
               *s.mutable_data_spec() = FromText<v1::DataSpec>(spec);
             },
             kInvalid, "DIFFERS_FROM_BASE", text};
  };
  ExpectRefused<v1::TrainStart>(
      KeepingStart(),
      {states("family: FAMILY_GAUSSIAN",
              "data_spec.family is FAMILY_GAUSSIAN, but FAMILY_BERNOULLI in "
              "base_version 3"),
       states("dimension: 255", "data_spec.dimension is 255, but 256"),
       states("sequential: true", "data_spec.sequential is true, but false"),
       states("num_symbols: 2", "data_spec.num_symbols is 2, but 0"),
       states("input_coordinates: 1", "data_spec.input_coordinates"),
       states("coordinate_names: 'a'", "data_spec.coordinate_names"),
       states("image_width: 32", "data_spec.image_width is 32, but 16"),
       states("preprocessing { kind: KIND_STANDARDIZE }",
              "data_spec.preprocessing is not that of base_version 3"),
       states("preprocessing { shift: 1 }", "data_spec.preprocessing"),
       states("box { lower: 0 upper: 1 }", "data_spec.box")},
      [&base](const v1::TrainStart& start) {
        return DecodeTrainStart(start, 5, {}, &base).status();
      });
}

TEST(TrainingCodecTest, AbsurdSizesAreRefused) {
  auto start = FromText<v1::TrainStart>(kReal);
  start.mutable_data_spec()->set_dimension(
      std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(ReasonOf(DecodeTrainStart(start, 5).status()), "OUT_OF_RANGE");
  start.mutable_data_spec()->set_dimension(1 << 24);
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  GroupOf(start).set_num_experts(kMost);
  EXPECT_EQ(ReasonOf(DecodeTrainStart(start, 5).status()), "TOO_MANY_EXPERTS");
  EXPECT_EQ(ReasonOf(DecodeTrainStart(start, 5, {.experts = kMost}).status()),
            "MODEL_TOO_LARGE");
}

}  // namespace
}  // namespace poe::server
