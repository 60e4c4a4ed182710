// The decision core of one run: (state, event, now) -> facts and actions. Pure: no I/O, no clock,
// no thread. The runtime commits the facts and only then performs the actions.
#pragma once

#include <variant>
#include <vector>

#include "engine/fact.h"
#include "engine/run_state.h"

namespace engine {

// ---- events: what can happen to a run ----

/// Outputs of an earlier run stand in for these tasks. Before Begin.
struct Reuse {
  std::vector<std::pair<TaskIndex, Value>> outputs;
};
/// The run may begin.
struct Begin {};
/// Admission gave the queued task its slot.
struct SlotGranted {
  TaskIndex task;
};
/// What a task's expressions gave.
struct Decided {
  std::optional<Failure> failure;
  bool runs = true;                       // `when`
  std::optional<std::uint32_t> elements;  // of map_over
  std::optional<Value> output;            // the choice of a branch, or what a cache had
  std::optional<base::Timestamp> until;   // of a delay or an approval
  WaitEnd then = WaitEnd::succeed;
  Keys keys;
};
/// The list of a mapped task's outputs.
struct Gathered {
  std::optional<Failure> failure;
  Value output;
};
struct Computed {
  TaskIndex task;
  std::variant<Decided, Gathered> result;
};
/// An attempt ended and nothing of it lives.
struct AttemptReport {
  TaskIndex task;
  int epoch;
  bool succeeded;
  Value output;        // when succeeded
  Failure failure;     // when not
  bool again = false;  // succeeded, and repeat_until is false
};
/// The run that the attempt is has been created.
struct ChildCreated {
  TaskIndex task;
  int epoch;
  base::RunId child;
};
enum class TimerKind { retry, wait, attempt_timeout, run_timeout, hooks_timeout };
struct TimerFired {
  TimerKind kind;
  TaskIndex task;  // 0 for those of the run
  int epoch;       // of the attempt that set it
};
/// A person's answer to an approval.
struct ApprovalDecided {
  TaskIndex task;
  bool approved;
  Value output;         // when approved
  std::string message;  // when not
};
struct CancelRequested {
  std::string reason;
};
struct PauseRequested {};
struct ResumeRequested {};
/// The state was folded from the store by a server that knows none of its attempts.
struct Recovered {};

using Event =
    std::variant<Reuse, Begin, SlotGranted, Computed, AttemptReport, ChildCreated, TimerFired,
                 ApprovalDecided, CancelRequested, PauseRequested, ResumeRequested, Recovered>;

// ---- actions: what the runtime does once the facts are committed ----

struct RequestSlot {
  TaskIndex task;
};
struct WithdrawSlot {
  TaskIndex task;
};
/// Evaluate the expressions of a task, or gather its elements; its Computed is awaited. Asked for
/// again when it may have been lost, so an answer can come twice.
struct Compute {
  enum class What { decision, gathering };
  TaskIndex task;
  What what;
};
struct StartAttempt {
  TaskIndex task;
  int attempt;
  int epoch;
};
/// End the attempt; its AttemptReport is awaited all the same.
struct StopAttempt {
  TaskIndex task;
  int epoch;
};
struct SetTimer {
  base::Timestamp at;
  TimerFired timer;
};
/// The run's status is final: waiters are answered.
struct AnnounceRun {};
/// Nothing of the run lives: it moves to the finished runs, in the same commit.
struct FinishRun {};

using Action = std::variant<RequestSlot, WithdrawSlot, Compute, StartAttempt, StopAttempt, SetTimer,
                            AnnounceRun, FinishRun>;

struct Decision {
  std::vector<Fact> facts;
  std::vector<Action> actions;
};

/// Applies one event: folds the facts it causes into `state` and appends them, and what follows
/// from them, to `decision`. An event that no longer fits (late, twice, another epoch) changes
/// nothing.
void apply(RunState& state, const Event& event, base::Timestamp now, Decision& decision);

/// The requests for slots, the computations and the timers that a state implies; for a state that
/// was read back while its attempts go on.
void rearm(const RunState& state, std::vector<Action>& actions);

}  // namespace engine
