// The sizes of flow-spec's execution_mode.
#pragma once

#include <cstddef>

#include "model/flow_spec.h"

namespace exec {

/// How large an attempt may become. With cgroups (Isolation::has_cgroups) memory counts for all of
/// its processes together and processor time is bounded; without, memory is that of each process by
/// RLIMIT_DATA, and processor time is not bounded.
struct Tier {
  std::size_t memory_bytes = 0;
  int cpu_millis = 0;  // thousandths of a processor
};

Tier tier_of(model::ExecutionMode mode);

}  // namespace exec
