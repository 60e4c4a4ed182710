// The engine's rows as plain data: what one commit of a shard writes, and what a start reads back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "model/plan.h"
#include "model/status.h"
#include "model/value.h"

namespace store {

struct LiveRunRow {
  base::RunId id{};
  std::string org_id;
  std::string flow_name;
  std::string flow_version;
  model::RunStatus status = model::RunStatus::queued;
  std::string trigger_type;
  model::Value parameters;
  std::string created_by;
  base::Timestamp created_at;
  std::optional<base::Timestamp> started_at;
  int priority = 0;
  std::string concurrency_key = {};  // whole; empty: the flow has no limit
  // Of a sub-flow: the run that started it, the task run of that, and how many such steps lie
  // between it and a run that nobody's task started.
  std::optional<base::RunId> parent = {};
  model::TaskIndex parent_task = 0;
  int depth = 0;
  std::optional<base::RunId> rerun_of = {};
  std::string deployment_name = {};  // empty: started by the flow's name
  std::string environment_id = {};   // empty: none was named
  std::string execution_mode = {};   // of tasks that name none; empty: the default
};

/// The unique row behind an Idempotency-Key.
struct IdempotencyRow {
  std::string org_id;
  std::string principal;
  std::string route;
  std::string key;
  std::string body_hash;
  base::RunId run{};
  base::Timestamp created_at;
};

struct JournalRow {
  base::RunId run{};
  std::int64_t seq = 0;
  std::string facts;
};

struct StatusRow {
  base::RunId run{};
  model::RunStatus status{};
  std::optional<base::Timestamp> started_at;
};

/// Some lines of one attempt's log, zstd-compressed (docs/formats.md). Lines of one seq
/// count from 0 over its chunks.
struct LogChunkRow {
  base::RunId run{};
  std::int64_t seq = 0;
  int first_line = 0;
  model::TaskIndex task = 0;
  int attempt = 0;
  int lines = 0;
  std::string compressed;
};

struct FinishedRunRow {
  base::RunId run{};
  model::RunStatus status{};
  std::optional<base::Timestamp> started_at;
  base::Timestamp finished_at;
  std::optional<model::Failure> failure;
  std::vector<std::string> task_chunks;  // JSON arrays; the first goes into the run's own row
  std::int64_t journal_rows = 0;
  bool had_approvals = false;
  // Of a failed run.
  std::string fingerprint = {};
  std::string failed_task = {};  // its id; empty when no task's failure decided it
};

/// An approval that waits for a person. It goes when it is decided or its run ends.
struct ApprovalRow {
  base::RunId run{};
  model::TaskIndex task = 0;
  std::string org_id;
  std::string flow_name;
  std::string task_id;
  int map_index = -1;
  std::string message;
  std::vector<std::string> assignees;  // addresses; empty: whoever has the permission
  std::string form = "[]";             // JSON list of parameters: what is asked for
  base::Timestamp created_at;
  std::optional<base::Timestamp> deadline;
};

/// A task's output that stands in for later attempts.
struct CachedRow {
  std::string org_id;
  std::string cache_key;
  model::Value output;
  base::Timestamp expires_at;
};

struct AuditRow {
  std::string audit_id;
  std::string org_id;
  std::string actor_email;
  std::string actor_type = "user";  // user, api_key, system
  std::string api_key_id;           // of actor_type api_key
  std::string action;               // "run.cancel"
  std::string resource_type;
  std::string resource_id;
  std::string http_method;
  std::string http_path;
  int status_code = 0;
  std::string ip;
  std::string changes = "{}";  // JSON, secrets masked
  base::Timestamp created_at;
};

/// Everything one step of a shard writes, in one transaction.
struct EngineBatch {
  std::vector<std::pair<LiveRunRow, std::optional<IdempotencyRow>>> created;
  std::vector<JournalRow> journal;
  std::vector<StatusRow> statuses;
  std::vector<LogChunkRow> logs;
  std::vector<FinishedRunRow> finished;
  std::vector<AuditRow> audit;
  std::vector<ApprovalRow> approvals_opened;
  std::vector<std::pair<base::RunId, model::TaskIndex>> approvals_closed;
  std::vector<CachedRow> cached;

  bool empty() const {
    return created.empty() && journal.empty() && statuses.empty() && logs.empty() &&
           finished.empty() && audit.empty() && approvals_opened.empty() &&
           approvals_closed.empty() && cached.empty();
  }
};

/// A run of `created` that was not written, with all its rows, because its key was taken.
struct Duplicate {
  base::RunId run{};
  base::RunId holder{};    // the run that has the key
  bool same_body = false;  // its request was the same
};

struct CommitResult {
  std::vector<Duplicate> duplicates;
};

/// The error for a key that comes again with another body.
base::Error key_reused();

/// A live run with all that recovery needs.
struct StoredRun {
  LiveRunRow run;
  std::vector<std::string> journal;  // rows in order of seq
  std::int64_t last_seq = 0;         // of journal and log chunks
};

/// What a plan is made of.
struct StoredSpec {
  std::string json;
  std::string artifact;  // SHA-256; empty without one
};

/// What a shard needs of the store. Thread: the shard's.
class EngineStore {
 public:
  virtual ~EngineStore() = default;
  /// All or nothing, durable when it returns. An error means that nothing of it is kept: a store
  /// that cannot know (the connection broke during COMMIT) reads back before it answers. On
  /// `unavailable` (disk full) the caller may try again.
  virtual base::Result<CommitResult> commit(const EngineBatch& batch) = 0;
  virtual base::Result<std::vector<base::RunId>> live_runs() = 0;
  /// The largest id of any run, live or finished; nothing in an empty store.
  virtual base::Result<std::optional<base::RunId>> last_run() = 0;
  /// Nothing if the run does not live.
  virtual base::Result<std::optional<StoredRun>> load_run(base::RunId id) = 0;
  /// The run that has the key, if any; `run` of the answer means nothing.
  virtual base::Result<std::optional<Duplicate>> find_key(const IdempotencyRow& key) = 0;
  /// Of a flow version, as stored; `not_found`.
  virtual base::Result<StoredSpec> load_spec(const std::string& org_id,
                                             const std::string& flow_name,
                                             const std::string& flow_version) = 0;
};

}  // namespace store
