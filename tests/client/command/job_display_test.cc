#include "client/cpp/command/job_display.h"

#include "gtest/gtest.h"

namespace poe::client {
namespace {

TEST(JobDisplayTest, TheNoteSaysHowWellItLearns) {
  v1::Progress progress;
  EXPECT_EQ(ViewOf(progress).note, "");
  progress.set_reconstruction_error(0.25);
  EXPECT_EQ(ViewOf(progress).note, "reconstruction error 0.25");
  progress.set_best_epoch(0);
  EXPECT_EQ(ViewOf(progress).note, "reconstruction error 0.25, best epoch 0");
  progress.set_held_out_reconstruction_error(0.5);
  EXPECT_EQ(ViewOf(progress).note,
            "reconstruction error 0.25, held-out error 0.5, best epoch 0");
  progress.clear_held_out_reconstruction_error();
  progress.set_held_out_log_probability(-2.5);
  progress.set_best_epoch(3);
  EXPECT_EQ(ViewOf(progress).note,
            "reconstruction error 0.25, held-out log p -2.5, best epoch 3");
}

}  // namespace
}  // namespace poe::client
