// The states of a run and of a task run (engine.md section 1), as the world sees them.
#pragma once

#include <array>
#include <span>

#include "base/fields.h"

namespace model {

enum class RunStatus { queued, running, succeeded, failed, cancelled };
enum class TaskStatus {
  pending,   // its parents have not all ended, or the run is at its max_parallel
  queued,    // waits for a slot
  running,   // an attempt is under way
  retrying,  // waits for its next attempt
  succeeded,
  failed,
  timed_out,
  skipped,  // its trigger rule does not hold
  cancelled,
};

inline std::span<const base::EnumName> enum_names(RunStatus) {
  static constexpr std::array<base::EnumName, 5> names{{{int(RunStatus::queued), "QUEUED"},
                                                        {int(RunStatus::running), "RUNNING"},
                                                        {int(RunStatus::succeeded), "SUCCEEDED"},
                                                        {int(RunStatus::failed), "FAILED"},
                                                        {int(RunStatus::cancelled), "CANCELLED"}}};
  return names;
}
inline std::span<const base::EnumName> enum_names(TaskStatus) {
  static constexpr std::array<base::EnumName, 9> names{{{int(TaskStatus::pending), "PENDING"},
                                                        {int(TaskStatus::queued), "QUEUED"},
                                                        {int(TaskStatus::running), "RUNNING"},
                                                        {int(TaskStatus::retrying), "RETRYING"},
                                                        {int(TaskStatus::succeeded), "SUCCEEDED"},
                                                        {int(TaskStatus::failed), "FAILED"},
                                                        {int(TaskStatus::timed_out), "TIMED_OUT"},
                                                        {int(TaskStatus::skipped), "SKIPPED"},
                                                        {int(TaskStatus::cancelled), "CANCELLED"}}};
  return names;
}

inline bool is_final(RunStatus status) {
  return status >= RunStatus::succeeded;
}
inline bool is_final(TaskStatus status) {
  return status >= TaskStatus::succeeded;
}

}  // namespace model
