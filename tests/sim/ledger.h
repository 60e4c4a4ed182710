// What has been committed, checked fact by fact (ledger_rules.cc) with rules that owe nothing to
// the engine's own fold.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/record.h"
#include "engine/run_state.h"
#include "sim/script.h"
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
    TaskIndex planned = 0;
    int map_index = -1;
    std::optional<TaskStatus> end;
    bool by_choice = false;
    bool decided = false;
    bool queued = false;
    bool live = false;
    bool stopping = false;
    int epoch = 0;
    int attempt = 0;
    int failures = 0;       // attempts that failed and were to be retried
    int failures_here = 0;  // those of the present iteration
    int iteration = 0;
    int lost = 0;
    base::Timestamp started_at{};
    std::optional<base::Timestamp> retry_at;
    bool waiting = false;
    std::optional<base::Timestamp> until;
    model::WaitEnd then{};
    model::Value output;  // of the last attempt that succeeded
    std::string key;
    std::string cache_key;
    std::optional<RunId> child;
    // Of a mapped task.
    TaskIndex first = 0;
    std::uint32_t count = 0;
    bool is_expanded = false;
  };
  struct Child {
    TaskIndex task;
    int epoch;
    bool waits;  // its parent's attempt lasts as long as it
  };
  struct Run {
    Run(const store::LiveRunRow& row, std::shared_ptr<const model::Plan> plan);
    store::LiveRunRow row;
    engine::RunState folded;  // by the engine's fold, to compare with a shard's memory
    std::vector<Task> tasks;
    std::map<RunId, Child> children;
    bool paused = false;
    std::optional<base::Timestamp> started_at;
    std::optional<RunStatus> decided;
    base::Timestamp decided_at{};
    std::optional<model::Failure> failure;
    bool was_paused = false;
    bool finished = false;
    std::vector<engine::TaskRecord> records;  // when finished

    const model::Plan& plan() const { return *folded.plan; }
    const model::PlannedTask& planned(TaskIndex i) const { return plan().tasks[tasks[i].planned]; }
    bool is_hook(TaskIndex i) const { return planned(i).hook.has_value(); }
    /// The letters of its parents' ends; empty letters stand for parents that have not ended.
    std::string parent_ends(TaskIndex i) const;
    bool parents_ended(TaskIndex i) const;
  };
  /// What a person said to an approval.
  struct Answer {
    bool approved = false;
    std::string text;  // output or message
  };

  explicit Ledger(Script script) : script(std::move(script)) {}

  void create(const store::LiveRunRow& row, std::shared_ptr<const model::Plan> plan);
  void add_row(RunId id, const std::string& facts);
  /// The facts of the commit that ends a run are not journaled; only the outcome is.
  void finish(const store::FinishedRunRow& row);
  void add_cached(const store::CachedRow& row) { cached_.emplace(row.cache_key, row.output.json); }
  void add_answer(RunId run, TaskIndex task, Answer answer) {
    answers_.emplace(std::pair(run, task), std::move(answer));
  }

  /// Null for a run that was never committed.
  const Run* find(RunId id) const;
  const std::map<RunId, Run>& runs() const { return runs_; }
  /// The committed attempt is under way.
  bool is_live(RunId id, TaskIndex task, int epoch) const;
  bool was_cached(const std::string& key, const std::string& output) const {
    return cached_.contains({key, output});
  }
  bool was_answered(RunId run, TaskIndex task, bool approved, const std::string& text) const;

  const Script script;
  bool recovering = false;   // a server starts
  bool checks_rules = true;  // false: what the run does follows no script

 private:
  std::map<RunId, Run> runs_;
  std::set<std::pair<std::string, std::string>> cached_;
  std::multimap<std::pair<RunId, TaskIndex>, Answer> answers_;
};

/// Applies one journal row to a run, or throws a Violation.
void check_row(const Ledger& ledger, Ledger::Run& run, const engine::FactRow& row);

}  // namespace sim
