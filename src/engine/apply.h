// The decision core of one run: (state, event, now) -> facts and actions. Pure: no I/O, no clock,
// no thread. The runtime commits the facts and only then performs the actions.
#pragma once

#include <variant>
#include <vector>

#include "engine/fact.h"
#include "engine/run_state.h"

namespace engine {

// ---- events: what can happen to a run ----

/// The run exists; it may begin.
struct Begin {};
/// Admission gave the queued task its slot.
struct SlotGranted {
  TaskIndex task;
};
/// An attempt ended and nothing of it lives.
struct AttemptReport {
  TaskIndex task;
  int epoch;
  bool succeeded;
  Value output;     // when succeeded
  Failure failure;  // when not
};
enum class TimerKind { retry, attempt_timeout, run_timeout };
struct TimerFired {
  TimerKind kind;
  TaskIndex task;  // 0 for run_timeout
  int epoch;       // of the attempt that set it
};
struct CancelRequested {
  std::string reason;
};
/// The state was folded from the store by a server that knows none of its attempts.
struct Recovered {};

using Event =
    std::variant<Begin, SlotGranted, AttemptReport, TimerFired, CancelRequested, Recovered>;

// ---- actions: what the runtime does once the facts are committed ----

struct RequestSlot {
  TaskIndex task;
};
struct WithdrawSlot {
  TaskIndex task;
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

using Action = std::variant<RequestSlot, WithdrawSlot, StartAttempt, StopAttempt, SetTimer,
                            AnnounceRun, FinishRun>;

struct Decision {
  std::vector<Fact> facts;
  std::vector<Action> actions;
};

/// Applies one event: folds the facts it causes into `state` and appends them, and what follows
/// from them, to `decision`. An event that no longer fits (late, twice, another epoch) changes
/// nothing.
void apply(RunState& state, const Event& event, base::Timestamp now, Decision& decision);

/// The requests for slots and the timers that a state implies; for a state that was read back while
/// its attempts go on.
void rearm(const RunState& state, std::vector<Action>& actions);

}  // namespace engine
