#include "store/run_reports.h"

#include <fmt/format.h>

#include "base/json.h"
#include "store/engine_sql.h"

namespace store {

using base::RunId;

namespace {

std::int64_t number(RunId id) {
  return static_cast<std::int64_t>(id);
}

constexpr std::string_view approval_columns =
    "run_id, task, org_id, flow_name, task_id, map_index, message, assignees, form, created_at, "
    "deadline";

ApprovalRow read_approval(const Row& row) {
  ApprovalRow out;
  out.run = RunId(row.integer(0));
  out.task = static_cast<model::TaskIndex>(row.integer(1));
  out.org_id = row.string(2);
  out.flow_name = row.string(3);
  out.task_id = row.string(4);
  out.map_index = static_cast<int>(row.integer(5));
  out.message = row.string(6);
  auto assignees = base::JsonDocument::parse(row.string(7));
  if (assignees && (*assignees)->root().is_array())
    for (base::JsonView each : (*assignees)->root().elements())
      out.assignees.push_back(each.string());
  out.form = row.string(8);
  out.created_at = row.timestamp(9);
  out.deadline = row.optional_timestamp(10);
  return out;
}

}  // namespace

base::Result<std::vector<ApprovalRow>> list_approvals(Tx& tx, const std::string& org_id,
                                                      ApprovalPosition after, std::size_t limit) {
  std::vector<ApprovalRow> rows;
  TRY(tx.run(fmt::format("SELECT {} FROM approvals WHERE org_id = ?1 AND (run_id > ?2 OR (run_id = "
                         "?2 AND task > ?3)) ORDER BY run_id, task LIMIT ?4",
                         approval_columns),
             {org_id, number(after.run), after.task, limit},
             [&](const Row& row) { rows.push_back(read_approval(row)); }));
  return rows;
}

base::Result<ApprovalRow> find_approval(Tx& tx, const std::string& org_id, RunId run,
                                        const std::string& task_id, int map_index) {
  std::optional<ApprovalRow> found;
  TRY(tx.run(fmt::format("SELECT {} FROM approvals WHERE org_id = ?1 AND run_id = ?2 AND task_id = "
                         "?3 AND map_index = ?4",
                         approval_columns),
             {org_id, number(run), task_id, map_index},
             [&](const Row& row) { found = read_approval(row); }));
  if (!found) return base::not_found("the task run does not wait for an approval");
  return std::move(*found);
}

base::Result<std::vector<FailureGroup>> list_failures(Tx& tx, const std::string& org_id,
                                                      const FailureFilter& filter,
                                                      std::optional<RunId> before,
                                                      std::size_t limit) {
  std::vector<FailureGroup> groups;
  std::string conditions = "org_id = ?1 AND fingerprint IS NOT NULL AND run_id >= ?2";
  conditions += filter.flow_name ? " AND flow_name = ?3" : " AND ?3 IS NULL";
  std::int64_t since = filter.since ? first_id_at(*filter.since) : 0;
  TRY(tx.run(fmt::format(
                 "SELECT fingerprint, COUNT(*), MAX(run_id), MIN(created_at), SUM(CASE WHEN EXISTS "
                 "(SELECT 1 FROM reruns WHERE reruns.rerun_of = run.run_id) THEN 0 ELSE 1 END), "
                 "MAX(failed_task) FROM run WHERE {} GROUP BY fingerprint HAVING MAX(run_id) < ?4 "
                 "ORDER BY MAX(run_id) DESC LIMIT ?5",
                 conditions),
             {org_id, since, filter.flow_name, before ? number(*before) : INT64_MAX, limit},
             [&](const Row& row) {
               FailureGroup& group = groups.emplace_back();
               group.fingerprint = row.string(0);
               group.runs = row.integer(1);
               group.last.run.id = RunId(row.integer(2));
               group.first_seen = row.timestamp(3);
               group.open = row.integer(4);
               group.failed_task = row.optional_string(5).value_or("");
             }));
  for (FailureGroup& group : groups) group.last = TRY(find_run_row(tx, org_id, group.last.run.id));
  return groups;
}

base::Result<std::vector<RunId>> list_unrepeated(Tx& tx, const std::string& org_id,
                                                 const std::string& fingerprint,
                                                 std::size_t limit) {
  std::vector<RunId> runs;
  TRY(
      tx.run("SELECT run_id FROM run WHERE org_id = ?1 AND fingerprint = ?2 AND NOT EXISTS (SELECT "
             "1 FROM reruns WHERE reruns.rerun_of = run.run_id) ORDER BY run_id LIMIT ?3",
             {org_id, fingerprint, limit},
             [&](const Row& row) { runs.push_back(RunId(row.integer(0))); }));
  return runs;
}

base::Result<std::vector<RunBucket>> count_runs(Tx& tx, const std::string& org_id,
                                                const std::optional<std::string>& flow_name,
                                                base::Timestamp since, base::Timestamp until,
                                                base::Duration width) {
  std::map<std::int64_t, RunBucket> buckets;
  for (auto [table, time] : {std::pair{"run_live", "0"}, {"run", "finished_at - created_at"}}) {
    std::string conditions = "org_id = ?1 AND run_id >= ?2 AND run_id < ?3";
    conditions += flow_name ? " AND flow_name = ?4" : " AND ?4 IS NULL";
    bool is_finished = std::string_view(table) == "run";
    TRY(tx.run(fmt::format("SELECT (created_at - ?5) / ?6, status, COUNT(*), CAST(SUM({}) AS "
                           "BIGINT) FROM {} WHERE "
                           "{} GROUP BY 1, 2",
                           time, table, conditions),
               {org_id, first_id_at(since), first_id_at(until), flow_name, since, width.count()},
               [&](const Row& row) {
                 RunBucket& bucket = buckets[row.integer(0)];
                 bucket.by_status[row.string(1)] += row.integer(2);
                 if (!is_finished) return;
                 bucket.finished += row.integer(2);
                 bucket.total_time += base::Duration(row.integer(3));
               }));
  }
  std::vector<RunBucket> out;
  for (auto& [index, bucket] : buckets) {
    bucket.begin = since + index * width;
    out.push_back(std::move(bucket));
  }
  return out;
}

}  // namespace store
