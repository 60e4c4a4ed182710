// Whether and when a failed attempt is followed by another. Pure.
#pragma once

#include "engine/run_state.h"

namespace engine {

/// Retries are counted within one iteration of repeat_until. What an expression made fail would
/// fail again, and is never retried.
bool may_retry(const TaskState& task, const model::PlannedTask& plan, const Failure& failure);

/// From the end of the present attempt to the next. Jitter is drawn from (run, task run, attempt),
/// so that the same events give the same facts.
base::Duration retry_delay(const RunState& state, TaskIndex task);

}  // namespace engine
