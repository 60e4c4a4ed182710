#include "sim/scenarios.h"

namespace sim {

using namespace std::chrono_literals;

World random_world(std::uint64_t seed, bool verbose) {
  base::SeededRandom random(seed);
  WorldOptions options;
  options.seed = seed;
  options.verbose = verbose;
  options.slots = 1 + random.below(4);
  options.script.seed = seed;
  options.script.failure_rate = 0.1 * double(random.below(5));
  options.script.duration_max = random.below(3) == 0 ? 10s : 2s;
  options.script.elements_max = random.below(6) == 0 ? 40 : 5;
  options.script.depth_max = random.below(8) == 0 ? 10 : 3;
  // A third of the worlds has no faults of the machine, a third some, a third many.
  double rate = 0.02 * double(random.below(3)) * double(random.below(4));
  options.crash_rate = rate / 4;
  if (random.below(3) == 0) options.slow_rate = 0.3;
  if (random.below(4) == 0) options.jump_rate = 0.01;
  options.fault = [faults = base::SeededRandom(seed ^ 0xfa017), rate](int commit) mutable {
    double drawn = faults.unit();
    if (drawn < rate) return CommitFault::fails;
    if (commit == 0 || drawn > 2 * rate) return CommitFault::none;
    return faults.below(2) ? CommitFault::crash_before : CommitFault::crash_after;
  };
  Workload work = random_workload(random);
  for (const auto& [name, flow] : work.flows) options.script.flows.push_back(name);
  return World(std::move(options), std::move(work));
}

// ---- crash points ----

namespace {

constexpr const char* scripted_spec =
    R"({"name":"f","fail_fast":false,"tasks":[)"
    R"({"id":"a","type":"instant"},)"
    R"({"id":"b","type":"process","config":{"command":"x"},"depends_on":["a"],"retries":2,)"
    R"("retry_delay_seconds":0.2},)"
    R"({"id":"c","type":"process","config":{"command":"x"},"depends_on":["a"],)"
    R"("timeout_seconds":0.3,"retries":1},)"
    R"({"id":"d","type":"instant","depends_on":["b","c"],"inputs":{"all":{"tasks":["b","c"]}}}]})";

World scripted_world(std::function<CommitFault(int)> fault) {
  WorldOptions options;
  options.seed = 7;
  options.script = {.seed = 7, .failure_rate = 0.3, .duration_max = 1s};
  options.fault = std::move(fault);
  Workload work;
  work.flows.emplace("f", make_flow("f", scripted_spec));
  PlannedAction create{.kind = PlannedAction::Kind::create, .flow = "f"};
  create.wait = 5s;
  work.actions.emplace(0ms, create);
  create.key.emplace(1, 'k');
  work.actions.emplace(100ms, create);
  work.actions.emplace(150ms, create);
  work.actions.emplace(250ms, PlannedAction{.kind = PlannedAction::Kind::create, .flow = "f"});
  work.actions.emplace(600ms, PlannedAction{.kind = PlannedAction::Kind::cancel, .create = 3});
  return World(std::move(options), std::move(work));
}

}  // namespace

std::string to_string(const CrashPoint& point) {
  return fmt::format("crash {} commit {}{}", point.after ? "after" : "before", point.commit,
                     point.twice ? " and the next" : "");
}

std::vector<CrashPoint> crash_points() {
  World world = scripted_world([](int) { return CommitFault::none; });
  world.run();
  std::vector<CrashPoint> points;
  for (int commit = 1; commit <= world.store().commits(); ++commit)
    for (bool after : {false, true})
      for (bool twice : {false, true}) points.push_back({commit, after, twice});
  return points;
}

World crash_world(const CrashPoint& point) {
  return scripted_world([point](int commit) {
    if (commit != point.commit && !(point.twice && commit == point.commit + 1))
      return CommitFault::none;
    return point.after ? CommitFault::crash_after : CommitFault::crash_before;
  });
}

}  // namespace sim
