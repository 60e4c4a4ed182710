// The state of one run: nothing but the fold of its facts over its plan.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "engine/fact.h"
#include "engine/trigger_rule.h"

namespace engine {

/// An attempt that has ended without deciding its task.
struct EarlierAttempt {
  int attempt;
  int epoch;
  base::Timestamp started_at;
  base::Timestamp ended_at;
  Failure failure;
  bool operator==(const EarlierAttempt&) const = default;
};

/// One task run: a task of the plan, or one element of a mapped task.
struct TaskState {
  TaskIndex planned = 0;  // its place in the plan
  int map_index = -1;     // of an element
  TaskStatus status = TaskStatus::pending;
  bool decided = false;    // its expressions have been evaluated
  bool live = false;       // an attempt exists; it holds its slot
  bool stopping = false;   // that attempt is being ended, its outcome is decided
  bool by_choice = false;  // SKIPPED, and nothing had failed
  int attempt = 0;
  int epoch = 0;
  int recoveries = 0;                   // attempts lost so far
  int iteration = 0;                    // iterations that have ended
  std::uint32_t earlier_elsewhere = 0;  // of `earlier`, those of ended iterations
  std::uint32_t parents_open = 0;
  ParentEnds parents;
  std::optional<base::Timestamp> queued_at;           // waits since
  std::optional<base::Timestamp> started_at;          // of the first attempt
  std::optional<base::Timestamp> attempt_started_at;  // of the present one
  std::optional<base::Timestamp> finished_at;
  std::optional<base::Timestamp> wake_at;  // when RETRYING or WAITING for a time
  WaitEnd wait_end = WaitEnd::succeed;     // when WAITING
  Value output;                            // of the last attempt that succeeded
  std::optional<Failure> failure;
  std::vector<EarlierAttempt> earlier;
  bool operator==(const TaskState&) const = default;
};

/// A mapped task that has its elements: the task runs [first, first + count).
struct Elements {
  TaskIndex first = 0;
  std::uint32_t count = 0;
  std::uint32_t open = 0;    // not yet ended
  std::uint32_t failed = 0;  // FAILED or TIMED_OUT
  std::uint32_t fed = 0;     // made ready; the rest waits for max_parallel of the task
  bool operator==(const Elements&) const = default;
};

struct Keys {
  std::string concurrency;
  std::string cache;
  bool operator==(const Keys&) const = default;
};

struct RunState {
  RunState(base::RunId run_id, std::shared_ptr<const model::Plan> run_plan);

  base::RunId id;
  std::shared_ptr<const model::Plan> plan;
  RunStatus status = RunStatus::queued;
  std::optional<base::Timestamp> started_at;
  std::optional<base::Timestamp> decided_at;
  std::optional<Failure> failure;
  std::optional<TaskIndex> first_failed;
  std::vector<TaskState> tasks;  // those of the plan, then elements in the order of expansion

  // What few tasks have.
  std::map<TaskIndex, Elements> elements;     // of a mapped task
  std::map<TaskIndex, Keys> keys;             // of a task that is limited or cached
  std::map<TaskIndex, base::RunId> children;  // the run that the last attempt is

  // Counters, so that nothing is ever found by a scan.
  std::uint32_t open = 0;        // tasks of the flow that have not ended
  std::uint32_t open_hooks = 0;  // hooks that are to run and have not ended
  std::uint32_t live = 0;        // attempts that exist
  std::uint32_t active = 0;      // task runs that count against max_parallel: queued or live

  // Worklists of apply(); after each apply() the skips are empty.
  std::deque<TaskIndex> ready;
  std::deque<TaskIndex> to_skip;            // something failed
  std::deque<TaskIndex> to_skip_by_choice;  // nothing did

  const model::PlannedTask& planned(TaskIndex i) const { return plan->tasks[tasks[i].planned]; }
  bool is_element(TaskIndex i) const { return tasks[i].map_index >= 0; }
  bool is_hook(TaskIndex i) const { return planned(i).hook.has_value(); }
  bool is_paused() const { return status == RunStatus::paused; }
  /// The run that its last attempt is, and the same while that attempt exists.
  std::optional<base::RunId> child_of(TaskIndex i) const;
  std::optional<base::RunId> live_child_of(TaskIndex i) const;
};

/// What the run's failure is when this task's decides it.
Failure failure_by(const RunState& state, TaskIndex task);

/// Puts a task run into its place in `ready`: by priority, then in the order of becoming ready.
void make_ready(RunState& state, TaskIndex task);

/// Changes the state by one fact. A fact that does not fit the plan (a damaged row) is refused with
/// `internal` and changes nothing.
base::Result<> fold(RunState& state, const Fact& fact, base::Timestamp at);

/// Folds stored rows from the beginning.
base::Result<> fold_rows(RunState& state, const std::vector<std::string>& rows);

}  // namespace engine
