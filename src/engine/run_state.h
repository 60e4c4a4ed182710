// The state of one run: nothing but the fold of its facts over its plan.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "engine/fact.h"

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

struct TaskState {
  TaskStatus status = TaskStatus::pending;
  bool live = false;      // an attempt exists; it holds its slot
  bool stopping = false;  // that attempt is being ended, its outcome is decided
  int attempt = 0;
  int epoch = 0;
  int recoveries = 0;  // attempts lost so far
  std::uint32_t parents_open = 0;
  std::uint32_t parents_unmet = 0;                    // ended, but not succeeded
  std::optional<base::Timestamp> started_at;          // of the first attempt
  std::optional<base::Timestamp> attempt_started_at;  // of the present one
  std::optional<base::Timestamp> finished_at;
  std::optional<base::Timestamp> retry_at;
  Value output;
  std::optional<Failure> failure;
  std::vector<EarlierAttempt> earlier;
  bool operator==(const TaskState&) const = default;
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
  std::vector<TaskState> tasks;

  // Counters, so that nothing is ever found by a scan.
  std::uint32_t open = 0;    // tasks that have not ended
  std::uint32_t live = 0;    // attempts that exist
  std::uint32_t active = 0;  // tasks that count against max_parallel: queued or live

  // Worklists of apply(); after each apply() `to_skip` is empty.
  std::deque<TaskIndex> ready;
  std::deque<TaskIndex> to_skip;
};

/// Changes the state by one fact. A fact that does not fit the plan (a damaged row) is refused with
/// `internal` and changes nothing.
base::Result<> fold(RunState& state, const Fact& fact, base::Timestamp at);

/// Folds stored rows from the beginning.
base::Result<> fold_rows(RunState& state, const std::vector<std::string>& rows);

}  // namespace engine
