// One simulated server with its clients: the real shard on a virtual clock, a store that fails and
// is slow, power that goes, a wall clock that is set, attempts whose reports misbehave. After every
// step the invariants are checked (invariants.cc).
#pragma once

#include <memory>

#include "runtime/shard.h"
#include "sim/client.h"

namespace sim {

struct WorldOptions {
  std::uint64_t seed = 0;
  std::size_t slots = 2;
  Script script;
  std::function<CommitFault(int commit)> fault = [](int) { return CommitFault::none; };
  double crash_rate = 0;  // of power going between two steps
  double slow_rate = 0;   // of commits that take their time
  double jump_rate = 0;   // of the wall clock being set between two steps
  int crashes_max = 12;
  bool verbose = false;
};

/// What a world did, for a summary.
struct Totals {
  long steps = 0, commits = 0, failed_commits = 0, crashes = 0, runs = 0, children = 0,
       attempts = 0, computes = 0, approvals = 0;
  void add(const Totals& other);
};

class World {
 public:
  World(WorldOptions options, Workload workload);
  World(const World&) = delete;

  /// Runs to quiescence; throws a Violation.
  void run();
  Totals totals() const;
  const MemoryStore& store() const { return store_; }
  Trace& trace() { return trace_; }

 private:
  void boot();
  void crash(bool with_last_words);
  bool advance();
  std::optional<base::Timestamp> next_instant() const;
  void pass_time(base::Timestamp next);
  bool go_on_at_last();
  void step(std::vector<runtime::Message> messages);
  void take_commands(std::vector<runtime::Message>& messages);

  void check_after(bool succeeded);
  bool is_settled() const;
  void check_memory() const;
  void check_slots() const;
  void check_places(const runtime::LiveRun& run, std::size_t& holders, std::size_t& waiting) const;
  void check_keys() const;
  void check_work() const;
  void check_run(const engine::RunState& run) const;
  void check_task(const engine::RunState& run, TaskIndex task) const;
  void check_approvals() const;
  void check_children() const;
  void check_policies() const;
  void check_reports();
  void check_logs(const Key& key) const;
  void check_end() const;

  WorldOptions options_;
  Workload work_;
  base::SeededRandom random_;
  Trace trace_;
  VirtualClock clock_;
  base::Timestamp begin_ = clock_.time;
  Ledger ledger_;
  MemoryStore store_;
  FakeExecutor executor_;
  Client client_;
  std::unique_ptr<runtime::Shard> shard_;
  long steps_ = 0;
  int crashes_ = 0;
  int idle_steps_ = 0;  // steps without a message at one instant
};

}  // namespace sim
