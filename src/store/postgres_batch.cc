#include "store/postgres_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/limits.h"
#include "store/engine_sql.h"

namespace store {

using base::RunId;
using Commit = PostgresConnection::Commit;

namespace {

using namespace postgres_type;

std::int64_t number(RunId id) {
  return static_cast<std::int64_t>(id);
}

std::optional<std::string> text_or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

constexpr std::string_view division_by_zero = "22012";

class BatchWriter {
 public:
  BatchWriter(PostgresConnection& connection, const EngineBatch& batch, const Fence& fence)
      : connection_(connection), batch_(batch), fence_(fence) {}

  BatchEnd write() {
    connection_.begin(PostgresIsolation::read_committed);
    send_fence();
    if (base::Result<> claimed = claim_keys(); !claimed) return end();
    send_created();
    send_journal();
    send_statuses();
    send_logs();
    send_approvals();
    send_cached();
    send_finished();
    send_audit();
    if (connection_.send_commit())
      while (!expected_.empty() && receive()) continue;
    return end();
  }

 private:
  // A statement that finds less than it must divides by zero, so that all behind it is left out.
  enum class Expected { nothing, fence, ends };

  void send(std::string_view sql, const std::vector<PostgresValue>& values,
            Expected expected = Expected::nothing) {
    connection_.send(sql, values);
    expected_.push_back(expected);
  }

  base::Result<PostgresResult> receive() {
    Expected expected = expected_.front();
    expected_.pop_front();
    base::Result<PostgresResult> result = connection_.receive();
    if (result || connection_.sqlstate() != division_by_zero || failed_) return result;
    failed_ = expected;
    return result;
  }

  BatchEnd end() {
    BatchEnd end;
    end.commit = connection_.commit();
    end.result = std::move(result_);
    if (end.commit == Commit::done) return end;
    end.error = *connection_.failure();
    end.fenced = failed_ == Expected::fence;
    if (failed_ == Expected::ends) end.error = base::internal_error("a run ends but does not live");
    return end;
  }

  bool is_dropped(RunId run) const { return dropped_.contains(number(run)); }

  void send_fence() {
    send(
        "SELECT 1 / COALESCE((SELECT 1 FROM nodes WHERE node_id = ?1 AND generation = ?2 FOR KEY "
        "SHARE), 0)",
        {Bind(fence_.node), Bind(fence_.generation)}, Expected::fence);
  }

  // ---- idempotency keys ----

  base::Result<> claim_keys() {
    std::map<std::string, std::vector<const IdempotencyRow*>> by_table;
    for (const auto& [run, key] : batch_.created)
      if (key) by_table[idempotency_table(key->created_at)].push_back(&*key);
    for (const auto& [table, keys] : by_table) TRY(claim_keys(table, keys));
    return {};
  }

  base::Result<> claim_keys(const std::string& table,
                            const std::vector<const IdempotencyRow*>& keys) {
    PostgresColumns columns({text, text, text, text, text, int8});
    for (const IdempotencyRow* key : keys)
      columns.row(key->org_id, key->principal, key->route, key->key, key->body_hash,
                  number(key->run));
    send(
        fmt::format("INSERT INTO {} (org_id, principal, route, idempotency_key, body_hash, run_id) "
                    "SELECT * FROM unnest(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING "
                    "RETURNING run_id",
                    table),
        columns.take());
    std::unordered_set<std::int64_t> written;
    TRY(each_row([&](const Row& row) { written.insert(row.integer(0)); }));
    std::vector<const IdempotencyRow*> taken;
    std::copy_if(keys.begin(), keys.end(), std::back_inserter(taken),
                 [&](const IdempotencyRow* key) { return !written.contains(number(key->run)); });
    return taken.empty() ? base::Result<>() : find_holders(table, taken);
  }

  // The answers so far; those of the last statement are rows.
  base::Result<> each_row(const RowFunction& each) {
    TRY(connection_.flush());
    while (expected_.size() > 1) TRY(receive());
    PostgresResult result = TRY(receive());
    for (int row = 0; row < pq().ntuples(result.get()); ++row) each(PostgresRow(result.get(), row));
    return {};
  }

  base::Result<> find_holders(const std::string& table,
                              const std::vector<const IdempotencyRow*>& taken) {
    PostgresColumns columns({text, text, text, text, int8});
    for (const IdempotencyRow* key : taken)
      columns.row(key->org_id, key->principal, key->route, key->key, number(key->run));
    send(fmt::format("SELECT wanted.run, held.run_id, held.body_hash FROM {} AS held JOIN "
                     "unnest(?1, ?2, ?3, ?4, ?5) AS wanted (org, who, path, key, run) ON "
                     "held.org_id = wanted.org AND held.principal = wanted.who AND held.route = "
                     "wanted.path AND held.idempotency_key = wanted.key",
                     table),
         columns.take());
    std::unordered_map<std::int64_t, std::pair<std::int64_t, std::string>> holders;
    TRY(each_row([&](const Row& row) {
      holders[row.integer(0)] = {row.integer(1), row.string(2)};
    }));
    for (const IdempotencyRow* key : taken) {
      auto found = holders.find(number(key->run));
      if (found == holders.end()) continue;
      const auto& [holder, body_hash] = found->second;
      result_.duplicates.push_back({key->run, RunId(holder), body_hash == key->body_hash});
      dropped_.insert(number(key->run));
    }
    return {};
  }

  // ---- rows ----

  void send_created() {
    PostgresColumns columns({int8, text, text, text, text, text, text, text, int8, int8,
                             int8, int8, text, int8, int8, int8, int8, text, text, text});
    PostgresColumns reruns({int8, int8});
    for (const auto& [run, key] : batch_.created) {
      if (is_dropped(run.id)) continue;
      std::optional<std::int64_t> parent, rerun_of;
      if (run.parent) parent = number(*run.parent);
      if (run.rerun_of) rerun_of = number(*run.rerun_of);
      columns.row(number(run.id), run.org_id, run.flow_name, run.flow_version,
                  base::name_of(run.status), run.trigger_type, value_text(run.parameters),
                  run.created_by, fence_.node, run.created_at, run.started_at, run.priority,
                  run.concurrency_key, parent, run.parent_task, run.depth, rerun_of,
                  run.deployment_name, run.environment_id, run.execution_mode);
      if (rerun_of) reruns.row(*rerun_of, number(run.id));
    }
    send_rows(
        "INSERT INTO run_live (run_id, org_id, flow_name, flow_version, status, "
        "trigger_type, parameters, created_by, owner_node, created_at, started_at, priority, "
        "concurrency_key, parent_run, parent_task, depth, rerun_of, deployment_name, "
        "environment_id, execution_mode) SELECT * FROM unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
        "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        columns);
    send_rows("INSERT INTO reruns (rerun_of, run_id) SELECT * FROM unnest(?1, ?2)", reruns);
  }

  void send_rows(std::string_view sql, PostgresColumns& columns) {
    if (columns.rows() > 0) send(sql, columns.take());
  }

  void send_journal() {
    PostgresColumns columns({int8, int8, text});
    for (const JournalRow& row : batch_.journal)
      if (!is_dropped(row.run)) columns.row(number(row.run), row.seq, row.facts);
    send_rows("INSERT INTO journal (run_id, seq, facts) SELECT * FROM unnest(?1, ?2, ?3)", columns);
  }

  void send_statuses() {
    PostgresColumns columns({int8, text, int8});
    for (const StatusRow& row : batch_.statuses)
      if (!is_dropped(row.run))
        columns.row(number(row.run), base::name_of(row.status), row.started_at);
    send_rows(
        "UPDATE run_live SET status = new.status, started_at = new.started_at FROM "
        "unnest(?1, ?2, ?3) AS new (run_id, status, started_at) WHERE run_live.run_id = "
        "new.run_id",
        columns);
  }

  void send_logs() {
    PostgresColumns columns({int8, int8, int8, int8, int8, int8, bytea});
    for (const LogChunkRow& row : batch_.logs)
      columns.row(number(row.run), row.seq, row.first_line, row.task, row.attempt, row.lines,
                  row.compressed);
    send_rows(
        "INSERT INTO log_chunks (run_id, seq, first_line, task, attempt, lines, data) "
        "SELECT * FROM unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        columns);
  }

  void send_approvals() {
    PostgresColumns opened({int8, int8, text, text, text, int8, text, text, text, int8, int8});
    for (const ApprovalRow& row : batch_.approvals_opened)
      opened.row(number(row.run), row.task, row.org_id, row.flow_name, row.task_id, row.map_index,
                 row.message, assignees_text(row), row.form, row.created_at, row.deadline);
    send_rows(
        "INSERT INTO approvals (run_id, task, org_id, flow_name, task_id, map_index, "
        "message, assignees, form, created_at, deadline) SELECT * FROM unnest(?1, ?2, ?3, "
        "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        opened);
    PostgresColumns closed({int8, int8});
    for (const auto& [run, task] : batch_.approvals_closed) closed.row(number(run), task);
    send_rows(
        "DELETE FROM approvals USING unnest(?1, ?2) AS closed (run_id, task) WHERE "
        "approvals.run_id = closed.run_id AND approvals.task = closed.task",
        closed);
  }

  // A statement may change a row once: of several outputs of one key the last stays.
  void send_cached() {
    std::map<std::pair<std::string_view, std::string_view>, const CachedRow*> last;
    for (const CachedRow& row : batch_.cached) last[{row.org_id, row.cache_key}] = &row;
    PostgresColumns columns({text, text, text, int8});
    for (const auto& [key, row] : last)
      columns.row(row->org_id, row->cache_key, value_text(row->output), row->expires_at);
    send_rows(
        "INSERT INTO task_cache (org_id, cache_key, output, expires_at) SELECT * FROM "
        "unnest(?1, ?2, ?3, ?4) ON CONFLICT (org_id, cache_key) DO UPDATE SET output = "
        "excluded.output, expires_at = excluded.expires_at",
        columns);
  }

  void send_finished() {
    PostgresColumns ends({int8, text, int8, int8, text, int8, text, text, text});
    PostgresColumns chunks({int8, int8, text});
    PostgresColumns with_approvals({int8});
    PostgresColumns with_journal({int8});
    for (const FinishedRunRow& run : batch_.finished) {
      if (is_dropped(run.run)) continue;
      std::int64_t id = number(run.run);
      ends.row(id, base::name_of(run.status), run.started_at, run.finished_at,
               text_or_null(failure_text(run)), run.task_chunks.size(), run.task_chunks.front(),
               text_or_null(run.fingerprint), text_or_null(run.failed_task));
      for (std::size_t i = 1; i < run.task_chunks.size(); ++i)
        chunks.row(id, i, run.task_chunks[i]);
      if (run.had_approvals) with_approvals.row(id);
      if (deletes_journal(run)) with_journal.row(id);
    }
    send_ends(ends);
    send_rows("INSERT INTO run_tasks (run_id, chunk, tasks) SELECT * FROM unnest(?1, ?2, ?3)",
              chunks);
    send_rows(
        "DELETE FROM approvals USING unnest(?1) AS ended (run_id) WHERE approvals.run_id = "
        "ended.run_id",
        with_approvals);
    send_rows(
        "DELETE FROM journal USING unnest(?1) AS ended (run_id) WHERE journal.run_id = "
        "ended.run_id",
        with_journal);
  }

  void send_ends(PostgresColumns& ends) {
    if (ends.rows() == 0) return;
    std::vector<PostgresValue> values;
    std::int64_t count = static_cast<std::int64_t>(ends.rows());
    values = ends.take();
    values.emplace_back(Bind(count));
    send(
        "WITH gone AS (DELETE FROM run_live USING unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) AS "
        "ended (run_id, status, started_at, finished_at, failure, chunks, tasks, fingerprint, "
        "failed_task) WHERE run_live.run_id = ended.run_id RETURNING run_live.run_id, org_id, "
        "flow_name, flow_version, ended.status, trigger_type, parameters, created_by, created_at, "
        "priority, concurrency_key, parent_run, parent_task, depth, rerun_of, deployment_name, "
        "environment_id, execution_mode, ended.started_at, "
        "finished_at, failure, chunks, tasks, fingerprint, failed_task), moved AS (INSERT INTO run "
        "(run_id, org_id, flow_name, flow_version, status, trigger_type, parameters, created_by, "
        "created_at, priority, concurrency_key, parent_run, parent_task, depth, rerun_of, "
        "deployment_name, environment_id, execution_mode, started_at, finished_at, failure, "
        "chunks, tasks, fingerprint, failed_task) SELECT * FROM "
        "gone ORDER BY run_id RETURNING 1) SELECT 1 / (CASE WHEN COUNT(*) = ?10 THEN 1 ELSE 0 END) "
        "FROM moved",
        values, Expected::ends);
  }

  void send_audit() {
    PostgresColumns columns(
        {text, text, text, text, text, text, text, text, text, int8, text, text, int8, text});
    for (const AuditRow& row : batch_.audit)
      columns.row(row.audit_id, row.org_id, row.actor_email, row.actor_type, row.action,
                  row.resource_type, row.resource_id, row.http_method, row.http_path,
                  row.status_code, row.ip, row.changes, row.created_at, row.api_key_id);
    send_rows(
        "INSERT INTO audit_log (audit_id, org_id, actor_email, actor_type, action, "
        "resource_type, resource_id, http_method, http_path, status_code, ip, changes, "
        "created_at, api_key_id) SELECT * FROM unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
        "?11, ?12, ?13, ?14)",
        columns);
  }

  PostgresConnection& connection_;
  const EngineBatch& batch_;
  const Fence& fence_;
  CommitResult result_;
  std::unordered_set<std::int64_t> dropped_;
  std::deque<Expected> expected_;
  std::optional<Expected> failed_;  // what divided by zero
};

}  // namespace

BatchEnd commit_batch(PostgresConnection& connection, const EngineBatch& batch,
                      const Fence& fence) {
  return BatchWriter(connection, batch, fence).write();
}

base::Result<bool> batch_was_written(Tx& tx, const EngineBatch& batch) {
  bool found = false;
  auto ask = [&](std::string_view sql, std::initializer_list<Bind> binds) {
    return tx.run(sql, binds, [&](const Row&) { found = true; });
  };
  // Any of them tells, but for those of runs that may have been dropped as duplicates.
  for (const auto& [run, key] : batch.created)
    if (!found)
      TRY(
          ask("SELECT 1 FROM run_live WHERE run_id = ?1 UNION ALL SELECT 1 FROM run WHERE run_id = "
              "?1",
              {number(run.id)}));
  for (const JournalRow& row : batch.journal)
    if (!found)
      TRY(ask("SELECT 1 FROM journal WHERE run_id = ?1 AND seq = ?2", {number(row.run), row.seq}));
  for (const FinishedRunRow& row : batch.finished)
    if (!found) TRY(ask("SELECT 1 FROM run WHERE run_id = ?1", {number(row.run)}));
  for (const LogChunkRow& row : batch.logs)
    if (!found)
      TRY(ask("SELECT 1 FROM log_chunks WHERE run_id = ?1 AND seq = ?2 AND first_line = ?3",
              {number(row.run), row.seq, row.first_line}));
  for (const AuditRow& row : batch.audit)
    if (!found) TRY(ask("SELECT 1 FROM audit_log WHERE audit_id = ?1", {row.audit_id}));
  return found;
}

}  // namespace store
