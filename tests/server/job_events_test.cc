#include "server/job_events.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kTick = absl::Milliseconds(1);

v1::Progress Update(std::int64_t update, const std::string& class_name = "a") {
  v1::Progress progress;
  progress.set_stage("contrastive divergence");
  progress.set_class_name(class_name);
  progress.set_update(update);
  return progress;
}

// All events from a number on, in short.
std::vector<std::string> Read(
    const JobEvents& events, std::int64_t from = 1,
    JobEvents::Skip skip = JobEvents::Skip::kNothing) {
  std::vector<std::string> texts;
  while (auto event = events.Next(from, skip)) {
    std::string text = absl::StrCat(event->number(), ":");
    if (event->has_progress()) {
      absl::StrAppend(&text, event->progress().class_name(),
                      event->progress().update());
    } else if (event->has_published_version()) {
      absl::StrAppend(&text, "version", event->published_version());
    } else {
      absl::StrAppend(&text, v1::Job::State_Name(event->state()));
    }
    texts.push_back(text);
    from = event->number() + 1;
  }
  return texts;
}

TEST(JobEventsTest, NumbersHaveNoGaps) {
  JobEvents events;
  absl::Time now = absl::UnixEpoch();
  events.AddState(v1::Job::STATE_RUNNING, now);
  EXPECT_TRUE(events.AddProgress(Update(1), now));
  EXPECT_FALSE(events.AddProgress(Update(2), now += kTick));
  EXPECT_FALSE(events.AddProgress(Update(3), now += kTick));
  now += JobEvents::kProgressInterval;
  EXPECT_TRUE(events.AddProgress(Update(4), now));
  EXPECT_THAT(Read(events), ElementsAre("1:STATE_RUNNING", "2:a1", "3:a4"));
}

TEST(JobEventsTest, AClockThatIsPutBackKeepsNoProgressBack) {
  JobEvents events;
  const absl::Time now = absl::UnixEpoch();
  EXPECT_TRUE(events.AddProgress(Update(1), now));
  EXPECT_TRUE(events.AddProgress(Update(2), now - absl::Hours(1)));
  EXPECT_FALSE(events.AddProgress(Update(3), now - absl::Hours(1) + kTick));
  EXPECT_THAT(Read(events), ElementsAre("1:a1", "2:a2"));
}

TEST(JobEventsTest, TheLastProgressOfAStageIsNotLost) {
  JobEvents events;
  absl::Time now = absl::UnixEpoch();
  events.AddProgress(Update(1), now);
  events.AddProgress(Update(2), now += kTick);
  events.AddProgress(Update(1, "b"), now += kTick);
  events.AddProgress(Update(2, "b"), now += kTick);
  events.AddProgress(Update(3, "b"), now += kTick);
  events.AddPublishedVersion(7, now);
  EXPECT_THAT(Read(events),
              ElementsAre("1:a1", "2:a2", "3:b1", "4:b3", "5:version7"));
}

TEST(JobEventsTest, NumbersOfWhatIsStillToComeAreKnown) {
  JobEvents events(40);
  absl::Time now = absl::UnixEpoch();
  events.AddProgress(Update(1), now);
  EXPECT_EQ(events.LastNumberAfter(1), 42);
  events.AddProgress(Update(2), now += kTick);
  EXPECT_EQ(events.LastNumberAfter(2), 44);
  events.AddPublishedVersion(7, now);
  events.AddState(v1::Job::STATE_SUCCEEDED, now);
  EXPECT_EQ(events.last_number(), 44);
}

TEST(JobEventsTest, AReaderThatIsBehindMaySkipOldProgress) {
  JobEvents events;
  absl::Time now = absl::UnixEpoch();
  events.AddState(v1::Job::STATE_RUNNING, now);
  for (int update = 1; update <= 3; ++update) {
    events.AddProgress(Update(update), now += absl::Seconds(1));
  }
  events.AddProgress(Update(1, "b"), now += absl::Seconds(1));
  events.AddState(v1::Job::STATE_SUCCEEDED, now);
  EXPECT_THAT(
      Read(events, 1, JobEvents::Skip::kOldProgress),
      ElementsAre("1:STATE_RUNNING", "4:a3", "5:b1", "6:STATE_SUCCEEDED"));
  EXPECT_THAT(Read(events, 3),
              ElementsAre("3:a2", "4:a3", "5:b1", "6:STATE_SUCCEEDED"));
}

TEST(JobEventsTest, OnlyTheLastEventsAreKept) {
  JobEvents events;
  absl::Time now = absl::UnixEpoch();
  const auto kept = static_cast<std::int64_t>(JobEvents::kKept);
  for (std::int64_t i = 1; i <= kept + 5; ++i) {
    events.AddProgress(Update(i), now += absl::Seconds(1));
  }
  const auto first = events.Next(1, JobEvents::Skip::kNothing);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->number(), 6);
  EXPECT_EQ(Read(events).size(), JobEvents::kKept);
  EXPECT_FALSE(events.Next(kept + 6, JobEvents::Skip::kNothing).has_value());
}

}  // namespace
}  // namespace poe::server
