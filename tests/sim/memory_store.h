// The store of the simulator: keeps exactly what was committed, refuses what a database would
// refuse, and fails or "loses power" at commits when told to.
#pragma once

#include <functional>
#include <map>

#include "base/random.h"
#include "sim/ledger.h"

namespace sim {

/// Thrown through the shard when power goes: it must be thrown away.
struct Crash {};

enum class CommitFault { none, fails, crash_before, crash_after };

struct StoredFlow {
  std::string spec;
  std::shared_ptr<const model::Plan> plan;
};

class MemoryStore : public store::EngineStore {
 public:
  struct Live {
    store::LiveRunRow row;
    std::map<std::int64_t, std::string> journal;
    std::int64_t last_seq = 0;
  };
  using LogKey = std::tuple<RunId, std::int64_t, int>;
  using IdempotencyKey = std::tuple<std::string, std::string, std::string, std::string>;

  MemoryStore(Ledger& ledger, Trace& trace) : ledger_(ledger), trace_(trace) {}

  base::Result<store::CommitResult> commit(const store::EngineBatch& batch) override;
  base::Result<std::vector<RunId>> live_runs() override;
  base::Result<std::optional<RunId>> last_run() override;
  base::Result<std::optional<store::Duplicate>> find_key(const store::IdempotencyRow& key) override;
  base::Result<std::optional<store::StoredRun>> load_run(RunId id) override;
  base::Result<store::StoredSpec> load_spec(const std::string& org_id, const std::string& flow_name,
                                            const std::string& flow_version) override;

  std::map<std::string, StoredFlow> flows;
  /// Asked at every commit, which counts from 1, and at every load (commit 0).
  std::function<CommitFault(int commit)> fault = [](int) { return CommitFault::none; };

  /// Called at the beginning of every commit: a slow store lets time pass.
  std::function<void()> work = [] {};

  const std::map<RunId, Live>& live() const { return live_; }
  const std::map<RunId, store::FinishedRunRow>& finished() const { return finished_; }
  const std::map<LogKey, store::LogChunkRow>& logs() const { return logs_; }
  const std::map<std::pair<RunId, TaskIndex>, store::ApprovalRow>& approvals() const {
    return approvals_;
  }
  std::optional<model::Value> find_cached(const std::string& org_id, const std::string& key,
                                          base::Timestamp now) const;
  /// The row that has the key of this one; null when none has.
  const store::IdempotencyRow* holder_of(const store::IdempotencyRow& key) const;
  bool has(RunId id) const { return live_.contains(id) || finished_.contains(id); }
  /// Makes a run's journal unreadable.
  void damage(RunId id) { live_.at(id).journal.begin()->second = "{}"; }
  int commits() const { return commits_; }
  int failures() const { return failures_; }

 private:
  store::CommitResult apply(const store::EngineBatch& batch);
  void create(const store::EngineBatch& batch, store::CommitResult& result,
              std::set<RunId>& dropped);
  void insert_journal(const store::EngineBatch& batch, const std::set<RunId>& dropped);
  void change_statuses(const store::EngineBatch& batch);
  void insert_logs(const store::EngineBatch& batch);
  void change_approvals(const store::EngineBatch& batch);
  void finish(const store::FinishedRunRow& row);
  base::Result<> fail_read();

  Ledger& ledger_;
  Trace& trace_;
  std::map<RunId, Live> live_;
  std::map<RunId, store::FinishedRunRow> finished_;
  std::map<LogKey, store::LogChunkRow> logs_;
  std::map<IdempotencyKey, store::IdempotencyRow> keys_;
  std::map<std::pair<RunId, TaskIndex>, store::ApprovalRow> approvals_;
  std::map<std::pair<std::string, std::string>, store::CachedRow> cached_;
  int commits_ = 0;
  int failures_ = 0;
};

}  // namespace sim
