// A plain model of what a run may have come to, from its flow, the script of its work and its
// records alone.
#pragma once

#include "sim/ledger.h"

namespace sim {

/// Throws a Violation when the finished run cannot have ended so.
void check_finished(const store::FinishedRunRow& row, const Ledger::Run& run, const Ledger& ledger,
                    bool cancel_was_asked);

}  // namespace sim
