#include "client/cpp/command/normalizers.h"

#include "gtest/gtest.h"

namespace poe::client {
namespace {

v1::LogPartition Known(const char* class_name, v1::LogPartition::Method method,
                       double value, double standard_error, int64_t length) {
  v1::LogPartition known;
  known.set_class_name(class_name);
  known.set_method(method);
  known.set_value(value);
  known.set_standard_error(standard_error);
  known.set_length(length);
  return known;
}

TEST(NormalizersTest, NothingKnownIsNoTable) {
  EXPECT_EQ(NormalizerTable({}, {}), "");
  EXPECT_FALSE(AreEstimated({}));
}

TEST(NormalizersTest, ExactValuesHaveNoError) {
  LogPartitions known;
  *known.Add() = Known("even", v1::LogPartition::METHOD_EXACT, -2.5, 0, 0);
  EXPECT_EQ(NormalizerTable(known, {}),
            "log Z of    value  method\n"
            "even      -2.5000  exact\n");
  EXPECT_FALSE(AreEstimated(known));
}

TEST(NormalizersTest, EstimatesSayTheirDirectionAndDifferencesTheirClasses) {
  LogPartitions known;
  *known.Add() =
      Known("even", v1::LogPartition::METHOD_AIS_FORWARD, 10, 0.25, 0);
  *known.Add() =
      Known("even", v1::LogPartition::METHOD_AIS_REVERSE, 11, 0.5, 0);
  LogPartitionDifferences differences;
  v1::LogPartitionDifference& difference = *differences.Add();
  difference.set_class_name("odd");
  difference.set_other_class_name("even");
  difference.set_value(-1);
  difference.set_standard_error(0.125);
  EXPECT_EQ(NormalizerTable(known, differences),
            "log Z of                  value  method\n"
            "even           10.0000 ± 0.2500  annealed, forward\n"
            "even           11.0000 ± 0.5000  annealed, reverse\n"
            "odd less even  -1.0000 ± 0.1250  acceptance ratio\n");
  EXPECT_TRUE(AreEstimated(known));
}

TEST(NormalizersTest, SequencesHaveALineForEachLength) {
  LogPartitions known;
  *known.Add() = Known("a", v1::LogPartition::METHOD_EXACT, 1, 0, 5);
  *known.Add() = Known("a", v1::LogPartition::METHOD_EXACT, 2, 0, 12);
  EXPECT_EQ(NormalizerTable(known, {}),
            "log Z of  length   value  method\n"
            "a              5  1.0000  exact\n"
            "a             12  2.0000  exact\n");
  Json document;
  ASSERT_TRUE(AddNormalizers(known, {}, document).ok());
  EXPECT_EQ(document["log_partitions"].size(), 2);
  EXPECT_FALSE(document.contains("log_partition_differences"));
}

}  // namespace
}  // namespace poe::client
