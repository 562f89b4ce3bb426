#include "server/row_answers.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/response_codec.h"
#include "tests/server/codec/kind_models.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The rows of one call.
struct OwnRows {
  RowMatrix<float> values;
  std::vector<std::uint8_t> observed;
  std::vector<Index> starts;

  RawRows View() const {
    return RawRows{
        {values.data(), values.rows(), values.cols()}, {}, observed, starts};
  }
};

// Calls of one, two and several observations, of different lengths where they
// are sequences. Masked ones lack a value in every second frame.
std::vector<OwnRows> MakeCalls(const DataSpec& spec, bool masked) {
  constexpr Index kFrames = 9;
  const RowMatrix<float> values = DrawRawRows(spec, kFrames);
  Index missing = 0;
  while (std::find(spec.input_coordinates.begin(), spec.input_coordinates.end(),
                   missing) != spec.input_coordinates.end()) {
    ++missing;
  }
  std::vector<OwnRows> calls;
  for (const auto& [begin, starts] :
       std::vector<std::pair<Index, std::vector<Index>>>{
           {0, {0, 1}}, {1, {0, 2, 3}}, {4, {0, 1, 4, 5}}}) {
    const Index frames = starts.back();
    OwnRows& call = calls.emplace_back();
    call.values = values.middleRows(begin, frames);
    if (spec.sequential) call.starts = starts;
    if (!masked) continue;
    call.observed.assign(frames * spec.dimension, 1);
    for (Index frame = 0; frame < frames; frame += 2) {
      call.observed[frame * spec.dimension + missing] = 0;
    }
  }
  return calls;
}

// All there is of an answer.
std::string BytesOf(const Model& model, const RowAnswer& answer) {
  if (const Scores* scores = std::get_if<Scores>(&answer)) {
    v1::ScoreResponse response;
    EncodeScores(model, *scores, &response);
    return response.SerializeAsString();
  }
  const auto& got = std::get<Reconstructions>(answer);
  std::string bytes(reinterpret_cast<const char*>(got.values.data()),
                    got.values.size() * sizeof(float));
  for (const std::int32_t one : got.classes) absl::StrAppend(&bytes, " ", one);
  return bytes;
}

void ExpectSameTogether(const Model& model, const std::vector<OwnRows>& calls,
                        const RowQuestion& question) {
  std::vector<RawRows> parts;
  for (const OwnRows& call : calls) parts.push_back(call.View());
  const JoinedRows joined(parts);
  const absl::StatusOr<RowAnswer> whole =
      Ask(model, joined.View(), question, Workers::Inline(), NeverInterrupt);
  Index begin = 0;
  for (const RawRows& part : parts) {
    const absl::StatusOr<RowAnswer> alone =
        Ask(model, part, question, Workers::Inline(), NeverInterrupt);
    ASSERT_EQ(alone.status(), whole.status());
    if (!alone.ok()) return;
    const Index end = begin + part.size();
    EXPECT_EQ(BytesOf(model, Part(*whole, joined.View(), begin, end)),
              BytesOf(model, *alone))
        << "observations " << begin << " to " << end;
    begin = end;
  }
}

void ExpectSameTogether(const Model& model) {
  ReconstructOptions reconstruct;
  reconstruct.steps = 3;
  reconstruct.chains = 2;
  reconstruct.seed = 5;
  for (const bool masked : {false, true}) {
    SCOPED_TRACE(masked ? "masked" : "complete");
    const std::vector<OwnRows> calls = MakeCalls(model.data_spec, masked);
    ExpectSameTogether(model, calls, reconstruct);
    ScoreOptions score;
    score.per_expert = true;
    if (masked) {
      score.missing = IncompleteScoreOptions{
          .chains = 3,
          .inverse_temperatures = EvenInverseTemperatures(4),
          .seed = 6};
    }
    ExpectSameTogether(model, calls, score);
  }
}

class RowAnswersTest : public ::testing::TestWithParam<KindModel> {};

TEST_P(RowAnswersTest, AreTheSameToTheBitTogetherAndAlone) {
  ExpectSameTogether(GetParam().model);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, RowAnswersTest,
                         ::testing::ValuesIn(ModelsOfAllKinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST(RowAnswersOfSequencesTest, LogZIsComputedForTheLengthsOfEachCall) {
  std::vector<KindModel> kinds = ModelsOfAllKinds();
  int computed = 0;
  for (KindModel& kind : kinds) {
    if (!kind.model.data_spec.sequential) continue;
    SCOPED_TRACE(kind.name);
    kind.model.classes[0].log_partitions = {
        {LogPartition::Method::kExact, 1.5, 0, 2}};
    ExpectSameTogether(kind.model);
    // Of lengths 1, 3 and 1.
    const std::vector<OwnRows> calls = MakeCalls(kind.model.data_spec, false);
    const auto answer = Ask(kind.model, calls[2].View(), ScoreOptions(),
                            Workers::Inline(), NeverInterrupt);
    ASSERT_TRUE(answer.ok()) << answer.status();
    v1::ScoreResponse response;
    EncodeScores(kind.model, std::get<Scores>(*answer), &response);
    if (response.log_partitions().empty()) continue;
    ++computed;
    ASSERT_EQ(response.log_partitions_size(), 2);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(response.log_partitions(i).class_name(), "data");
      EXPECT_EQ(response.log_partitions(i).method(),
                v1::LogPartition::METHOD_EXACT);
      EXPECT_EQ(response.log_partitions(i).length(), 2 * i + 1);
    }
  }
  EXPECT_GE(computed, 1);
}

TEST(RowAnswersOfClassesTest, AreTheSameToTheBitTogetherAndAlone) {
  ExpectSameTogether(MakeBernoulliModel(20, 7, {"a", "b", "c"}, 1));
}

TEST(RowAnswersOfRealValuesTest, OnlyTheCallWithARowOutOfSupportHearsOfIt) {
  const Model model = MakeRealModel();
  std::vector<OwnRows> calls(2);
  calls[0].values = RowMatrix<float>{{0, 0, 1000}, {5, 0, 1000}};
  calls[1].values = RowMatrix<float>{{1, 1, 1001}};
  ExpectSameTogether(model, calls, ScoreOptions());
  ExpectSameTogether(model, calls, ReconstructOptions());
  const std::vector<RawRows> parts = {calls[0].View(), calls[1].View()};
  const JoinedRows joined(parts);
  const auto whole = Ask(model, joined.View(), ScoreOptions(),
                         Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto out_of_support = [&](Index begin, Index end) {
    return std::get<Scores>(Part(*whole, joined.View(), begin, end))
        .out_of_support;
  };
  EXPECT_THAT(out_of_support(0, 2), ElementsAre(false, true));
  EXPECT_THAT(out_of_support(2, 3), IsEmpty());
}

TEST(CanJoinTest, RowsWithAndWithoutAMaskAreAskedApart) {
  const DataSpec spec = MakeRealModel().data_spec;
  const std::vector<OwnRows> complete = MakeCalls(spec, false);
  const std::vector<OwnRows> masked = MakeCalls(spec, true);
  EXPECT_TRUE(CanJoin(complete[0].View(), complete[1].View()));
  EXPECT_TRUE(CanJoin(masked[0].View(), masked[1].View()));
  EXPECT_FALSE(CanJoin(complete[0].View(), masked[1].View()));
}

}  // namespace
}  // namespace poe::server
