// The numbered events of one training job.
#ifndef POE_SERVER_JOB_EVENTS_H_
#define POE_SERVER_JOB_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "poe/v1/training.pb.h"

namespace poe::server {

// Numbers follow each other without gaps. Not thread-safe: the job guards it.
class JobEvents {
 public:
  // Events are numbered from after `last_number` on.
  explicit JobEvents(std::int64_t last_number = 0)
      : last_number_(last_number) {}

  std::int64_t last_number() const { return last_number_; }
  // What it will be once so many events come that are no progress.
  std::int64_t LastNumberAfter(int events) const {
    return last_number_ + (held_back_.has_value() ? 1 : 0) + events;
  }

  // So many events are kept, the last ones.
  static constexpr std::size_t kKept = 2000;
  // Progress within one stage of one class becomes an event no more often than
  // this; what comes between gives way to what comes after it. A clock that
  // was put back keeps no progress back.
  static constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

  void AddState(v1::Job::State state, absl::Time now);
  void AddPublishedVersion(std::int64_t version, absl::Time now);
  void AddCheckpoint(std::int64_t update, absl::Time now);
  void AddMessage(absl::string_view text, absl::Time now);
  // Whether there is a new event. If not, this progress becomes one before the
  // next event, unless newer progress comes first.
  bool AddProgress(const v1::Progress& progress, absl::Time now);

  enum class Skip {
    kNothing,
    // Progress that is followed by newer progress of the same stage and class.
    kOldProgress,
  };
  // The first event numbered `from` or more that is kept.
  std::optional<v1::JobEvent> Next(std::int64_t from, Skip skip) const;

 private:
  struct HeldBack {
    v1::Progress progress;
    absl::Time time;
  };

  v1::JobEvent& Add(absl::Time time);
  void AddHeldBack();

  std::deque<v1::JobEvent> events_;
  std::int64_t last_number_;
  // The last progress that became an event.
  v1::Progress last_progress_;
  absl::Time last_progress_time_ = absl::InfinitePast();
  std::optional<HeldBack> held_back_;
};

}  // namespace poe::server

#endif  // POE_SERVER_JOB_EVENTS_H_
