// What the work of a seed comes to: how attempts end, what expressions give, which runs sub-flows
// are. Functions of (seed, run, task run, attempt), so that what is lost and done again comes to
// the same.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "model/plan.h"

namespace sim {

struct Outcome {
  bool succeeds = true;
  bool again = false;  // its repeat_until is false
  std::string kind;    // of the failure
  base::Duration duration{};
  int log_chunks = 0;
};

/// What the expressions of a task run give.
struct Verdicts {
  bool fails = false;
  bool runs = true;            // `when`
  std::uint32_t elements = 0;  // of map_over
  std::string choice;          // of a branch
  std::optional<base::Duration> wait;
  model::WaitEnd then = model::WaitEnd::succeed;
  std::string concurrency_key;
  std::string cache_key;
};

/// The run that an attempt of a sub-flow is.
struct ChildPlan {
  bool starts = true;
  bool waits = true;
  std::string flow;
};

struct Script {
  std::uint64_t seed = 0;
  double failure_rate = 0;
  base::Duration duration_max = std::chrono::seconds(2);
  int elements_max = 5;
  int depth_max = 3;               // of sub-flows
  std::vector<std::string> flows;  // that sub-flows may be

  Outcome outcome(base::RunId run, const model::PlannedTask& planned, model::TaskIndex task,
                  int attempt) const;
  Verdicts verdicts(const std::string& org, base::RunId run, const model::Plan& plan,
                    model::TaskIndex planned, model::TaskIndex task, int map_index) const;
  bool gathering_fails(base::RunId run, model::TaskIndex task) const;
  ChildPlan child(base::RunId run, model::TaskIndex task, int attempt) const;

  /// The output of an attempt that succeeds.
  static std::string output(base::RunId run, model::TaskIndex task, int attempt);
  /// The key of runs of a flow that has a limit; empty for others.
  static std::string run_key(const std::string& org, const model::Plan& plan, int variant);

 private:
  base::SeededRandom random(base::RunId run, model::TaskIndex task, int attempt, int what) const;
};

/// From milliseconds to weeks, each order of magnitude as often as any other.
base::Duration any_duration(base::SeededRandom& random);

}  // namespace sim
