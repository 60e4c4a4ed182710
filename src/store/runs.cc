#include "store/runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "store/engine_sql.h"

namespace store {

using base::RunId;

namespace {

std::int64_t number(RunId id) {
  return static_cast<std::int64_t>(id);
}

constexpr std::string_view shared_columns =
    "run_id, org_id, flow_name, flow_version, status, trigger_type, parameters, created_by, "
    "created_at, started_at, priority, concurrency_key, parent_run, parent_task, depth, rerun_of, "
    "deployment_name, environment_id, execution_mode";

// What follows the shared columns.
constexpr std::string_view live_tail = "NULL, NULL";
constexpr std::string_view finished_tail = "finished_at, failure";

std::optional<model::Failure> read_failure(const Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  auto document = base::JsonDocument::parse(row.string(column));
  if (!document) return std::nullopt;
  auto kind = (*document)->root().find("kind");
  auto message = (*document)->root().find("message");
  if (!kind || !message || !kind->is_string() || !message->is_string()) return std::nullopt;
  return model::Failure{kind->string(), message->string()};
}

// shared_columns, finished_at, failure
RunRow read_run(const Row& row) {
  RunRow result;
  LiveRunRow& run = result.run;
  run.id = RunId(row.integer(0));
  run.org_id = row.string(1);
  run.flow_name = row.string(2);
  run.flow_version = row.string(3);
  run.status =
      base::enum_from_name<model::RunStatus>(row.text(4)).value_or(model::RunStatus::failed);
  run.trigger_type = row.string(5);
  run.parameters = value_from_text(row.text(6));
  run.created_by = row.string(7);
  run.created_at = row.timestamp(8);
  run.started_at = row.optional_timestamp(9);
  read_links(row, 10, run);
  result.finished_at = row.optional_timestamp(19);
  result.failure = read_failure(row, 20);
  return result;
}

// `status` and `flow_name` are constants where given, so that each filter has its index.
base::Result<> list_from(Tx& tx, std::string_view table, std::string_view tail,
                         const std::string& org_id, const RunFilter& filter,
                         std::optional<RunId> before, std::size_t limit,
                         std::vector<RunRow>& rows) {
  std::string conditions = "org_id = ?1 AND run_id < ?2 AND run_id >= ?3";
  if (filter.flow_name) conditions += " AND flow_name = ?4";
  if (!filter.flow_name) conditions += " AND ?4 IS NULL";
  if (filter.deployment_name) conditions += " AND deployment_name <> '' AND deployment_name = ?6";
  if (!filter.deployment_name) conditions += " AND ?6 IS NULL";
  if (filter.status) conditions += fmt::format(" AND status = '{}'", base::name_of(*filter.status));
  std::int64_t below = before ? number(*before) : INT64_MAX;
  std::int64_t from = filter.since ? first_id_at(*filter.since) : 0;
  TRY(tx.run(fmt::format("SELECT {}, {} FROM {} WHERE {} ORDER BY run_id DESC LIMIT ?5",
                         shared_columns, tail, table, conditions),
             {org_id, below, from, filter.flow_name, limit, filter.deployment_name},
             [&](const Row& row) { rows.push_back(read_run(row)); }));
  return {};
}

}  // namespace

std::int64_t first_id_at(base::Timestamp t) {
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(t).time_since_epoch().count();
  auto origin = std::chrono::floor<std::chrono::milliseconds>(base::created_at(RunId(0)))
                    .time_since_epoch()
                    .count();
  return std::clamp<std::int64_t>(ms - origin, 0, INT64_MAX >> 22) << 22;
}

base::Result<std::vector<RunRow>> list_runs(Tx& tx, const std::string& org_id,
                                            const RunFilter& filter, std::optional<RunId> before,
                                            std::size_t limit) {
  std::vector<RunRow> rows;
  TRY(list_from(tx, "run_live", live_tail, org_id, filter, before, limit, rows));
  TRY(list_from(tx, "run", finished_tail, org_id, filter, before, limit, rows));
  std::sort(rows.begin(), rows.end(),
            [](const RunRow& a, const RunRow& b) { return a.run.id > b.run.id; });
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

base::Result<std::vector<RunRow>> list_runs_of(Tx& tx, const std::string& org_id,
                                               const RunFilter& filter, RunTable table,
                                               std::size_t limit) {
  std::vector<RunRow> rows;
  if (table == RunTable::live) {
    TRY(list_from(tx, "run_live", live_tail, org_id, filter, std::nullopt, limit, rows));
  } else {
    TRY(list_from(tx, "run", finished_tail, org_id, filter, std::nullopt, limit, rows));
  }
  return rows;
}

base::Result<RunRow> find_run_row(Tx& tx, const std::string& org_id, RunId id) {
  std::optional<RunRow> found;
  TRY(tx.run(fmt::format("SELECT {}, NULL, NULL FROM run_live WHERE run_id = ?1 AND org_id = ?2",
                         shared_columns),
             {number(id), org_id}, [&](const Row& row) { found = read_run(row); }));
  if (!found)
    TRY(tx.run(fmt::format("SELECT {}, finished_at, failure FROM run WHERE run_id = ?1 AND "
                           "org_id = ?2",
                           shared_columns),
               {number(id), org_id}, [&](const Row& row) { found = read_run(row); }));
  if (!found) return base::not_found(fmt::format("no run {}", to_string(id)));
  return std::move(*found);
}

base::Result<RunDetail> find_run(Tx& tx, const std::string& org_id, RunId id) {
  RunDetail detail;
  detail.row = TRY(find_run_row(tx, org_id, id));
  if (!detail.row.finished_at) {
    TRY(tx.run("SELECT facts FROM journal WHERE run_id = ?1 ORDER BY seq", {number(id)},
               [&](const Row& row) { detail.journal.push_back(row.string(0)); }));
    return detail;
  }
  TRY(tx.run("SELECT tasks FROM run WHERE run_id = ?1", {number(id)},
             [&](const Row& row) { detail.task_chunks.push_back(row.string(0)); }));
  TRY(tx.run("SELECT tasks FROM run_tasks WHERE run_id = ?1 ORDER BY chunk", {number(id)},
             [&](const Row& row) { detail.task_chunks.push_back(row.string(0)); }));
  return detail;
}

base::Result<std::vector<LogLineRow>> read_log(Tx& tx, RunId run, LogPosition after,
                                               std::optional<model::TaskIndex> task,
                                               std::size_t limit) {
  std::vector<LogLineRow> lines;
  base::Result<> damage;
  auto read_chunk = [&](const Row& row) {
    if (lines.size() >= limit || !damage) return;
    auto records = decode_log_chunk(row.text(4));
    if (!records) {
      damage = records.error();
      return;
    }
    LogPosition position{row.integer(0), row.integer(1)};
    for (LogRecord& record : *records) {
      if (position > after && lines.size() < limit)
        lines.push_back({position, static_cast<model::TaskIndex>(row.integer(2)),
                         static_cast<int>(row.integer(3)), std::move(record)});
      ++position.line;
    }
  };
  // A chunk holds one line or more, so a page lies within `limit` chunks.
  TRY(
      tx.run("SELECT seq, first_line, task, attempt, data FROM log_chunks WHERE run_id = ?1 AND "
             "(seq > ?2 OR (seq = ?2 AND first_line + lines - 1 > ?3)) AND (?4 IS NULL OR task = "
             "?4) ORDER BY seq, first_line LIMIT ?5",
             {number(run), after.seq, after.line, task, limit}, read_chunk));
  if (!damage) return damage.error();
  return lines;
}

base::Result<RunHistory> read_history(Tx& tx, const std::string& org_id, RunId id) {
  RunHistory history;
  history.row = TRY(find_run_row(tx, org_id, id));
  history.last = {0, 0};
  TRY(tx.run("SELECT seq, facts FROM journal WHERE run_id = ?1 ORDER BY seq", {number(id)},
             [&](const Row& row) {
               history.journal.push_back({id, row.integer(0), row.string(1)});
               history.last.seq = row.integer(0);
             }));
  TRY(
      tx.run("SELECT seq, first_line + lines - 1 FROM log_chunks WHERE run_id = ?1 ORDER BY seq "
             "DESC, first_line DESC LIMIT 1",
             {number(id)}, [&](const Row& row) {
               if (row.integer(0) >= history.last.seq)
                 history.last = {row.integer(0), row.integer(1)};
             }));
  return history;
}

base::Result<std::optional<model::Value>> find_cached(Tx& tx, const std::string& org_id,
                                                      const std::string& cache_key,
                                                      base::Timestamp now) {
  std::optional<model::Value> value;
  TRY(tx.run(
      "SELECT output FROM task_cache WHERE org_id = ?1 AND cache_key = ?2 AND expires_at > "
      "?3",
      {org_id, cache_key, now}, [&](const Row& row) { value = value_from_text(row.text(0)); }));
  return value;
}

}  // namespace store
