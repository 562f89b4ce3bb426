#include "server/codec/request_codec.h"

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/server/codec/refusal.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kFresh = 99;

const RequestLimits kLimits = {
    .rows = 5, .steps = 2000, .chains = 4, .expert_score_bytes = 18 * 8};

const Model& TwoClasses() {
  static const Model* const model =
      new Model(MakeBernoulliModel(2, 3, {"odd", "even"}, 1));
  return *model;
}

const Model& OneClass() {
  static const Model* const model =
      new Model(MakeBernoulliModel(2, 3, {"data"}, 1));
  return *model;
}

v1::Observations Rows(Index rows) {
  v1::Observations observations;
  *observations.mutable_dense() =
      MakeFloats({rows, 2}, std::vector<float>(2 * rows, 1));
  return observations;
}

TEST(ScoreRequestTest, Decodes) {
  v1::ScoreRequest request;
  *request.mutable_observations() = Rows(3);
  absl::StatusOr<DecodedScore> decoded =
      DecodeScore(request, TwoClasses(), kLimits, kFresh);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->rows.rows, 3);
  EXPECT_FALSE(decoded->options.per_expert);
  request.set_per_expert(true);
  EXPECT_TRUE(
      DecodeScore(request, TwoClasses(), kLimits, kFresh)->options.per_expert);
}

TEST(ScoreRequestTest, MissingValuesHaveTheDefaultsOfTheApi) {
  v1::ScoreRequest request;
  *request.mutable_observations() = Rows(1);
  request.mutable_observations()->set_mask(std::string("\0\1", 2));
  request.mutable_missing();
  const auto decoded = DecodeScore(request, TwoClasses(), {}, kFresh);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_TRUE(decoded->options.missing.has_value());
  EXPECT_EQ(decoded->options.missing->chains, 16);
  EXPECT_EQ(decoded->options.missing->inverse_temperatures,
            EvenInverseTemperatures(100));
  EXPECT_EQ(decoded->options.missing->seed, kFresh);
}

TEST(ScoreRequestTest, EveryFieldOfMissingIsRead) {
  v1::ScoreRequest request;
  *request.mutable_observations() = Rows(1);
  *request.mutable_missing() =
      FromText<v1::MissingValueEstimate>("chains: 5 temperatures: 7 seed: 0");
  const auto decoded = DecodeScore(request, TwoClasses(), {}, kFresh);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_TRUE(decoded->options.missing.has_value());
  EXPECT_EQ(decoded->options.missing->chains, 5);
  EXPECT_EQ(decoded->options.missing->inverse_temperatures,
            EvenInverseTemperatures(7));
  EXPECT_EQ(decoded->options.missing->seed, 0);
}

TEST(ScoreRequestTest, BadRequestsAreRefused) {
  using R = Refusal<v1::ScoreRequest>;
  v1::ScoreRequest good;
  *good.mutable_observations() = Rows(1);
  ExpectRefused<v1::ScoreRequest>(
      good,
      {R{[](auto& r) { r.clear_observations(); }, kInvalid, "REQUIRED",
         "observations.dense is missing"},
       R{[](auto& r) { *r.mutable_observations() = Rows(6); }, kInvalid,
         "TOO_MANY_ROWS", "at most 5"},
       R{[](auto& r) { r.mutable_observations()->add_weights(1); }, kInvalid,
         "NOT_ALLOWED", "observations.weights is given"},
       R{[](auto& r) {
           r.mutable_observations()->set_mask(std::string("\0\1", 2));
         },
         kInvalid, "MISSING_VALUES", "observations.mask marks missing values"},
       R{[](auto& r) {
           r.mutable_observations()->set_mask(std::string("\0\0", 2));
           r.mutable_missing();
         },
         kInvalid, "NOTHING_OBSERVED", "leaves nothing observed of row 0"},
       R{[](auto& r) { r.mutable_missing()->set_chains(1); }, kInvalid,
         "OUT_OF_RANGE", "missing.chains is 1; an error takes at least 2"},
       R{[](auto& r) { r.mutable_missing()->set_chains(-1); }, kInvalid,
         "OUT_OF_RANGE", "missing.chains is -1"},
       R{[](auto& r) { r.mutable_missing()->set_temperatures(1 << 30); },
         kInvalid, "OUT_OF_RANGE", "missing.temperatures is"},
       R{[](auto& r) {
           *r.mutable_observations() = Rows(4);
           r.set_per_expert(true);
         },
         kInvalid, "TOO_MANY_ROWS",
         "per_expert is set for 4 rows of 6 experts; at most 3"}},
      [](const v1::ScoreRequest& r) {
        return DecodeScore(r, TwoClasses(), kLimits, kFresh).status();
      });
}

TEST(ScoreRequestTest, ObjectionsCountAsWell) {
  Model model = TwoClasses();
  for (ClassModel& one : model.classes)
    one.usual_verdicts = *UsualVerdicts::Create(RowMatrix<double>::Zero(3, 2));
  v1::ScoreRequest request;
  request.set_per_expert(true);
  const auto decode = [&](Index rows) {
    *request.mutable_observations() = Rows(rows);
    return DecodeScore(request, model, kLimits, kFresh).status();
  };
  EXPECT_EQ(decode(2), absl::OkStatus());
  EXPECT_THAT(std::string(decode(3).message()),
              HasSubstr("is set for 3 rows of 6 experts; at most 2"));
}

absl::StatusOr<DecodedReconstruct> Decode(const v1::ReconstructRequest& r) {
  return DecodeReconstruct(r, TwoClasses(), kLimits, kFresh);
}

TEST(ReconstructRequestTest, DefaultsAreThoseOfTheApi) {
  v1::ReconstructRequest request;
  *request.mutable_observations() = Rows(1);
  absl::StatusOr<DecodedReconstruct> decoded = Decode(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->options.class_index, -1);
  EXPECT_EQ(decoded->options.steps, 1);
  EXPECT_EQ(decoded->options.chains, 1);
  EXPECT_EQ(decoded->options.output, Reconstruction::kMean);
  EXPECT_EQ(decoded->options.seed, kFresh);
  request.mutable_observations()->set_mask(std::string("\0\1", 2));
  EXPECT_EQ(Decode(request)->options.steps, 10);
}

TEST(ReconstructRequestTest, EveryFieldIsRead) {
  auto request = FromText<v1::ReconstructRequest>(
      "class_name: 'even' steps: 7 chains: 3 layer: 0 seed: 0");
  *request.mutable_observations() = Rows(2);
  absl::StatusOr<DecodedReconstruct> decoded = Decode(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->rows.rows, 2);
  EXPECT_EQ(decoded->options.class_index, 1);
  EXPECT_EQ(decoded->options.steps, 7);
  EXPECT_EQ(decoded->options.chains, 3);
  EXPECT_EQ(decoded->options.seed, 0u);
  request.clear_chains();
  request.set_output(v1::ReconstructRequest::OUTPUT_SAMPLE);
  EXPECT_EQ(Decode(request)->options.output, Reconstruction::kSample);
}

TEST(ReconstructRequestTest, BadRequestsAreRefused) {
  using R = Refusal<v1::ReconstructRequest>;
  v1::ReconstructRequest good;
  *good.mutable_observations() = Rows(1);
  ExpectRefused<v1::ReconstructRequest>(
      good,
      {R{[](auto& r) { r.clear_observations(); }, kInvalid, "REQUIRED",
         "observations.dense is missing"},
       R{[](auto& r) { r.set_class_name("none"); }, kInvalid, "UNKNOWN_CLASS",
         "class_name is \"none\"; this model's classes are \"odd\", \"even\""},
       R{[](auto& r) { r.set_steps(-1); }, kInvalid, "OUT_OF_RANGE",
         "steps is -1; must be 1 to 2000, or 0 for 1"},
       R{[](auto& r) { r.set_steps(2001); }, kInvalid, "OUT_OF_RANGE",
         "steps is 2001"},
       R{[](auto& r) { r.set_chains(5); }, kInvalid, "OUT_OF_RANGE",
         "chains is 5; must be 1 to 4"},
       R{[](auto& r) { r.set_chains(-5); }, kInvalid, "OUT_OF_RANGE",
         "chains is -5"},
       R{[](auto& r) {
           r.set_chains(2);
           r.set_output(v1::ReconstructRequest::OUTPUT_SAMPLE);
         },
         kInvalid, "CONFLICT", "chains is 2; draws are not averaged"},
       R{[](auto& r) {
           r.set_output(static_cast<v1::ReconstructRequest::Output>(8));
         },
         kInvalid, "INVALID_VALUE", "output is 8"},
       R{[](auto& r) { r.set_layer(1); }, kInvalid, "OUT_OF_RANGE",
         "layer is 1; this model has one layer, 0"},
       R{[](auto& r) { r.set_layer(-1); }, kInvalid, "OUT_OF_RANGE",
         "layer is -1"}},
      [](const v1::ReconstructRequest& r) { return Decode(r).status(); });
}

// Bits, and three layers of 3, 2 and 4 units.
const Model& ThreeLayers() {
  static const Model* const model = [] {
    auto* layered = new Model(OneClass());
    std::vector<Product<float>>& layers = layered->classes[0].layers;
    layers.push_back(MakeBernoulliModel(3, 2, {"x"}, 2).classes[0].layers[0]);
    layers.push_back(MakeBernoulliModel(2, 4, {"x"}, 3).classes[0].layers[0]);
    return layered;
  }();
  return *model;
}

TEST(ReconstructRequestTest, ALayerIsTheLowestUnlessNamed) {
  v1::ReconstructRequest request;
  *request.mutable_observations() = Rows(1);
  auto decode = [&] {
    return DecodeReconstruct(request, ThreeLayers(), kLimits, kFresh);
  };
  EXPECT_EQ(decode()->options.layer, 0);
  request.set_layer(2);
  EXPECT_EQ(decode()->options.layer, 2);
  request.set_layer(3);
  EXPECT_THAT(std::string(decode().status().message()),
              HasSubstr("layer is 3; this model has 3 layers, 0 to 2"));
  request.set_layer(1);
  request.mutable_observations()->set_mask(std::string("\0\1", 2));
  EXPECT_THAT(std::string(decode().status().message()),
              HasSubstr("layer is 1, but observations.mask marks missing"));
  request.clear_layer();
  EXPECT_EQ(decode()->options.layer, 0);
}

TEST(SampleRequestTest, ALayerIsTheTopUnlessNamedOrValuesStay) {
  v1::SampleRequest request;
  auto decode = [&] {
    return DecodeSample(request, ThreeLayers(), kLimits, kFresh);
  };
  EXPECT_EQ(decode()->options.layer, 2);
  request.set_layer(1);
  EXPECT_EQ(decode()->options.layer, 1);
  request.set_start(v1::SampleRequest::START_DATA);
  *request.mutable_start_from() = Rows(1);
  EXPECT_EQ(decode()->options.layer, 1);
  request.mutable_start_from()->set_mask(std::string("\0\1", 2));
  EXPECT_THAT(std::string(decode().status().message()),
              HasSubstr("layer is 1, but start_from.mask marks missing"));
  request.clear_layer();
  EXPECT_EQ(decode()->options.layer, 0);
  request.set_start(v1::SampleRequest::START_GIVEN);
  EXPECT_EQ(decode()->options.layer, 0);
  request.set_layer(2);
  EXPECT_THAT(std::string(decode().status().message()),
              HasSubstr("layer is 2, but START_GIVEN holds"));
}

absl::StatusOr<DecodedSample> Decode(const v1::SampleRequest& request,
                                     const Model& model = TwoClasses()) {
  return DecodeSample(request, model, kLimits, kFresh);
}

TEST(SampleRequestTest, DefaultsAreThoseOfTheApi) {
  const absl::StatusOr<DecodedSample> decoded = Decode({}, OneClass());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_FALSE(decoded->start.has_value());
  EXPECT_FALSE(decoded->clamp);
  EXPECT_EQ(decoded->options.class_index, 0);
  EXPECT_EQ(decoded->options.chains, 1);
  EXPECT_EQ(decoded->options.steps, 1000);
  EXPECT_EQ(decoded->options.annealing_steps, 0);
  EXPECT_EQ(decoded->options.thinning, 0);
  EXPECT_FALSE(decoded->options.mean);
  EXPECT_EQ(decoded->options.seed, kFresh);
}

TEST(SampleRequestTest, EveryFieldIsRead) {
  auto request = FromText<v1::SampleRequest>(R"pb(
    class_name: "even"
    chains: 2
    steps: 50
    annealing_steps: 50
    start: START_GIVEN
    thinning: 5
    mean: true
    layer: 0
    seed: 18446744073709551615
  )pb");
  *request.mutable_start_from() = Rows(2);
  request.mutable_start_from()->set_mask(std::string("\0\1\0\1", 4));
  const absl::StatusOr<DecodedSample> decoded = Decode(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_TRUE(decoded->start.has_value());
  EXPECT_TRUE(decoded->start->has_missing());
  EXPECT_TRUE(decoded->clamp);
  EXPECT_EQ(decoded->options.class_index, 1);
  EXPECT_EQ(decoded->options.chains, 2);
  EXPECT_EQ(decoded->options.steps, 50);
  EXPECT_EQ(decoded->options.annealing_steps, 50);
  EXPECT_EQ(decoded->options.thinning, 5);
  EXPECT_TRUE(decoded->options.mean);
  EXPECT_EQ(decoded->options.seed, std::numeric_limits<std::uint64_t>::max());
}

TEST(SampleRequestTest, ThereIsAChainForEachRowToStartFrom) {
  auto request =
      FromText<v1::SampleRequest>("class_name: 'odd' start: START_DATA");
  *request.mutable_start_from() = Rows(3);
  const absl::StatusOr<DecodedSample> decoded = Decode(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->options.chains, 3);
  EXPECT_FALSE(decoded->clamp);
}

TEST(SampleRequestTest, BadRequestsAreRefused) {
  using R = Refusal<v1::SampleRequest>;
  ExpectRefused<v1::SampleRequest>(
      FromText<v1::SampleRequest>("class_name: 'odd'"),
      {R{[](auto& r) { r.clear_class_name(); }, kInvalid, "UNKNOWN_CLASS",
         "class_name is empty; this model's classes are \"odd\""},
       R{[](auto& r) { r.set_class_name("od"); }, kInvalid, "UNKNOWN_CLASS",
         "class_name is \"od\""},
       R{[](auto& r) { r.set_chains(5); }, kInvalid, "OUT_OF_RANGE",
         "chains is 5; must be 1 to 4"},
       R{[](auto& r) { r.set_steps(3000); }, kInvalid, "OUT_OF_RANGE",
         "steps is 3000; must be 1 to 2000"},
       R{[](auto& r) { r.set_annealing_steps(1001); }, kInvalid, "OUT_OF_RANGE",
         "annealing_steps is 1001; must be 0 to steps, which is 1000"},
       R{[](auto& r) { r.set_annealing_steps(-1); }, kInvalid, "OUT_OF_RANGE",
         "annealing_steps is -1"},
       R{[](auto& r) { r.set_thinning(-1); }, kInvalid, "OUT_OF_RANGE",
         "thinning is -1"},
       R{[](auto& r) { r.set_length(10); }, kInvalid, "NOT_ALLOWED",
         "length is given"},
       R{[](auto& r) { r.set_layer(2); }, kInvalid, "OUT_OF_RANGE",
         "layer is 2"},
       R{[](auto& r) { *r.mutable_start_from() = Rows(1); }, kInvalid,
         "CONFLICT", "start_from is given; it is for"},
       R{[](auto& r) { r.set_start(v1::SampleRequest::START_DATA); }, kInvalid,
         "REQUIRED", "start_from is missing; START_DATA needs"},
       R{[](auto& r) { r.set_start(static_cast<v1::SampleRequest::Start>(9)); },
         kInvalid, "INVALID_VALUE", "start is 9"},
       R{[](auto& r) {
           r.set_start(v1::SampleRequest::START_GIVEN);
           *r.mutable_start_from() = Rows(2);
           r.set_chains(3);
         },
         kInvalid, "WRONG_SIZE",
         "start_from has 2 observations; must have one for each of 3 chains"},
       R{[](auto& r) {
           r.set_start(v1::SampleRequest::START_GIVEN);
           *r.mutable_start_from() = Rows(5);
         },
         kInvalid, "TOO_MANY_ROWS", "start_from.dense has 5 rows; at most 4"},
       R{[](auto& r) {
           r.set_start(v1::SampleRequest::START_DATA);
           *r.mutable_start_from() = Rows(1);
           r.mutable_start_from()->set_mask("\2\1");
         },
         kInvalid, "INVALID_VALUE", "start_from.mask[0][0] is 2"}},
      [](const v1::SampleRequest& r) { return Decode(r).status(); });
}

Model OfSequences() {
  Model model = MakeBernoulliModel(2, 3, {"data"}, 1);
  model.data_spec.sequential = true;
  return model;
}

v1::Observations Sequences(const std::vector<std::int64_t>& lengths) {
  v1::Observations observations;
  std::int64_t rows = 0;
  for (const std::int64_t length : lengths) {
    observations.mutable_sequences()->add_lengths(length);
    rows += length;
  }
  *observations.mutable_sequences()->mutable_values() =
      MakeFloats({rows, 2}, std::vector<float>(2 * rows, 1));
  return observations;
}

TEST(SampleRequestTest, SequencesHaveTheLengthAskedOrThatOfTheirStart) {
  const Model model = OfSequences();
  auto request = FromText<v1::SampleRequest>("chains: 2 length: 2");
  absl::StatusOr<DecodedSample> decoded = Decode(request, model);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->options.length, 2);
  request = FromText<v1::SampleRequest>("start: START_DATA");
  *request.mutable_start_from() = Sequences({1, 3});
  decoded = Decode(request, model);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->options.chains, 2);
  EXPECT_THAT(decoded->start->starts, testing::ElementsAre(0, 1, 4));
}

TEST(SampleRequestTest, ChainsOfAConditionalModelNeedTheirInputs) {
  Model model = MakeBernoulliModel(2, 3, {"data"}, 1);
  model.data_spec.input_coordinates = {0};
  const absl::Status status = Decode({}, model).status();
  EXPECT_EQ(ReasonOf(status), "REQUIRED");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("start_from is missing; this model is conditional"));
  auto request = FromText<v1::SampleRequest>("start: START_DATA");
  *request.mutable_start_from() = Rows(1);
  EXPECT_TRUE(Decode(request, model).ok());
}

TEST(SampleRequestTest, BadLengthsAreRefused) {
  const Model model = OfSequences();
  using R = Refusal<v1::SampleRequest>;
  ExpectRefused<v1::SampleRequest>(
      FromText<v1::SampleRequest>("chains: 2 length: 1"),
      {R{[](auto& r) { r.clear_length(); }, kInvalid, "REQUIRED",
         "length is missing; this model draws sequences"},
       R{[](auto& r) { r.set_length(-1); }, kInvalid, "OUT_OF_RANGE",
         "length is -1; must be 1 to 2 for 2 chains"},
       R{[](auto& r) { r.set_length(3); }, kInvalid, "OUT_OF_RANGE",
         "length is 3; must be 1 to 2 for 2 chains, whose rows are at most 5 "
         "together"},
       R{[](auto& r) {
           r.set_start(v1::SampleRequest::START_DATA);
           *r.mutable_start_from() = Sequences({1, 1});
         },
         kInvalid, "NOT_ALLOWED",
         "length is given; chains have the lengths of start_from"},
       R{[](auto& r) {
           r.clear_length();
           r.set_start(v1::SampleRequest::START_DATA);
           *r.mutable_start_from() = Sequences({3, 3});
         },
         kInvalid, "TOO_MANY_ROWS",
         "start_from.sequences.values has 6 rows; at most 5"},
       R{[](auto& r) {
           r.clear_length();
           r.set_start(v1::SampleRequest::START_DATA);
           *r.mutable_start_from() = Sequences({1, 1, 1, 1, 1});
         },
         kInvalid, "TOO_MANY_ROWS",
         "start_from.sequences has 5 sequences; at most 4"}},
      [&](const v1::SampleRequest& r) { return Decode(r, model).status(); });
}

// 8 rows of all chains with 125 steps of the least work.
const RequestLimits kLittleWork = {.work = 1'000'000};

void ExpectTooMuchWork(const absl::Status& status, const std::string& text) {
  EXPECT_EQ(status.code(), kInvalid) << status;
  EXPECT_EQ(ReasonOf(status), "TOO_MUCH_WORK");
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(WorkOfRequestsTest, RowsChainsAndTemperaturesAreBoundedTogether) {
  v1::ScoreRequest request;
  *request.mutable_observations() = Rows(2);
  request.mutable_observations()->set_mask(std::string("\0\1\1\1", 4));
  request.mutable_missing()->set_chains(4);
  const auto decode = [&](int temperatures) {
    request.mutable_missing()->set_temperatures(temperatures);
    return DecodeScore(request, TwoClasses(), kLittleWork, kFresh).status();
  };
  EXPECT_EQ(decode(125), absl::OkStatus());
  ExpectTooMuchWork(decode(126),
                    "missing.temperatures is 126 for 8 rows of all chains");
}

TEST(WorkOfRequestsTest, RowsChainsAndStepsAreBoundedTogether) {
  v1::ReconstructRequest reconstruct;
  *reconstruct.mutable_observations() = Rows(2);
  reconstruct.set_chains(4);
  v1::SampleRequest sample;
  sample.set_chains(8);
  const auto decode = [&](int steps) {
    reconstruct.set_steps(steps);
    return DecodeReconstruct(reconstruct, TwoClasses(), kLittleWork, kFresh)
        .status();
  };
  const auto decode_sample = [&](int steps) {
    sample.set_steps(steps);
    return DecodeSample(sample, OneClass(), kLittleWork, kFresh).status();
  };
  EXPECT_EQ(decode(125), absl::OkStatus());
  ExpectTooMuchWork(decode(126), "steps is 126 for 8 rows of all chains");
  ExpectTooMuchWork(decode(126), "must be at most 125, or rows or chains");
  EXPECT_EQ(decode_sample(125), absl::OkStatus());
  ExpectTooMuchWork(decode_sample(126), "steps is 126 for 8 rows");
}

TEST(WorkOfRequestsTest, ParametersOfAllClassesThatMayAnswerCount) {
  const Model model = MakeBernoulliModel(60, 40, {"a", "b"}, 1);
  const Index of_one = model.classes[0].layers[0].num_parameters();
  ASSERT_GT(of_one, 1000);
  const RequestLimits limits = {.work = 10 * of_one};
  v1::ReconstructRequest request;
  *request.mutable_observations()->mutable_dense() =
      MakeFloats({1, 60}, std::vector<float>(60, 1));
  request.set_steps(10);
  const auto decode = [&] {
    return DecodeReconstruct(request, model, limits, kFresh).status();
  };
  ExpectTooMuchWork(decode(), "must be at most 5, or rows");
  request.set_class_name("b");
  EXPECT_EQ(decode(), absl::OkStatus());
  *request.mutable_observations()->mutable_dense() =
      MakeFloats({11, 60}, std::vector<float>(660, 1));
  ExpectTooMuchWork(decode(), "in one request; rows or chains must be fewer");
}

TEST(FindClassTest, ManyClassesAreListedInPart) {
  std::vector<std::string> names;
  for (int i = 0; i < 25; ++i) names.push_back(absl::StrCat("class", i));
  const Model model = MakeBernoulliModel(2, 1, names, 1);
  EXPECT_EQ(*FindClass(model, "class24"), 24);
  const std::string text(FindClass(model, "x").status().message());
  EXPECT_THAT(text, HasSubstr("\"class19\" and 5 more"));
  EXPECT_THAT(text, testing::Not(HasSubstr("class20")));
}

}  // namespace
}  // namespace poe::server
