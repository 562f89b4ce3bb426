#include "server/codec/model_codec.h"

#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "tests/server/codec/refusal.h"
#include "tests/server/codec/round_trip.h"
#include "tests/server/codec/stored_model_parts.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using R = Refusal<v1::Model>;

// Two classes through the trainer, with all that it can fit, and one more layer
// for each number of units.
Model TrainModel(Family family, const std::vector<Index>& next_layers = {}) {
  constexpr Index kRows = 60, kDimension = 5;
  std::mt19937 generator(11);
  RowMatrix<float> values = DrawMatrix(kRows, kDimension, generator);
  if (family == Family::kBernoulli)
    values = values.unaryExpr([](float v) { return v > 0 ? 1.0f : 0.0f; });
  std::vector<std::int32_t> labels(kRows);
  for (Index n = 0; n < kRows; ++n) {
    labels[n] = static_cast<std::int32_t>(n % 2);
    values(n, 0) = static_cast<float>(labels[n]);
  }
  TrainingSettings settings;
  settings.class_names = {"even", "odd"};
  settings.data_spec.family = family;
  settings.data_spec.dimension = kDimension;
  ProductSettings& product = settings.products.emplace_back();
  GroupSettings& group = product.groups.emplace_back();
  group.num_experts = 3;
  if (family == Family::kGaussian) {
    settings.data_spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
    group.kind = UnigaussSettings();
    product.gaussian_factor = true;
    settings.contrastive_divergence.optimizer.rate = 0.001;
  }
  settings.contrastive_divergence.epochs = 3;
  settings.contrastive_divergence.batch_size = 10;
  for (Index units : next_layers) {
    LayerSettings& layer = settings.next_layers.emplace_back();
    layer.product.groups.emplace_back().num_experts = units;
    layer.contrastive_divergence = settings.contrastive_divergence;
  }
  settings.separator.emplace();
  settings.held_out_share = 0.3;
  TrainingRows rows;
  new (&rows.values)
      Eigen::Map<const RowMatrix<float>>(values.data(), kRows, kDimension);
  rows.labels = labels;
  absl::StatusOr<Model> model = Train(
      settings, rows, Workers::Inline(), [](const TrainingProgress&) {},
      NeverInterrupt);
  EXPECT_EQ(model.status(), absl::OkStatus());
  return *std::move(model);
}

TEST(ModelCodecTest, UnitsScoreTheSameBitsAfterARoundTrip) {
  ExpectRoundTrip(MakeBernoulliModel(16, 7, {"one"}, 1));
  ExpectRoundTrip(MakeBernoulliModel(16, 7, {"one", "two", "three"}, 2));
}

TEST(ModelCodecTest, UnigaussScoresTheSameBitsAfterARoundTrip) {
  ExpectRoundTrip(MakeRealModel());
}

TEST(ModelCodecTest, TrainedModelsScoreTheSameBitsAfterARoundTrip) {
  for (const Family family : {Family::kBernoulli, Family::kGaussian}) {
    ExpectRoundTrip(TrainModel(family, {4, 2}));
    const Model model = TrainModel(family);
    EXPECT_TRUE(model.separator.has_value());
    EXPECT_TRUE(model.calibration.has_value());
    EXPECT_TRUE(model.classes[0].percentiles.has_value());
    EXPECT_TRUE(model.classes[0].usual_verdicts.has_value());
    ExpectRoundTrip(model);
  }
}

TEST(ModelCodecTest, LayersThatDoNotFitAreNamed) {
  ExpectRefused<v1::Model>(
      EncodeModel(TrainModel(Family::kBernoulli, {4})),
      {R{[](auto& m) { m.mutable_classes(1)->mutable_layers()->RemoveLast(); },
         kInvalid, "WRONG_SIZE", "separator.feature_mean has 4 elements"},
       R{[](auto& m) {
           m.mutable_classes(1)->mutable_layers()->RemoveLast();
           m.clear_separator();
           m.clear_probability_calibration();
         },
         kInvalid, "INVALID_MODEL", "class \"odd\" has 1 layers, but class"},
       R{[](auto& m) {
           *m.mutable_classes(0)->mutable_layers(1)->mutable_groups(0) =
               m.classes(0).layers(0).groups(0);
         },
         kInvalid, "INVALID_SHAPE", "classes[0].layers[1].groups[0]"},
       R{[](auto& m) {
           m.mutable_classes(0)->mutable_layers(1)->add_log_partitions();
         },
         kInvalid, "NOT_ALLOWED",
         "classes[0].layers[1].log_partitions are given"},
       R{[](auto& m) { m.mutable_data_spec()->add_input_coordinates(1); },
         kInvalid, "INVALID_MODEL", "dense rows without inputs"}},
      [](const v1::Model& m) { return DecodeModel(m).status(); });
}

TEST(ModelCodecTest, TheComparableLengthIsKept) {
  v1::Model message = EncodeModel(MakeBernoulliModel(4, 3, {"a", "b"}, 1));
  message.set_comparable_length(9);
  EXPECT_THAT(std::string(DecodeModel(message).status().message()),
              HasSubstr("comparable_length is 9"));
  Model model = MakeBernoulliModel(4, 3, {"a", "b"}, 1);
  model.comparable_length = 9;
  EXPECT_EQ(EncodeModel(model).comparable_length(), 9);
}

TEST(ModelCodecTest, EstimatesOfLogZAreKept) {
  Model model = MakeBernoulliModel(4, 3, {"a", "b"}, 1);
  model.classes[1].log_partitions = {
      {LogPartition::Method::kAisForward, 1.25, 0.5, 0},
      {LogPartition::Method::kAisReverse, 1.5, 0.25, 0}};
  model.log_partition_differences = {{1, 0, -2, 0.125, 0}};
  const v1::Model message = EncodeModel(model);
  const absl::StatusOr<Model> decoded = DecodeModel(message);
  ASSERT_EQ(decoded.status(), absl::OkStatus());
  EXPECT_EQ(EncodeModel(*decoded).SerializeAsString(),
            message.SerializeAsString());
  EXPECT_EQ(decoded->classes[1].FindLogPartition(0)->value, 1.25);
  EXPECT_EQ(decoded->log_partition_differences[0].class_index, 1);
  EXPECT_EQ(decoded->log_partition_differences[0].standard_error, 0.125);

  ExpectRefused<v1::Model>(
      message,
      {R{[](auto& m) {
           m.mutable_classes(1)
               ->mutable_layers(0)
               ->mutable_log_partitions()
               ->SwapElements(0, 1);
         },
         kInvalid, "INVALID_MODEL", "forward first"},
       R{[](auto& m) {
           m.mutable_log_partition_differences(0)->set_class_name("c");
         },
         kInvalid, "UNKNOWN_CLASS",
         "log_partition_differences[0] is of \"c\" and \"a\""},
       R{[](auto& m) {
           m.mutable_log_partition_differences(0)->set_class_name("a");
         },
         kInvalid, "INVALID_MODEL", "between classes 0 and 0"},
       R{[](auto& m) {
           *m.add_log_partition_differences() = m.log_partition_differences(0);
         },
         kInvalid, "INVALID_MODEL", "each pair of classes named once"},
       R{[](auto& m) {
           m.mutable_log_partition_differences(0)->set_value(
               std::numeric_limits<double>::infinity());
         },
         kInvalid, "INVALID_MODEL", "is inf"}},
      [](const v1::Model& m) { return DecodeModel(m).status(); });
}

TEST(ModelCodecTest, ModelsOfBeforeDoNotKnowWhatExpertsUsuallySay) {
  v1::Model message = EncodeModel(MakeRealModel());
  EXPECT_EQ(message.classes(0).expert_quantiles_size(), 20);
  message.mutable_classes(0)->clear_expert_quantiles();
  const absl::StatusOr<Model> model = DecodeModel(message);
  ASSERT_EQ(model.status(), absl::OkStatus());
  EXPECT_FALSE(model->classes[0].usual_verdicts.has_value());
}

v1::Base& BaseOf(v1::Model& model) {
  return *FirstProductOf(model).mutable_base();
}

v1::LogPartition& AddLogPartition(v1::Model& model) {
  v1::LogPartition& known = *FirstProductOf(model).add_log_partitions();
  known.set_method(v1::LogPartition::METHOD_EXACT);
  return known;
}

TEST(ModelCodecTest, BadModelsAreRefused) {
  Model model = MakeBernoulliModel(4, 3, {"a", "b"}, 1);
  model.calibration =
      *ProbabilityCalibration::Create(1, Eigen::VectorXd::Zero(2));
  ExpectRefused<v1::Model>(
      EncodeModel(model),
      {R{[](auto& m) { m.set_schema_version(2); }, kUnbuilt,
         "UNKNOWN_SCHEMA_VERSION", "schema_version is 2; this version reads 1"},
       R{[](auto& m) { m.Clear(); }, kUnbuilt, "UNKNOWN_SCHEMA_VERSION",
         "schema_version is 0"},
       R{[](auto& m) { m.clear_data_spec(); }, kInvalid, "REQUIRED",
         "data_spec.family is missing"},
       R{[](auto& m) {
           m.clear_classes();
           m.clear_separator();
           m.clear_probability_calibration();
         },
         kInvalid, "INVALID_MODEL", "no classes"},
       R{[](auto& m) { m.mutable_classes(1)->set_name("a"); }, kInvalid,
         "INVALID_MODEL", "two classes are named \"a\""},
       R{[](auto& m) { m.mutable_classes(0)->clear_name(); }, kInvalid,
         "INVALID_MODEL", "a class has no name"},
       R{[](auto& m) { m.mutable_classes(1)->clear_layers(); }, kInvalid,
         "REQUIRED", "classes[1].layers is empty"},
       R{[](auto& m) { m.mutable_classes(0)->add_layers(); }, kInvalid,
         "REQUIRED", "classes[0].layers[1].base names no kind"},
       R{[](auto& m) {
           auto& layers = *m.mutable_classes(0)->mutable_layers();
           *layers.Add() = layers[0];
         },
         kInvalid, "INVALID_SHAPE", "classes[0].layers[1].base.bernoulli.bias"},
       R{[](auto& m) {
           m.mutable_classes(0)->add_score_quantiles(
               std::numeric_limits<double>::quiet_NaN());
         },
         kInvalid, "INVALID_MODEL", "classes[0].score_quantiles"},
       R{[](auto& m) {
           m.mutable_classes(1)->mutable_expert_quantiles()->Resize(5, 0);
         },
         kInvalid, "WRONG_SIZE",
         "classes[1].expert_quantiles has 5 elements; must have 6"},
       R{[](auto& m) {
           m.mutable_classes(0)->mutable_expert_quantiles()->Resize(
               6, std::numeric_limits<double>::infinity());
         },
         kInvalid, "INVALID_MODEL",
         "classes[0].expert_quantiles.quantiles[0][0] is inf"},
       R{[](auto& m) {
           m.mutable_classes(0)->mutable_expert_quantiles()->Resize(6, 0);
           m.mutable_classes(0)->set_expert_quantiles(4, 1);
         },
         kInvalid, "INVALID_MODEL",
         "quantiles[2][1] is 0, less than 1 before it"},
       R{[](auto& m) { FirstProductOf(m).add_log_partitions(); }, kInvalid,
         "INVALID_VALUE",
         "classes[0].layers[0].log_partitions[0].method is 0; must be"},
       R{[](auto& m) {
           AddLogPartition(m).set_value(
               std::numeric_limits<double>::infinity());
         },
         kInvalid, "INVALID_MODEL", "a log partition of class \"a\" is inf"},
       R{[](auto& m) { AddLogPartition(m).set_standard_error(-1); }, kInvalid,
         "INVALID_MODEL", "is 0 with error -1"},
       R{[](auto& m) { AddLogPartition(m).set_length(3); }, kInvalid,
         "INVALID_MODEL", "for length 3"},
       R{[](auto& m) {
           AddLogPartition(m);
           AddLogPartition(m);
         },
         kInvalid, "INVALID_MODEL", "lengths positive and ascending"},
       R{[](auto& m) { m.mutable_separator()->add_biases(0); }, kInvalid,
         "WRONG_SIZE", "separator.biases has 3 elements; must have 2"},
       R{[](auto& m) {
           m.mutable_separator()->mutable_weights()->RemoveLast();
         },
         kInvalid, "WRONG_SIZE", "separator.weights has 3 elements"},
       R{[](auto& m) { m.mutable_separator()->set_feature_scale(1, 0); },
         kInvalid, "INVALID_MODEL", "separator.feature_scale[1] is 0"},
       R{[](auto& m) {
           m.mutable_separator()->set_weights(
               0, std::numeric_limits<double>::infinity());
         },
         kInvalid, "INVALID_MODEL", "separator"},
       R{[](auto& m) { m.mutable_probability_calibration()->clear_offsets(); },
         kInvalid, "WRONG_SIZE", "probability_calibration.offsets has 0"},
       R{[](auto& m) { m.mutable_probability_calibration()->set_slope(-1); },
         kInvalid, "INVALID_MODEL", "probability_calibration"},
       R{[](auto& m) { m.clear_separator(); }, kInvalid, "INVALID_MODEL",
         "class probabilities but no separator"}},
      DecodeStatus);
}

TEST(ModelCodecTest, BadUnitsAreRefused) {
  ExpectRefused<v1::Model>(
      EncodeModel(MakeBernoulliModel(4, 3, {"a"}, 1)),
      {R{[](auto& m) { BaseOf(m).Clear(); }, kInvalid, "REQUIRED",
         "classes[0].layers[0].base names no kind"},
       R{[](auto& m) { BaseOf(m).mutable_gaussian(); }, kInvalid, "CONFLICT",
         "classes[0].layers[0].base is not of the family"},
       R{[](auto& m) { BaseOf(m).mutable_categorical(); }, kInvalid, "CONFLICT",
         "classes[0].layers[0].base is not of the family"},
       R{[](auto& m) { BaseOf(m).mutable_structured_gaussian(); }, kInvalid,
         "CONFLICT", "classes[0].layers[0].base is not of the family"},
       R{[](auto& m) { BaseOf(m).mutable_bernoulli()->clear_bias(); }, kInvalid,
         "INVALID_SHAPE", "base.bernoulli.bias.shape is []; must be [4]"},
       R{[](auto& m) { m.mutable_data_spec()->set_dimension(1LL << 60); },
         kInvalid, "INVALID_SHAPE", "must be [1152921504606846976]"},
       R{[](auto& m) {
           *BaseOf(m).mutable_bernoulli()->mutable_bias() = MakeFloats(
               {4}, {0, 0, std::numeric_limits<float>::infinity(), 0});
         },
         kInvalid, "INVALID_PARAMETERS", "base.bernoulli: "},
       R{[](auto& m) { FirstProductOf(m).clear_groups(); }, kInvalid,
         "INVALID_PARAMETERS", "at least one group"},
       R{[](auto& m) { FirstGroupOf(m).clear_kind(); }, kInvalid, "REQUIRED",
         "classes[0].layers[0].groups[0] names no kind"},
       R{[](auto& m) { FirstGroupOf(m).add_coordinates(-1); }, kInvalid,
         "INVALID_PARAMETERS",
         "groups[0].coordinates[0] is -1; they must ascend"},
       R{[](auto& m) { FirstGroupOf(m).set_power(0); }, kInvalid,
         "OUT_OF_RANGE", "groups[0].power is 0"},
       R{[](auto& m) { FirstGroupOf(m).set_power(1e300); }, kInvalid,
         "OUT_OF_RANGE", "groups[0].power is 1e+300"},
       R{[](auto& m) { FirstGroupOf(m).mutable_unigauss(); }, kInvalid,
         "CONFLICT",
         "groups[0].unigauss is given; unigauss experts need FAMILY_GAUSSIAN"},
       R{[](auto& m) {
           FirstGroupOf(m).mutable_bernoulli_units()->clear_weights();
         },
         kInvalid, "INVALID_SHAPE",
         "bernoulli_units.weights.shape is []; must have 2 dimensions"},
       R{[](auto& m) {
           FirstGroupOf(m)
               .mutable_bernoulli_units()
               ->mutable_weights()
               ->set_shape(1, 1LL << 62);
         },
         kInvalid, "INVALID_SHAPE",
         "weights.shape is [4, 4611686018427387904]; "
         "that many elements cannot be"},
       R{[](auto& m) {
           FirstGroupOf(m)
               .mutable_bernoulli_units()
               ->mutable_weights()
               ->set_shape(1, 0);
         },
         kInvalid, "INVALID_SHAPE", "weights.shape is [4, 0]"},
       R{[](auto& m) {
           FirstGroupOf(m)
               .mutable_bernoulli_units()
               ->mutable_weights()
               ->set_shape(0, 3);
         },
         kInvalid, "INVALID_SHAPE", "weights.shape is [3, 3]; must be [4, 3]"},
       R{[](auto& m) {
           FirstGroupOf(m).mutable_bernoulli_units()->mutable_bias()->set_shape(
               0, 4);
         },
         kInvalid, "INVALID_SHAPE", "bias.shape is [4]; must be [3]"},
       R{[](auto& m) {
           FirstGroupOf(m)
               .mutable_bernoulli_units()
               ->mutable_weights()
               ->set_data(std::string(48, '\xff'));
         },
         kInvalid, "INVALID_VALUE", "bernoulli_units.weights[0][0] is "}},
      DecodeStatus);
}

TEST(ModelCodecTest, BadUnigaussIsRefused) {
  ExpectRefused<v1::Model>(
      EncodeModel(MakeRealModel()),
      {R{[](auto& m) { m.mutable_data_spec()->clear_box(); }, kInvalid,
         "REQUIRED", "data_spec.box is missing"},
       R{[](auto& m) { BaseOf(m).mutable_gaussian()->clear_log_variance(); },
         kInvalid, "INVALID_SHAPE", "base.gaussian.log_variance.shape is []"},
       R{[](auto& m) {
           m.mutable_data_spec()->mutable_preprocessing()->set_scale(0, 1e-320);
         },
         kInvalid, "INVALID_PARAMETERS", "base.gaussian"},
       R{[](auto& m) { FirstGroupOf(m).mutable_unigauss()->clear_mean(); },
         kInvalid, "INVALID_SHAPE", "unigauss.mean.shape is []"},
       R{[](auto& m) {
           *FirstGroupOf(m).mutable_unigauss()->mutable_log_variance() =
               MakeFloats({4, 2}, std::vector<float>(8, 0));
         },
         kInvalid, "INVALID_SHAPE",
         "log_variance.shape is [4, 2]; must be [4, 3]"},
       R{[](auto& m) {
           *FirstGroupOf(m).mutable_unigauss()->mutable_log_variance() =
               MakeFloats({4, 1}, {0, 0, 81, 0});
         },
         kInvalid, "INVALID_VALUE", "unigauss.log_variance[2][0] is 81"},
       R{[](auto& m) {
           FirstGroupOf(m).mutable_unigauss()->clear_mixing_logit();
         },
         kInvalid, "INVALID_SHAPE", "mixing_logit.shape is []; must be [4]"},
       R{[](auto& m) {
           FirstGroupOf(m).mutable_unigauss()->mutable_mean()->set_data(
               std::string(48, '\xff'));
         },
         kInvalid, "INVALID_VALUE", "groups[0].unigauss.mean[0][0] is "}},
      DecodeStatus);
}

// Every prefix of a stored model is a model, an error, or unreadable: never
// anything else.
TEST(ModelCodecTest, TruncatedModelsAreRefusedOrWhole) {
  const google::protobuf::LogSilencer silence;
  for (const Model& model :
       {MakeBernoulliModel(4, 3, {"a", "b"}, 1), MakeRealModel()}) {
    const std::string stored = EncodeModel(model).SerializeAsString();
    for (std::size_t size = 0; size < stored.size(); ++size) {
      v1::Model message;
      if (message.ParseFromString(stored.substr(0, size)))
        DecodeModel(message).status().IgnoreError();
    }
  }
}

TEST(ModelCodecTest, ModelsWithFlippedBytesNeverCrash) {
  const google::protobuf::LogSilencer silence;
  std::mt19937 generator(17);
  const std::string stored = EncodeModel(MakeRealModel()).SerializeAsString();
  for (int trial = 0; trial < 5000; ++trial) {
    std::string spoiled = stored;
    for (int flips = 0; flips < 3; ++flips)
      spoiled[generator() % spoiled.size()] ^= 1 << generator() % 8;
    v1::Model message;
    if (!message.ParseFromString(spoiled)) continue;
    const absl::StatusOr<Model> decoded = DecodeModel(message);
    if (!decoded.ok()) continue;
    EXPECT_EQ(Validate(*decoded), absl::OkStatus());
    const std::vector<float> row(decoded->data_spec.dimension, 0);
    const RawRows rows = {
        {row.data(), 1, decoded->data_spec.dimension}, {}, {}};
    EXPECT_TRUE(
        Score(*decoded, rows, {}, Workers::Inline(), NeverInterrupt).ok());
  }
}

}  // namespace
}  // namespace poe::server
