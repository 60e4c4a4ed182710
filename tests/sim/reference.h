// A plain model of what a run may have come to, from its flow and the script of its attempts alone.
#pragma once

#include "engine/record.h"
#include "sim/memory_store.h"
#include "sim/script.h"

namespace sim {

/// Throws a Violation when the finished run cannot have ended so.
void check_finished(const store::FinishedRunRow& row, const model::Plan& plan, const Script& script,
                    bool cancel_was_asked);

}  // namespace sim
