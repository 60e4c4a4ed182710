// The worlds that dagy_sim runs: random ones by seed, and one workload with power going at a
// commit.
#pragma once

#include "sim/world.h"

namespace sim {

World random_world(std::uint64_t seed, bool verbose);

/// Power goes at this commit, and again at the next one when `twice`.
struct CrashPoint {
  int commit = 0;
  bool after = false;
  bool twice = false;
};
std::string to_string(const CrashPoint& point);
std::vector<CrashPoint> crash_points();
World crash_world(const CrashPoint& point);

}  // namespace sim
