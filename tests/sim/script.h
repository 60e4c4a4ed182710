// How the attempts of a seed end: a function of (seed, run, task, attempt), so that an attempt that
// was lost and runs again ends in the same way.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "model/plan.h"

namespace sim {

struct Outcome {
  bool succeeds = true;
  std::string kind;  // of the failure
  base::Duration duration{};
  int log_chunks = 0;
};

struct Script {
  std::uint64_t seed = 0;
  double failure_rate = 0;
  base::Duration duration_max = std::chrono::seconds(2);

  Outcome outcome(base::RunId run, model::TaskIndex task, int attempt) const {
    base::SeededRandom random(seed * 0x9e3779b9 ^ static_cast<std::uint64_t>(run) * 31 ^
                              std::uint64_t{task} << 32 ^ std::uint64_t(attempt) << 52);
    Outcome out;
    out.succeeds = random.unit() >= failure_rate;
    if (!out.succeeds) out.kind = random.below(2) ? "exit_code" : "exception:ValueError";
    std::uint64_t milliseconds = std::uint64_t(duration_max / std::chrono::milliseconds(1)) + 1;
    if (random.below(4)) milliseconds = milliseconds / 16 + 1;  // most are short
    out.duration = std::chrono::milliseconds(random.below(milliseconds));
    out.log_chunks = int(random.below(4));
    return out;
  }
};

}  // namespace sim
