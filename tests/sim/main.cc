// dagy_sim: the engine and its shard under seeded faults. A failing seed prints its trace; the same
// seed gives the same run every time.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "sim/scenarios.h"

namespace {

constexpr const char* usage =
    "dagy_sim --seeds FROM:COUNT    random worlds\n"
    "dagy_sim --minutes N FROM      random worlds for so long\n"
    "dagy_sim --kept                worlds that found something\n"
    "dagy_sim --seed N [--verbose]  one of them\n"
    "dagy_sim --crash-points        power goes at every commit of one scripted workload\n";

sim::World* world_under_way = nullptr;
std::string name_under_way;

void print_trace() {
  if (world_under_way != nullptr) world_under_way->trace().print();
  std::fflush(stdout);
}

// A failed CHECK ends the process; its trace must be seen all the same.
void on_abort(int) {
  print_trace();
  std::printf("FAILED %s: aborted\n", name_under_way.c_str());
  std::fflush(stdout);
}

bool run_world(sim::World& world, const std::string& name, sim::Totals& totals) {
  world_under_way = &world;
  name_under_way = name;
  bool good = true;
  try {
    world.run();
  } catch (const sim::Violation& violation) {
    print_trace();
    std::printf("FAILED %s: %s\n", name.c_str(), violation.what.c_str());
    good = false;
  }
  totals.add(world.totals());
  world_under_way = nullptr;
  return good;
}

bool run_seed(std::uint64_t seed, bool verbose, sim::Totals& totals) {
  sim::World world = sim::random_world(seed, verbose);
  return run_world(world, fmt::format("seed {}", seed), totals);
}

int run_seeds(std::uint64_t from, std::uint64_t count, sim::Totals& totals) {
  int failed = 0;
  for (std::uint64_t seed = from; seed < from + count && failed < 10; ++seed)
    failed += !run_seed(seed, false, totals);
  return failed;
}

int run_kept(sim::Totals& totals) {
  int failed = 0;
  for (const sim::KeptSeed& kept : sim::kept_seeds()) {
    bool good = run_seed(kept.seed, false, totals);
    if (!good) std::printf("  it was kept because %s\n", kept.why);
    failed += !good;
  }
  return failed;
}

int run_minutes(int minutes, std::uint64_t seed, sim::Totals& totals) {
  auto end = std::chrono::steady_clock::now() + std::chrono::minutes(minutes);
  int failed = 0;
  long seeds = 0;
  for (; std::chrono::steady_clock::now() < end && failed < 10; ++seed, ++seeds)
    failed += !run_seed(seed, false, totals);
  std::printf("%ld seeds; ", seeds);
  return failed;
}

int run_crash_points(sim::Totals& totals) {
  int failed = 0;
  for (const sim::CrashPoint& point : sim::crash_points()) {
    sim::World world = sim::crash_world(point);
    failed += !run_world(world, to_string(point), totals);
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  base::set_log_level(base::LogLevel::off);
  std::signal(SIGABRT, on_abort);
  auto begin = std::chrono::steady_clock::now();
  std::string mode = argc > 1 ? argv[1] : "";
  bool verbose = argc > 3 && std::strcmp(argv[3], "--verbose") == 0;
  sim::Totals totals;
  int failed = 0;
  if (mode == "--crash-points" && argc == 2) {
    failed = run_crash_points(totals);
  } else if (mode == "--kept" && argc == 2) {
    failed = run_kept(totals);
  } else if (mode == "--minutes" && argc == 4) {
    failed = run_minutes(std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10), totals);
  } else if (mode == "--seed" && argc > 2) {
    failed = !run_seed(std::strtoull(argv[2], nullptr, 10), verbose, totals);
  } else if (mode == "--seeds" && argc == 3 && std::strchr(argv[2], ':') != nullptr) {
    char* colon = nullptr;
    std::uint64_t from = std::strtoull(argv[2], &colon, 10);
    failed = run_seeds(from, std::strtoull(colon + 1, nullptr, 10), totals);
  } else {
    std::fputs(usage, stderr);
    return 2;
  }
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  fmt::print(
      "{} failed; {} runs, {} of them children; {} attempts, {} evaluations, {} approvals; {} "
      "steps, "
      "{} commits, {} of them failed, {} crashes; {:.1f} s\n",
      failed, totals.runs, totals.children, totals.attempts, totals.computes, totals.approvals,
      totals.steps, totals.commits, totals.failed_commits, totals.crashes, seconds.count());
  return failed == 0 ? 0 : 1;
}
