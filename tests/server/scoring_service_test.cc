// Score and ScoreStream over a real connection.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/scoring.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class ScoringServiceTest : public DigitsServingTest {
 protected:
  // Scores with version 1 of "digits".
  static v1::ScoreRequest ScoreDigits(const RowMatrix<float>& rows) {
    v1::ScoreRequest request;
    request.mutable_model()->set_name("digits");
    request.mutable_model()->set_version(1);
    *request.mutable_observations() = ToObservations(rows);
    return request;
  }
};

std::vector<double> CoreLogScores(const Model& model,
                                  const RowMatrix<float>& rows) {
  RawRows raw;
  new (&raw.values)
      Eigen::Map<const RowMatrix<float>>(rows.data(), rows.rows(), rows.cols());
  const auto scores = Score(model, raw, {}, Workers::Inline(), NeverInterrupt);
  EXPECT_TRUE(scores.ok()) << scores.status();
  return {scores->log_scores.data(),
          scores->log_scores.data() + scores->log_scores.size()};
}

TEST_F(ScoringServiceTest, ScoresAreThoseOfTheCoreToTheBit) {
  // Few rows are answered by the thread that receives, many by another.
  for (Index rows : {1, 7, 4999}) {
    const RowMatrix<float> bits = RandomBits(rows, kDimension, 5);
    grpc::ClientContext context;
    v1::ScoreResponse response;
    const grpc::Status status =
        stub().Score(&context, ScoreDigits(bits), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(Doubles(response.log_scores()),
                ElementsAreArray(CoreLogScores(digits(), bits)));
    EXPECT_THAT(response.log_scores().shape(), ElementsAre(rows, 2, 1));
    EXPECT_THAT(response.class_names(), ElementsAre("two", "three"));
    EXPECT_THAT(response.labels(), SizeIs(rows));
    EXPECT_EQ(response.model().name(), "digits");
    EXPECT_EQ(response.model().version(), 1);
  }
}

// Three experts of "odd" usually say -2 to 1.
class ExplainingServiceTest : public ServingTest {
 protected:
  ExplainingServiceTest() : model_(RandomModel(6, 3, {"odd"}, 9)) {
    RowMatrix<double> quantiles(3, 2);
    quantiles << -2, 1, -2, 1, -2, 1;
    model_.classes[0].usual_verdicts = *UsualVerdicts::Create(quantiles);
    Publish("odd", model_);
    StartServer();
  }

  Model model_;
};

TEST_F(ExplainingServiceTest, ObjectionsAreThoseOfTheStoredModel) {
  v1::ScoreRequest request;
  request.mutable_model()->set_name("odd");
  *request.mutable_observations() = ToObservations(RandomBits(50, 6, 3));
  const auto ask = [&] {
    grpc::ClientContext context;
    v1::ScoreResponse response;
    const grpc::Status status = stub().Score(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  };
  EXPECT_THAT(ask().expert_scores(), SizeIs(0));
  request.set_per_expert(true);
  const v1::ScoreResponse response = ask();
  ASSERT_THAT(response.expert_scores(), SizeIs(1));
  const v1::ExpertScores& experts = response.expert_scores(0);
  EXPECT_THAT(Doubles(experts.usual_quantiles()),
              ElementsAre(-2, 1, -2, 1, -2, 1));
  const std::vector<double> log_scores = Doubles(experts.log_scores());
  const std::vector<float> objections = Floats(experts.objections());
  ASSERT_THAT(log_scores, SizeIs(150));
  ASSERT_THAT(objections, SizeIs(150));
  for (std::size_t i = 0; i < 150; ++i)
    EXPECT_EQ(objections[i], static_cast<float>((1 - log_scores[i]) / 3));
}

TEST_F(ScoringServiceTest, RowsWithMissingValuesAreScoredWithTheirErrors) {
  v1::ScoreRequest request = ScoreDigits(RandomBits(2, kDimension, 7));
  std::string mask(2 * kDimension, '\0');
  std::fill_n(mask.begin(), 2 * kDimension - 2, '\1');
  request.mutable_observations()->set_mask(mask);
  request.mutable_missing()->set_chains(50);
  const auto ask = [&] {
    grpc::ClientContext context;
    v1::ScoreResponse response;
    const grpc::Status status = stub().Score(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  };
  const v1::ScoreResponse first = ask();
  ASSERT_TRUE(first.has_seed());
  const std::vector<double> errors = Doubles(first.standard_errors());
  const std::size_t classes = first.class_names_size();
  ASSERT_THAT(errors, SizeIs(2 * classes));
  for (std::size_t c = 0; c < classes; ++c) {
    EXPECT_EQ(errors[c], 0);
    EXPECT_GT(errors[classes + c], 0);
  }
  request.mutable_missing()->set_seed(first.seed());
  EXPECT_EQ(ask().log_scores().data(), first.log_scores().data());
  // A row has its own draws, whatever it comes with.
  request.mutable_observations()->add_row_ids(0);
  request.mutable_observations()->add_row_ids(1);
  EXPECT_EQ(ask().log_scores().data(), first.log_scores().data());
}

TEST_F(ScoringServiceTest, TheLatestVersionAnswersByDefault) {
  v1::ScoreRequest request = ScoreDigits(RandomBits(1, kDimension, 6));
  request.mutable_model()->clear_version();
  grpc::ClientContext context;
  v1::ScoreResponse response;
  ASSERT_TRUE(stub().Score(&context, request, &response).ok());
  EXPECT_EQ(response.model().version(), 2);
}

TEST_F(ScoringServiceTest, BadScoreRequestsAreRefusedWithTheFieldAtFault) {
  using Change = std::function<void(v1::ScoreRequest&)>;
  const std::string one_missing =
      std::string(2 * kDimension - 1, '\1') + std::string(1, '\0');
  const auto set_value = [](v1::ScoreRequest& request, float value) {
    std::string& data =
        *request.mutable_observations()->mutable_dense()->mutable_data();
    data.replace((kDimension + 3) * sizeof value, sizeof value,
                 reinterpret_cast<const char*>(&value), sizeof value);
  };
  const struct {
    const char* what;
    Change change;
    grpc::StatusCode code;
    const char* message;
  } cases[] = {
      {"no model", [](auto& r) { r.clear_model(); }, grpc::INVALID_ARGUMENT,
       "model"},
      {"unknown model", [](auto& r) { r.mutable_model()->set_name("cats"); },
       grpc::NOT_FOUND, "cats"},
      {"path as name",
       [](auto& r) { r.mutable_model()->set_name("../digits"); },
       grpc::NOT_FOUND, "../digits"},
      {"unknown version", [](auto& r) { r.mutable_model()->set_version(3); },
       grpc::NOT_FOUND, "3"},
      {"version 0", [](auto& r) { r.mutable_model()->set_version(0); },
       grpc::INVALID_ARGUMENT, "version"},
      {"unknown label", [](auto& r) { r.mutable_model()->set_label("best"); },
       grpc::NOT_FOUND, "best"},
      {"no observations", [](auto& r) { r.clear_observations(); },
       grpc::INVALID_ARGUMENT, "observations"},
      {"sequences",
       [](auto& r) {
         r.mutable_observations()->mutable_sequences()->add_lengths(2);
       },
       grpc::INVALID_ARGUMENT, "sequences"},
      {"wrong number of columns",
       [](auto& r) {
         *r.mutable_observations() =
             ToObservations(RandomBits(2, kDimension + 1, 1));
       },
       grpc::INVALID_ARGUMENT, "12"},
      {"shape and bytes differ",
       [](auto& r) {
         r.mutable_observations()->mutable_dense()->set_shape(0, 3);
       },
       grpc::INVALID_ARGUMENT, "observations.dense"},
      {"negative shape",
       [](auto& r) {
         r.mutable_observations()->mutable_dense()->set_shape(0, -2);
       },
       grpc::INVALID_ARGUMENT, "observations.dense"},
      {"absurd shape",
       [](auto& r) {
         r.mutable_observations()->mutable_dense()->set_shape(
             0, std::numeric_limits<std::int64_t>::max());
       },
       grpc::INVALID_ARGUMENT, "observations.dense"},
      {"bytes without a type",
       [](auto& r) {
         r.mutable_observations()->mutable_dense()->clear_element_type();
       },
       grpc::INVALID_ARGUMENT, "element_type"},
      {"NaN", [&](auto& r) { set_value(r, std::nanf("")); },
       grpc::INVALID_ARGUMENT, "[1][3]"},
      {"infinity", [&](auto& r) { set_value(r, INFINITY); },
       grpc::INVALID_ARGUMENT, "[1][3]"},
      {"no grey level", [&](auto& r) { set_value(r, 1.5f); },
       grpc::INVALID_ARGUMENT, "[1][3]"},
      {"too many rows",
       [](auto& r) {
         *r.mutable_observations() =
             ToObservations(RandomBits(5001, kDimension, 1));
       },
       grpc::INVALID_ARGUMENT, "5000"},
      {"mask of a wrong size",
       [](auto& r) { r.mutable_observations()->set_mask("\1\1"); },
       grpc::INVALID_ARGUMENT, "mask"},
      {"missing values",
       [&](auto& r) { r.mutable_observations()->set_mask(one_missing); },
       grpc::INVALID_ARGUMENT, "mask"},
      {"nothing observed",
       [&](auto& r) {
         std::string mask(2 * kDimension, '\0');
         std::fill_n(mask.begin(), kDimension, '\1');
         r.mutable_observations()->set_mask(mask);
         r.mutable_missing();
       },
       grpc::INVALID_ARGUMENT, "row 1"},
      {"weights",
       [](auto& r) {
         r.mutable_observations()->add_weights(1);
         r.mutable_observations()->add_weights(1);
       },
       grpc::INVALID_ARGUMENT, "weights"},
      {"too few row ids",
       [](auto& r) { r.mutable_observations()->add_row_ids(1); },
       grpc::INVALID_ARGUMENT, "row_ids"},
  };
  for (const auto& [what, change, code, message] : cases) {
    v1::ScoreRequest request = ScoreDigits(RandomBits(2, kDimension, 7));
    change(request);
    grpc::ClientContext context;
    v1::ScoreResponse response;
    const grpc::Status status = stub().Score(&context, request, &response);
    EXPECT_EQ(status.error_code(), code)
        << what << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(message)) << what;
    EXPECT_NE(ErrorReason(status), "") << what;
  }
}

TEST_F(ScoringServiceTest, AMessageAboveTheLimitIsRefused) {
  v1::ScoreRequest request;
  request.mutable_observations()->set_mask(std::string(65 << 20, '\1'));
  grpc::ClientContext context;
  v1::ScoreResponse response;
  EXPECT_EQ(stub().Score(&context, request, &response).error_code(),
            grpc::RESOURCE_EXHAUSTED);
}

TEST_F(ScoringServiceTest, AStreamIsAnsweredInOrder) {
  grpc::ClientContext context;
  auto stream = stub().ScoreStream(&context);
  const std::vector<Index> sizes = {1, 3000, 2, 4000, 1};
  std::thread writer([&] {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      v1::ScoreRequest request =
          ScoreDigits(RandomBits(sizes[i], kDimension, 10 + i));
      if (i > 0) request.clear_model();
      stream->Write(request);
    }
    stream->WritesDone();
  });
  v1::ScoreResponse response;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_THAT(Doubles(response.log_scores()),
                ElementsAreArray(CoreLogScores(
                    digits(), RandomBits(sizes[i], kDimension, 10 + i))));
    EXPECT_EQ(response.model().version(), 1);
  }
  EXPECT_FALSE(stream->Read(&response));
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ScoringServiceTest, AStreamWithoutRequestsEndsWell) {
  grpc::ClientContext context;
  auto stream = stub().ScoreStream(&context);
  stream->WritesDone();
  v1::ScoreResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ScoringServiceTest, AStreamKeepsTheVersionItBeganWith) {
  v1::SetLabelRequest label;
  label.set_name("digits");
  label.set_label("stable");
  label.set_version(1);
  v1::ModelInfo info;
  grpc::ClientContext first_context, second_context, stream_context;
  ASSERT_TRUE(registry().SetLabel(&first_context, label, &info).ok());

  auto stream = stub().ScoreStream(&stream_context);
  v1::ScoreRequest request = ScoreDigits(RandomBits(1, kDimension, 8));
  request.mutable_model()->set_label("stable");
  v1::ScoreResponse response;
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.model().version(), 1);

  label.set_version(2);
  ASSERT_TRUE(registry().SetLabel(&second_context, label, &info).ok());
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.model().version(), 1);

  request.mutable_model()->set_version(2);
  ASSERT_TRUE(stream->Write(request));
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorReason(status), "MODEL_PINNED");
}

TEST_F(ScoringServiceTest, AStreamOutlivesTheUnloadingOfItsModel) {
  grpc::ClientContext context, unload_context;
  auto stream = stub().ScoreStream(&context);
  const v1::ScoreRequest request = ScoreDigits(RandomBits(1, kDimension, 9));
  v1::ScoreResponse response;
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  v1::UnloadModelRequest unload;
  unload.set_name("digits");
  v1::ModelInfo info;
  ASSERT_TRUE(registry().UnloadModel(&unload_context, unload, &info).ok());
  ASSERT_TRUE(stream->Write(request));
  EXPECT_TRUE(stream->Read(&response));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ScoringServiceTest, ABadRequestEndsItsStream) {
  grpc::ClientContext context;
  auto stream = stub().ScoreStream(&context);
  v1::ScoreRequest request = ScoreDigits(RandomBits(1, kDimension + 1, 9));
  v1::ScoreResponse response;
  ASSERT_TRUE(stream->Write(request));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace poe::server
