// What has been committed, checked fact by fact with rules that owe nothing to the engine's own
// fold.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/run_state.h"
#include "sim/trace.h"
#include "store/engine_rows.h"

namespace sim {

using base::RunId;
using model::RunStatus;
using model::TaskIndex;
using model::TaskStatus;

class Ledger {
 public:
  struct Task {
    std::optional<TaskStatus> end;
    bool live = false;
    bool stopping = false;
    int epoch = 0;
    int failures = 0;  // attempts that failed and were to be retried
    int lost = 0;
    base::Timestamp started_at{};
    std::optional<base::Timestamp> retry_at;
    model::Value output;
  };
  struct Run {
    Run(RunId id, std::shared_ptr<const model::Plan> plan);
    engine::RunState folded;  // by the engine's fold, to compare with a shard's memory
    std::vector<Task> tasks;
    std::optional<RunStatus> decided;
    base::Timestamp started_at{};
  };

  void create(RunId id, std::shared_ptr<const model::Plan> plan);
  void add_row(RunId id, const std::string& facts);
  /// Null for a run that was never committed.
  const Run* find(RunId id) const;
  /// The committed attempt is under way.
  bool is_live(RunId id, TaskIndex task, int epoch) const;
  /// The facts of the commit that ends a run are not journaled; only the outcome is.
  void finish(const store::FinishedRunRow& row);

 private:
  std::map<RunId, Run> runs_;
};

}  // namespace sim
