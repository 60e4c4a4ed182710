// The states of a run and of a task run (engine.md section 1), as the world sees them.
#pragma once

#include <array>
#include <span>

#include "base/fields.h"

namespace model {

enum class RunStatus { queued, running, paused, succeeded, failed, cancelled };
enum class TaskStatus {
  pending,   // its parents have not all ended, or the run is at its max_parallel
  queued,    // waits for a slot
  running,   // an attempt is under way
  retrying,  // waits for its next attempt
  waiting,   // for a time, a person or a sub-flow
  succeeded,
  failed,
  timed_out,
  skipped,  // its trigger rule does not hold, `when` is false, or its branch is not taken
  cancelled,
};

/// What the end of a waiting time means to the task that waits.
enum class WaitEnd { succeed, reject, fail };

inline std::span<const base::EnumName> enum_names(WaitEnd) {
  using W = WaitEnd;
  static constexpr auto names = std::to_array<base::EnumName>(
      {{int(W::succeed), "succeed"}, {int(W::reject), "reject"}, {int(W::fail), "fail"}});
  return names;
}
inline std::span<const base::EnumName> enum_names(RunStatus) {
  using S = RunStatus;
  static constexpr auto names = std::to_array<base::EnumName>({{int(S::queued), "QUEUED"},
                                                               {int(S::running), "RUNNING"},
                                                               {int(S::paused), "PAUSED"},
                                                               {int(S::succeeded), "SUCCEEDED"},
                                                               {int(S::failed), "FAILED"},
                                                               {int(S::cancelled), "CANCELLED"}});
  return names;
}
inline std::span<const base::EnumName> enum_names(TaskStatus) {
  using S = TaskStatus;
  static constexpr auto names = std::to_array<base::EnumName>({{int(S::pending), "PENDING"},
                                                               {int(S::queued), "QUEUED"},
                                                               {int(S::running), "RUNNING"},
                                                               {int(S::retrying), "RETRYING"},
                                                               {int(S::waiting), "WAITING"},
                                                               {int(S::succeeded), "SUCCEEDED"},
                                                               {int(S::failed), "FAILED"},
                                                               {int(S::timed_out), "TIMED_OUT"},
                                                               {int(S::skipped), "SKIPPED"},
                                                               {int(S::cancelled), "CANCELLED"}});
  return names;
}

inline bool is_final(RunStatus status) {
  return status >= RunStatus::succeeded;
}
inline bool is_final(TaskStatus status) {
  return status >= TaskStatus::succeeded;
}

/// A task that ended badly by itself.
inline bool is_failure(TaskStatus status) {
  return status == TaskStatus::failed || status == TaskStatus::timed_out;
}

}  // namespace model
