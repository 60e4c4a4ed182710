// One simulated server with its clients: the real shard on a virtual clock, a store that fails,
// power that goes, attempts whose reports misbehave. After every step the invariants are checked.
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
  int crashes_max = 12;
  bool verbose = false;
};

/// What a world did, for a summary.
struct Totals {
  long steps = 0, commits = 0, failed_commits = 0, crashes = 0, runs = 0, attempts = 0;
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
  void crash();
  bool advance();
  void step(std::vector<runtime::Message> messages);
  void take_commands(std::vector<runtime::Message>& messages);

  void check_after(bool succeeded);
  void check_memory();
  void check_slots();
  void check_work();
  void check_run(const engine::RunState& run);
  void check_reports();
  void check_logs(const Key& key);
  void check_end();

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
