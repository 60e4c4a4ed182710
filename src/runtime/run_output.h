// The output of a run, put together from those of its tasks.
#pragma once

#include <vector>

#include "engine/record.h"
#include "model/plan.h"
#include "store/objects.h"

namespace runtime {

/// Text of the output of a run that succeeded: `{id: value}`, or the value when `outputs` names one
/// task. `tasks` begin with those of the plan. Error `too_large` beyond value_bytes_max.
base::Result<std::string> run_output(const model::Plan& plan,
                                     const std::vector<engine::TaskRecord>& tasks,
                                     const store::Objects& objects);

}  // namespace runtime
