// Facts: what has happened to a run, as the journal keeps it. A run's state is the fold of its
// facts (run_state.h), on recovery as on a read. The stored form is versioned; see docs/formats.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "model/plan.h"
#include "model/status.h"
#include "model/value.h"

namespace engine {

using model::Failure;
using model::RunStatus;
using model::TaskIndex;
using model::TaskStatus;
using model::Value;
using model::WaitEnd;

struct RunStarted {
  bool operator==(const RunStarted&) const = default;
};
struct RunPaused {
  bool operator==(const RunPaused&) const = default;
};
struct RunResumed {
  bool operator==(const RunResumed&) const = default;
};
/// What the task's expressions gave: it may start.
struct TaskDecided {
  TaskIndex task;
  std::string concurrency_key;  // whole; empty: not limited across runs
  std::string cache_key;        // whole; empty: not cached
  bool operator==(const TaskDecided&) const = default;
};
/// A mapped task has its elements: `count` further task runs, numbered on from the last one.
struct TaskExpanded {
  TaskIndex task;
  std::uint32_t count;  // above 0
  bool operator==(const TaskExpanded&) const = default;
};
/// The task waits for a time or a person; it has no attempt.
struct TaskWaiting {
  TaskIndex task;
  std::optional<base::Timestamp> until;
  WaitEnd then = WaitEnd::succeed;
  bool operator==(const TaskWaiting&) const = default;
};
/// The task succeeded without an attempt that decided it: from a cache, a wait, a choice, its
/// elements, or an earlier run.
struct TaskSucceeded {
  TaskIndex task;
  Value output;
  bool operator==(const TaskSucceeded&) const = default;
};
/// The task failed without an attempt that decided it.
struct TaskFailed {
  TaskIndex task;
  TaskStatus status;  // failed or timed_out
  Failure failure;
  bool operator==(const TaskFailed&) const = default;
};
/// The task waits for a slot, or for a place within its concurrency limit.
struct TaskQueued {
  TaskIndex task;
  bool operator==(const TaskQueued&) const = default;
};
struct AttemptStarted {
  TaskIndex task;
  int attempt;  // from 1; a lost attempt keeps its number
  int epoch;    // from 1, new with every start: a report with any other is ignored
  bool operator==(const AttemptStarted&) const = default;
};
struct AttemptSucceeded {
  TaskIndex task;
  int epoch;
  Value output;
  bool operator==(const AttemptSucceeded&) const = default;
};
/// The attempt succeeded, and the task runs again: its repeat_until is false.
struct IterationEnded {
  TaskIndex task;
  int epoch;
  Value output;
  bool operator==(const IterationEnded&) const = default;
};
/// The attempt is a run of another flow, which lives from this commit on.
struct ChildStarted {
  TaskIndex task;
  int epoch;
  base::RunId child;
  bool operator==(const ChildStarted&) const = default;
};
struct AttemptFailed {
  TaskIndex task;
  int epoch;
  TaskStatus then;  // retrying, failed or timed_out
  Failure failure;
  std::optional<base::Timestamp> retry_at;  // when `then` is retrying
  bool stopping;                            // it still lives and is being ended
  bool operator==(const AttemptFailed&) const = default;
};
/// An attempt that was being ended lives no more.
struct AttemptGone {
  TaskIndex task;
  int epoch;
  bool operator==(const AttemptGone&) const = default;
};
/// The attempt went down with its server and starts again under a new epoch.
struct AttemptLost {
  TaskIndex task;
  int epoch;
  bool operator==(const AttemptLost&) const = default;
};
/// Tasks that end without an attempt deciding it: skipped or cancelled.
struct TasksEnded {
  TaskStatus status;
  std::vector<TaskIndex> tasks;
  bool by_choice = false;  // skipped, and nothing had failed
  bool operator==(const TasksEnded&) const = default;
};
/// The run's status, final from here on.
struct RunDecided {
  RunStatus status;
  std::optional<Failure> failure;
  bool operator==(const RunDecided&) const = default;
};

using Fact = std::variant<RunStarted, RunPaused, RunResumed, TaskDecided, TaskExpanded, TaskWaiting,
                          TaskSucceeded, TaskFailed, TaskQueued, AttemptStarted, AttemptSucceeded,
                          IterationEnded, ChildStarted, AttemptFailed, AttemptGone, AttemptLost,
                          TasksEnded, RunDecided>;

/// One journal row: the facts of one commit.
struct FactRow {
  base::Timestamp at;
  std::vector<Fact> facts;
};

/// Appends the stored form of a row, `{"v":1,"at":<us>,"f":[…]}`.
void append_facts(std::string& out, base::Timestamp at, std::span<const Fact> facts);
/// Reads a row; error `internal` says what is damaged.
base::Result<FactRow> parse_facts(std::string text);

void append_value(base::JsonWriter& out, const Value& value);
base::Result<Value> parse_value(base::JsonView from);
void append_failure(base::JsonWriter& out, const std::optional<Failure>& failure);

}  // namespace engine
