#include "client/cpp/command/sample_start.h"

#include <string>
#include <vector>

#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/tensor.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

v1::DataSpec Spec() {
  v1::DataSpec spec;
  spec.set_dimension(3);
  return spec;
}

DataSet TwoRows() {
  DataSet data;
  data.observations = MakeObservations(std::vector<float>{1, 2, 3, 4, 5, 6}, 3);
  data.rows = data.frames = 2;
  data.dimension = 3;
  return data;
}

TEST(SampleStartTest, CompleteRowsMove) {
  v1::SampleRequest request;
  ASSERT_TRUE(SetStart("", Spec(), TwoRows(), request).ok());
  EXPECT_EQ(request.start(), v1::SampleRequest::START_DATA);
  EXPECT_EQ(RowCount(request.start_from()), 2);
  EXPECT_TRUE(request.start_from().mask().empty());
}

TEST(SampleStartTest, WhereValuesAreMissingTheOthersStay) {
  v1::SampleRequest request;
  DataSet data = TwoRows();
  const std::string mask = {1, 0, 1, 1, 1, 1};
  data.observations.set_mask(mask);
  ASSERT_TRUE(SetStart("", Spec(), data, request).ok());
  EXPECT_EQ(request.start(), v1::SampleRequest::START_GIVEN);
  EXPECT_EQ(request.start_from().mask(), mask);
}

TEST(SampleStartTest, KeptColumnsAndInputsStay) {
  v1::SampleRequest request;
  v1::DataSpec spec = Spec();
  spec.add_input_coordinates(2);
  DataSet data = TwoRows();
  data.observations.set_mask(std::string{1, 1, 1, 0, 1, 1});
  ASSERT_TRUE(SetStart("0", spec, data, request).ok());
  EXPECT_EQ(request.start(), v1::SampleRequest::START_GIVEN);
  EXPECT_EQ(request.start_from().mask(), (std::string{1, 0, 1, 0, 0, 1}));
}

TEST(SampleStartTest, KeptColumnsMustBeThere) {
  v1::SampleRequest request;
  EXPECT_TRUE(IsUsageError(SetStart("3", Spec(), TwoRows(), request)));
}

}  // namespace
}  // namespace poe::client
