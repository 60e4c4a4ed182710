// The worlds that dagy_sim runs: random ones by seed, and one workload with power going at a
// commit.
#pragma once

#include <span>

#include "sim/world.h"

namespace sim {

World random_world(std::uint64_t seed, bool verbose);

/// A seed whose world once broke a rule, and what was wrong.
struct KeptSeed {
  std::uint64_t seed;
  const char* why;
};
std::span<const KeptSeed> kept_seeds();

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
