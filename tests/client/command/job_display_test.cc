#include "client/cpp/command/job_display.h"

#include "client/cpp/command/progress.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "shirt" on the way, with held-out rows.
v1::Progress Learning() {
  v1::Progress progress;
  progress.set_class_name("shirt");
  progress.set_epoch(12);
  progress.set_epochs(200);
  progress.set_fraction(0.06);
  progress.set_rows_per_second(21500);
  progress.set_seconds_left(125);
  progress.set_reconstruction_error(0.25);
  progress.set_held_out_log_probability(-98.76);
  progress.set_best_epoch(9);
  return progress;
}

TEST(JobDisplayTest, ViewsSayHowWellItLearns) {
  v1::Progress progress;
  EXPECT_THAT(ViewOf(progress).figures, IsEmpty());
  EXPECT_EQ(ViewOf(progress).note, "");
  progress.set_reconstruction_error(0.25);
  EXPECT_EQ(ViewOf(progress).note, "reconstruction error 0.25");
  progress.set_best_epoch(0);
  EXPECT_THAT(ViewOf(progress).figures, ElementsAre("best epoch 0"));
  progress.set_held_out_reconstruction_error(0.5);
  EXPECT_THAT(ViewOf(progress).figures,
              ElementsAre("held-out error 0.5", "best epoch 0"));
  progress.clear_held_out_reconstruction_error();
  progress.set_held_out_log_probability(-2.5);
  progress.set_best_epoch(3);
  EXPECT_THAT(ViewOf(progress).figures,
              ElementsAre("held-out log p -2.5", "best epoch 3"));
}

// A terminal leaves its last column free.
TEST(JobDisplayTest, EightyColumnsHaveTheHeldOutFigureAndTheBestEpoch) {
  EXPECT_EQ(ProgressBar(ViewOf(Learning()), 79),
            "class shirt, epoch 12 of 200, held-out log p -98.76, best epoch 9"
            "    6%");
}

TEST(JobDisplayTest, MoreColumnsHaveTheRestToo) {
  EXPECT_EQ(ProgressBar(ViewOf(Learning()), 119),
            "class shirt, epoch 12 of 200, held-out log p -98.76, best epoch 9"
            "  [=>                ]    6%  21,500 rows/s  2:05 left");
}

}  // namespace
}  // namespace poe::client
