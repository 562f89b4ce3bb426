#include "server/codec/expert_codec.h"

#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "server/codec/model_codec.h"
#include "tests/server/codec/kind_models.h"
#include "tests/server/codec/refusal.h"
#include "tests/server/codec/round_trip.h"
#include "tests/server/codec/stored_model_parts.h"

namespace poe::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// `use` with each tensor in a message and its path.
void ForEachTensor(
    Message& message, const std::string& path,
    const std::function<void(v1::Tensor&, const std::string&)>& use) {
  if (auto* tensor = dynamic_cast<v1::Tensor*>(&message)) {
    use(*tensor, path);
    return;
  }
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields)
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
      ForEachTensor(*reflection.MutableMessage(&message, field),
                    absl::StrCat(path, ".", field->name()), use);
}

std::vector<std::pair<std::string, std::function<void(v1::Tensor&)>>>
Spoilers() {
  const auto set = [](std::size_t element, float value) {
    return [=](v1::Tensor& tensor) {
      std::string& data = *tensor.mutable_data();
      std::memcpy(data.data() + element % (data.size() / 4) * 4, &value, 4);
    };
  };
  const auto reshape = [](std::vector<std::int64_t> shape) {
    return [=](v1::Tensor& tensor) {
      tensor.mutable_shape()->Assign(shape.begin(), shape.end());
    };
  };
  return {
      {"missing", [](auto& t) { t.Clear(); }},
      {"NaN", set(0, std::numeric_limits<float>::quiet_NaN())},
      {"infinite",
       set(~std::size_t{0}, std::numeric_limits<float>::infinity())},
      {"absurd", reshape({1'000'000'000, 1'000'000'000})},
      {"absurd cube", reshape({1'000'000'000, 1'000'000'000, 3})},
      {"overflowing", reshape({1LL << 62, 1LL << 62})},
      {"one long row", reshape({1, 1LL << 61})},
      {"negative", reshape({-1, -1})},
      {"a scalar", reshape({})},
      {"longer", [](auto& t) { t.set_shape(0, t.shape(0) + 1); }},
      {"wider",
       [](auto& t) {
         const int last = t.shape_size() - 1;
         t.set_shape(last, t.shape(last) + 1);
       }},
      {"flat", [](auto& t) { t.add_shape(1); }},
      {"empty",
       [](auto& t) {
         t.set_shape(t.shape_size() - 1, 0);
         t.clear_data();
       }},
      {"without data", [](auto& t) { t.clear_data(); }},
      {"cut off",
       [](auto& t) { t.mutable_data()->resize(t.data().size() - 4); }},
      {"of doubles",
       [](auto& t) { t.set_element_type(v1::ELEMENT_TYPE_FLOAT64); }},
      {"of bytes", [](auto& t) { t.set_element_type(v1::ELEMENT_TYPE_UINT8); }},
  };
}

class ExpertCodecTest : public testing::TestWithParam<KindModel> {};

TEST_P(ExpertCodecTest, ScoresAreTheSameBitsAfterARoundTrip) {
  ExpectRoundTrip(GetParam().model);
}

TEST_P(ExpertCodecTest, SpoiledTensorsAreNamed) {
  v1::Model model = EncodeModel(GetParam().model);
  ForEachTensor(
      FirstGroupOf(model), "groups[0]", [&](auto& tensor, auto& path) {
        const v1::Tensor good = tensor;
        for (const auto& [name, spoil] : Spoilers()) {
          SCOPED_TRACE(absl::StrCat(path, " ", name));
          spoil(tensor);
          const absl::Status status = DecodeStatus(model);
          EXPECT_EQ(status.code(), kInvalid);
          EXPECT_THAT(std::string(status.message()), testing::HasSubstr(path));
          tensor = good;
        }
      });
}

TEST_P(ExpertCodecTest, FlippedBytesNeverCrash) {
  const google::protobuf::LogSilencer silence;
  std::mt19937 generator(17);
  const std::string stored = EncodeModel(GetParam().model).SerializeAsString();
  for (int trial = 0; trial < 1000; ++trial) {
    std::string spoiled = stored;
    for (int flips = 0; flips < 3; ++flips)
      spoiled[generator() % spoiled.size()] ^= 1 << generator() % 8;
    v1::Model message;
    if (!message.ParseFromString(spoiled)) continue;
    const absl::StatusOr<Model> decoded = DecodeModel(message);
    if (!decoded.ok()) continue;
    EXPECT_EQ(Validate(*decoded), absl::OkStatus());
  }
}

TEST_P(ExpertCodecTest, OtherDataAreRefused) {
  v1::Model model = EncodeModel(GetParam().model);
  model.mutable_data_spec()->set_sequential(
      !GetParam().model.data_spec.sequential);
  EXPECT_EQ(DecodeStatus(model).code(), kInvalid);
  model = EncodeModel(GetParam().model);
  model.mutable_data_spec()->set_dimension(2);
  EXPECT_EQ(DecodeStatus(model).code(), kInvalid);
  model.mutable_data_spec()->set_dimension(1LL << 60);
  EXPECT_EQ(DecodeStatus(model).code(), kInvalid);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, ExpertCodecTest,
                         testing::ValuesIn(ModelsOfAllKinds()),
                         [](const testing::TestParamInfo<KindModel>& info) {
                           return info.param.name;
                         });

using R = Refusal<v1::Model>;

std::function<void(v1::Model&)> ReplaceGroup(const std::string& kind) {
  return [kind](v1::Model& model) {
    FirstGroupOf(model) =
        EncodeModel(ModelOfKind(kind)).classes(0).layers(0).groups(0);
  };
}

TEST(ExpertKindsTest, OthersThanTheDataTakeAreRefused) {
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("UnitsOnBits")),
      {R{ReplaceGroup("UnigaussExperts"), kInvalid, "CONFLICT",
         "groups[0].unigauss is given; unigauss experts need"},
       R{ReplaceGroup("MixtureOnABox"), kInvalid, "CONFLICT",
         "classes[0].layers[0].groups[0] has experts that cannot see data"},
       R{ReplaceGroup("MarkovWithGaussians"), kInvalid, "CONFLICT",
         "groups[0] has experts that cannot see data"},
       R{ReplaceGroup("System"), kInvalid, "CONFLICT",
         "groups[0] has experts that cannot see data"},
       R{ReplaceGroup("SingleTree"), kInvalid, "CONFLICT",
         "groups[0] has experts that cannot see data"}},
      DecodeStatus);
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("MixtureOnABox")),
      {R{ReplaceGroup("SingleTree"), kInvalid, "CONFLICT",
         "groups[0] has experts that cannot see data"},
       R{ReplaceGroup("System"), kInvalid, "CONFLICT",
         "groups[0] has experts for sequences, but data_spec.sequential is "
         "false"},
       R{ReplaceGroup("MarkovWithSymbols"), kInvalid, "CONFLICT",
         "groups[0].hidden_markov.emission must be gaussian"}},
      DecodeStatus);
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("System")),
      {R{ReplaceGroup("MixtureOnABox"), kInvalid, "CONFLICT",
         "groups[0] has experts for dense rows, but data_spec.sequential is "
         "true"}},
      DecodeStatus);
}

TEST(ExpertKindsTest, EmissionsAreThoseOfTheFamily) {
  const auto other_symbols = [](v1::Model& model) {
    v1::Tensor& logit = *FirstGroupOf(model)
                             .mutable_hidden_markov()
                             ->mutable_categorical()
                             ->mutable_logit();
    logit = MakeFloats({2, 3, 3, 5}, std::vector<float>(90, 0));
  };
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("MarkovWithSymbols")),
      {R{[](auto& m) {
           FirstGroupOf(m).mutable_hidden_markov()->mutable_gaussian();
         },
         kInvalid, "CONFLICT",
         "groups[0].hidden_markov.emission must be categorical"},
       R{[](auto& m) {
           FirstGroupOf(m).mutable_hidden_markov()->clear_emission();
         },
         kInvalid, "CONFLICT", "hidden_markov.emission must be categorical"},
       R{other_symbols, kInvalid, "INVALID_SHAPE",
         "hidden_markov.categorical.logit.shape is [2, 3, 3, 5]; must be [2, "
         "3, 3, 4]"},
       R{[](auto& m) {
           m.mutable_data_spec()->add_input_coordinates(1);
           m.mutable_data_spec()->set_real_inputs(true);
           *FirstProductOf(m)
                .mutable_base()
                ->mutable_categorical()
                ->mutable_logits() = MakeFloats({2, 4}, std::vector<float>(8));
         },
         kInvalid, "CONFLICT",
         "groups[0].hidden_markov is given; hidden Markov models cannot see "
         "real inputs beside symbols"}},
      DecodeStatus);
}

TEST(ExpertKindsTest, BadTreesAreRefused) {
  const auto tree = [](auto spoil) {
    return [=](v1::Model& model) {
      spoil(*FirstGroupOf(model).mutable_gaussian_tree());
    };
  };
  const std::string parent = "groups[0].gaussian_tree.parent ";
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("TreesWithUniform")),
      {R{tree([](auto& t) { t.set_num_trees(0); }), kInvalid, "OUT_OF_RANGE",
         "groups[0].gaussian_tree.num_trees is 0"},
       R{tree([](auto& t) { t.set_num_trees(-2); }), kInvalid, "OUT_OF_RANGE",
         "gaussian_tree.num_trees is -2"},
       R{tree([](auto& t) { t.set_num_trees(1); }), kInvalid, "OUT_OF_RANGE",
         "gaussian_tree.num_trees is 1"},
       R{tree([](auto& t) {
           t.set_num_trees(std::numeric_limits<std::int32_t>::max());
         }),
         kInvalid, "OUT_OF_RANGE", "gaussian_tree.num_trees is 2147483647"},
       R{tree([](auto& t) { t.set_num_trees(3); }), kInvalid, "INVALID_SHAPE",
         "gaussian_tree.weight.shape is [2, 2, 3]; must be [2, 3, 3]"},
       R{tree([](auto& t) { t.clear_parent(); }), kInvalid, "WRONG_SIZE",
         parent + "has 0 elements; must have 12"},
       R{tree([](auto& t) { t.add_parent(-1); }), kInvalid, "WRONG_SIZE",
         parent + "has 13 elements"},
       R{tree([](auto& t) { t.set_parent(11, 3); }), kInvalid,
         "INVALID_PARAMETERS",
         parent + "of tree 3: the parent of coordinate 2 is 3"},
       R{tree([](auto& t) { t.set_parent(0, -2); }), kInvalid,
         "INVALID_PARAMETERS", "the parent of coordinate 0 is -2"},
       R{tree([](auto& t) {
           t.set_parent(0, std::numeric_limits<std::int32_t>::min());
         }),
         kInvalid, "INVALID_PARAMETERS", parent + "of tree 0"},
       R{tree([](auto& t) { t.set_parent(1, 1); }), kInvalid,
         "INVALID_PARAMETERS", "coordinate 1 is its own ancestor"},
       R{tree([](auto& t) { t.set_parent(0, 2); }), kInvalid,
         "INVALID_PARAMETERS", parent + "of tree 0: coordinate 0 is its own"}},
      DecodeStatus);
}

TEST(ExpertKindsTest, VariancesBeyondFloatAreRefused) {
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("MixtureOnABox")),
      {R{[](auto& m) {
           *FirstGroupOf(m).mutable_gaussian_mixture()->mutable_log_variance() =
               MakeFloats({2, 3, 3}, std::vector<float>(18, -81));
         },
         kInvalid, "INVALID_VALUE",
         "gaussian_mixture.log_variance[0][0][0] is -81; must be in [-80"}},
      DecodeStatus);
  ExpectRefused<v1::Model>(
      EncodeModel(ModelOfKind("System")),
      {R{[](auto& m) {
           *FirstGroupOf(m)
                .mutable_linear_dynamical()
                ->mutable_initial_log_cholesky() =
               MakeFloats({2, 3}, {0, 99, 0, 0, 99, 41});
         },
         kInvalid, "INVALID_VALUE",
         "linear_dynamical.initial_log_cholesky[1][2] is 41; must be in [-40"},
       // So many latents that their triangle would be beyond any tensor.
       R{[](auto& m) {
           v1::LinearDynamical& system =
               *FirstGroupOf(m).mutable_linear_dynamical();
           *system.mutable_initial_mean() =
               MakeFloats({1, 70000}, std::vector<float>(70000, 0));
           *system.mutable_initial_log_cholesky() = MakeFloats({1, 0}, {});
         },
         kInvalid, "INVALID_SHAPE",
         "initial_log_cholesky.shape is [1, 0]; must be [1, 2450035000]"}},
      DecodeStatus);
}

}  // namespace
}  // namespace poe::server
