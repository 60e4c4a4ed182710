#include "store/engine_sql.h"
#include "store/artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/limits.h"

namespace store {

using base::RunId;

namespace {

std::int64_t number(RunId id) {
  return static_cast<std::int64_t>(id);
}

std::optional<std::int64_t> optional_number(std::optional<RunId> id) {
  return id ? std::optional(number(*id)) : std::nullopt;
}

base::Result<> insert_live(Tx& tx, const LiveRunRow& run) {
  TRY(tx.run(
      "INSERT INTO run_live (run_id, org_id, flow_name, flow_version, status, trigger_type, "
      "parameters, created_by, owner_node, created_at, started_at, priority, "
      "concurrency_key, parent_run, parent_task, depth, rerun_of, deployment_name, "
      "environment_id, execution_mode) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, "
      "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
      {number(run.id), run.org_id, run.flow_name, run.flow_version, base::name_of(run.status),
       run.trigger_type, value_text(run.parameters), run.created_by, run.created_at, run.started_at,
       run.priority, run.concurrency_key, optional_number(run.parent), run.parent_task, run.depth,
       optional_number(run.rerun_of), run.deployment_name, run.environment_id,
       run.execution_mode}));
  if (run.rerun_of)
    TRY(tx.run("INSERT INTO reruns (rerun_of, run_id) VALUES (?1, ?2)",
               {number(*run.rerun_of), number(run.id)}));
  return {};
}

Bind text_or_null(const std::string& text) {
  return text.empty() ? Bind(nullptr) : Bind(text);
}

base::Result<std::optional<Duplicate>> find_holder(Tx& tx, const std::string& table,
                                                   const IdempotencyRow& key) {
  std::optional<Duplicate> holder;
  TRY(tx.run(
      fmt::format("SELECT run_id, body_hash FROM {} WHERE org_id = ?1 AND principal = ?2 AND "
                  "route = ?3 AND idempotency_key = ?4",
                  table),
      {key.org_id, key.principal, key.route, key.key}, [&](const Row& row) {
        holder = Duplicate{key.run, RunId(row.integer(0)), row.text(1) == key.body_hash};
      }));
  return holder;
}

// What has the key already, or nothing after the key has been written.
base::Result<std::optional<Duplicate>> claim_key(Tx& tx, const IdempotencyRow& row) {
  std::string table = idempotency_table(row.created_at);
  TRY(create_key_table(tx, table));
  std::int64_t written = TRY(
      tx.run(fmt::format("INSERT INTO {} (org_id, principal, route, idempotency_key, body_hash, "
                         "run_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                         table),
             {row.org_id, row.principal, row.route, row.key, row.body_hash, number(row.run)}));
  if (written > 0) return std::optional<Duplicate>();
  return find_holder(tx, table, row);
}

base::Result<> insert_finished(Tx& tx, const FinishedRunRow& run) {
  std::int64_t written = TRY(
      tx.run("INSERT INTO run (run_id, org_id, flow_name, flow_version, status, trigger_type, "
             "parameters, created_by, created_at, priority, concurrency_key, parent_run, "
             "parent_task, depth, rerun_of, deployment_name, environment_id, execution_mode, "
             "started_at, finished_at, failure, chunks, tasks, fingerprint, failed_task) "
             "SELECT run_id, org_id, flow_name, flow_version, ?2, trigger_type, parameters, "
             "created_by, created_at, priority, concurrency_key, parent_run, parent_task, depth, "
             "rerun_of, deployment_name, environment_id, execution_mode, ?3, ?4, ?5, ?6, ?7, ?8, "
             "?9 FROM run_live WHERE run_id = ?1",
             {number(run.run), base::name_of(run.status), run.started_at, run.finished_at,
              text_or_null(failure_text(run)), run.task_chunks.size(), run.task_chunks.front(),
              text_or_null(run.fingerprint), text_or_null(run.failed_task)}));
  if (written != 1)
    return base::internal_error(fmt::format("{} ends but does not live", to_string(run.run)));
  for (std::size_t i = 1; i < run.task_chunks.size(); ++i)
    TRY(tx.run("INSERT INTO run_tasks (run_id, chunk, tasks) VALUES (?1, ?2, ?3)",
               {number(run.run), i, run.task_chunks[i]}));
  TRY(tx.run("DELETE FROM run_live WHERE run_id = ?1", {number(run.run)}));
  if (run.had_approvals) TRY(tx.run("DELETE FROM approvals WHERE run_id = ?1", {number(run.run)}));
  if (deletes_journal(run)) TRY(tx.run("DELETE FROM journal WHERE run_id = ?1", {number(run.run)}));
  return {};
}

base::Result<> insert_approval(Tx& tx, const ApprovalRow& row) {
  TRY(
      tx.run("INSERT INTO approvals (run_id, task, org_id, flow_name, task_id, map_index, message, "
             "assignees, form, created_at, deadline) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
             "?10, ?11)",
             {number(row.run), row.task, row.org_id, row.flow_name, row.task_id, row.map_index,
              row.message, assignees_text(row), row.form, row.created_at, row.deadline}));
  return {};
}

}  // namespace

std::string failure_text(const FinishedRunRow& run) {
  std::string text;
  if (!run.failure) return text;
  base::JsonWriter writer(text);
  writer.begin_object().member("kind", run.failure->kind);
  writer.member("message", run.failure->message).end_object();
  return text;
}

std::string assignees_text(const ApprovalRow& row) {
  std::string text;
  base::JsonWriter writer(text);
  writer.begin_array();
  for (const std::string& address : row.assignees) writer.string(address);
  writer.end_array();
  return text;
}

bool deletes_journal(const FinishedRunRow& run) {
  return run.journal_rows <= static_cast<std::int64_t>(base::limits::finish_journal_rows_max);
}

std::string idempotency_table(base::Timestamp at) {
  std::string day = base::to_iso8601(at);
  return "idempotency_" + day.substr(0, 4) + day.substr(5, 2) + day.substr(8, 2);
}

base::Result<> create_key_table(Tx& tx, const std::string& table) {
  TRY(tx.run(fmt::format("CREATE TABLE IF NOT EXISTS {} (org_id TEXT NOT NULL, principal TEXT NOT "
                         "NULL, route TEXT NOT NULL, idempotency_key TEXT NOT NULL, body_hash TEXT "
                         "NOT NULL, run_id BIGINT NOT NULL, PRIMARY KEY (org_id, principal, route, "
                         "idempotency_key)) /*without_rowid*/",
                         table),
             {}));
  return {};
}

base::Result<std::optional<Duplicate>> read_key_holder(Tx& tx, const IdempotencyRow& key) {
  std::optional<Duplicate> holder;
  std::vector<std::string> tables = TRY(tx.table_names("idempotency_"));
  for (base::Timestamp day : {key.created_at, key.created_at - std::chrono::days(1)}) {
    std::string table = idempotency_table(day);
    bool exists = std::find(tables.begin(), tables.end(), table) != tables.end();
    if (exists && !holder) holder = TRY(find_holder(tx, table, key));
  }
  return holder;
}

std::string value_text(const model::Value& value) {
  if (!value.is_reference()) return value.json;
  // A JSON text never starts with '@': the mark tells a reference from a value in one column.
  return fmt::format("@{}:{}", value.object, value.bytes);
}

model::Value value_from_text(std::string_view text) {
  if (!text.starts_with('@')) return model::Value::inline_json(std::string(text));
  std::size_t colon = text.find(':');
  return model::Value::reference(std::string(text.substr(1, colon - 1)),
                                 std::stoll(std::string(text.substr(colon + 1))));
}

base::Error key_reused() {
  return base::invalid("this Idempotency-Key was used with another body",
                       {{"/Idempotency-Key", "was used with another body"}});
}

base::Result<> insert_audit(Tx& tx, const AuditRow& row) {
  TRY(
      tx.run("INSERT INTO audit_log (audit_id, org_id, actor_email, actor_type, action, "
             "resource_type, resource_id, http_method, http_path, status_code, ip, changes, "
             "created_at, api_key_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
             "?13, ?14)",
             {row.audit_id, row.org_id, row.actor_email, row.actor_type, row.action,
              row.resource_type, row.resource_id, row.http_method, row.http_path, row.status_code,
              row.ip, row.changes, row.created_at, row.api_key_id}));
  return {};
}

void read_links(const Row& row, int column, LiveRunRow& run) {
  run.priority = static_cast<int>(row.integer(column));
  run.concurrency_key = row.string(column + 1);
  if (!row.is_null(column + 2)) run.parent = RunId(row.integer(column + 2));
  run.parent_task = static_cast<model::TaskIndex>(row.integer(column + 3));
  run.depth = static_cast<int>(row.integer(column + 4));
  if (!row.is_null(column + 5)) run.rerun_of = RunId(row.integer(column + 5));
  run.deployment_name = row.string(column + 6);
  run.environment_id = row.string(column + 7);
  run.execution_mode = row.string(column + 8);
}

base::Result<CommitResult> write_batch(Tx& tx, const EngineBatch& batch) {
  CommitResult result;
  std::unordered_set<std::int64_t> dropped;
  for (const auto& [run, key] : batch.created) {
    std::optional<Duplicate> taken;
    if (key) taken = TRY(claim_key(tx, *key));
    if (taken) {
      result.duplicates.push_back(*taken);
      dropped.insert(number(run.id));
      continue;
    }
    TRY(insert_live(tx, run));
  }
  for (const JournalRow& row : batch.journal)
    if (!dropped.contains(number(row.run)))
      TRY(tx.run("INSERT INTO journal (run_id, seq, facts) VALUES (?1, ?2, ?3)",
                 {number(row.run), row.seq, row.facts}));
  for (const StatusRow& row : batch.statuses)
    if (!dropped.contains(number(row.run)))
      TRY(tx.run("UPDATE run_live SET status = ?2, started_at = ?3 WHERE run_id = ?1",
                 {number(row.run), base::name_of(row.status), row.started_at}));
  for (const LogChunkRow& row : batch.logs)
    TRY(
        tx.run("INSERT INTO log_chunks (run_id, seq, first_line, task, attempt, lines, data) "
               "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
               {number(row.run), row.seq, row.first_line, row.task, row.attempt, row.lines,
                Blob{row.compressed}}));
  for (const ApprovalRow& row : batch.approvals_opened) TRY(insert_approval(tx, row));
  for (const auto& [run, task] : batch.approvals_closed)
    TRY(tx.run("DELETE FROM approvals WHERE run_id = ?1 AND task = ?2", {number(run), task}));
  for (const CachedRow& row : batch.cached)
    TRY(
        tx.run("INSERT INTO task_cache (org_id, cache_key, output, expires_at) VALUES (?1, ?2, ?3, "
               "?4) ON CONFLICT (org_id, cache_key) DO UPDATE SET output = excluded.output, "
               "expires_at = excluded.expires_at",
               {row.org_id, row.cache_key, value_text(row.output), row.expires_at}));
  for (const FinishedRunRow& row : batch.finished)
    if (!dropped.contains(number(row.run))) TRY(insert_finished(tx, row));
  for (const AuditRow& row : batch.audit) TRY(insert_audit(tx, row));
  return result;
}

base::Result<std::vector<RunId>> read_live_runs(Tx& tx) {
  std::vector<RunId> runs;
  TRY(tx.run("SELECT run_id FROM run_live ORDER BY run_id", {},
             [&](const Row& row) { runs.push_back(RunId(row.integer(0))); }));
  return runs;
}

base::Result<std::optional<RunId>> read_last_run(Tx& tx) {
  std::optional<RunId> last;
  TRY(
      tx.run("SELECT MAX(run_id) FROM (SELECT MAX(run_id) AS run_id FROM run_live UNION ALL "
             "SELECT MAX(run_id) FROM run) AS newest",
             {}, [&](const Row& row) {
               if (!row.is_null(0)) last = RunId(row.integer(0));
             }));
  return last;
}

base::Result<std::optional<StoredRun>> read_stored_run(Tx& tx, RunId id) {
  std::optional<StoredRun> stored;
  TRY(tx.run(
      "SELECT org_id, flow_name, flow_version, status, trigger_type, parameters, "
      "created_by, created_at, started_at, priority, concurrency_key, parent_run, parent_task, "
      "depth, rerun_of, deployment_name, environment_id, execution_mode FROM run_live WHERE run_id "
      "= ?1",
      {number(id)}, [&](const Row& row) {
        LiveRunRow& run = stored.emplace().run;
        run.id = id;
        run.org_id = row.string(0);
        run.flow_name = row.string(1);
        run.flow_version = row.string(2);
        run.status =
            base::enum_from_name<model::RunStatus>(row.text(3)).value_or(model::RunStatus::queued);
        run.trigger_type = row.string(4);
        run.parameters = value_from_text(row.text(5));
        run.created_by = row.string(6);
        run.created_at = row.timestamp(7);
        run.started_at = row.optional_timestamp(8);
        read_links(row, 9, run);
      }));
  if (!stored) return stored;
  TRY(tx.run("SELECT seq, facts FROM journal WHERE run_id = ?1 ORDER BY seq", {number(id)},
             [&](const Row& row) {
               stored->last_seq = row.integer(0);
               stored->journal.push_back(row.string(1));
             }));
  TRY(tx.run(
      "SELECT COALESCE(MAX(seq), 0) FROM log_chunks WHERE run_id = ?1", {number(id)},
      [&](const Row& row) { stored->last_seq = std::max(stored->last_seq, row.integer(0)); }));
  return stored;
}

base::Result<StoredSpec> read_spec(Tx& tx, const std::string& org_id, const std::string& flow_name,
                                   const std::string& flow_version) {
  std::optional<StoredSpec> spec;
  TRY(tx.run(
      "SELECT spec, artifact_uri FROM flow_versions WHERE org_id = ?1 AND flow_name = ?2 AND "
      "flow_version = ?3",
      {org_id, flow_name, flow_version}, [&](const Row& row) {
        spec = {row.string(0), artifact_of(row.optional_string(1).value_or("")).value_or("")};
      }));
  if (!spec)
    return base::not_found(fmt::format("no version {} of flow {}", flow_version, flow_name));
  return std::move(*spec);
}

}  // namespace store
