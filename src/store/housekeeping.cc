#include "store/housekeeping.h"

#include <vector>

#include "base/limits.h"
#include "store/artifacts.h"
#include "store/engine_sql.h"

namespace store {

namespace {
constexpr int artifacts_at_a_time = 100;
}

base::Result<bool> delete_stale_journal(Tx& tx) {
  std::optional<std::int64_t> run;
  TRY(
      tx.run("SELECT run_id FROM journal WHERE NOT EXISTS (SELECT 1 FROM run_live WHERE "
             "run_live.run_id = journal.run_id) LIMIT 1",
             {}, [&](const Row& row) { run = row.integer(0); }));
  if (!run) return false;
  TRY(
      tx.run("DELETE FROM journal WHERE run_id = ?1 AND seq IN (SELECT seq FROM journal WHERE "
             "run_id = ?1 ORDER BY seq LIMIT ?2)",
             {*run, base::limits::finish_journal_rows_max}));
  return true;
}

base::Result<> drop_old_keys(Tx& tx, base::Timestamp now) {
  std::string oldest = idempotency_table(now - std::chrono::days(1));
  for (const std::string& table : TRY(tx.table_names("idempotency_")))
    if (table < oldest) TRY(tx.run("DROP TABLE " + table, {}));
  return {};
}

base::Result<> drop_expired_outputs(Tx& tx, base::Timestamp now) {
  TRY(
      tx.run("DELETE FROM task_cache WHERE (org_id, cache_key) IN (SELECT org_id, cache_key FROM "
             "task_cache WHERE expires_at <= ?1 LIMIT ?2)",
             {now, base::limits::write_rows_max}));
  return {};
}

base::Result<> drop_expired_uploads(Tx& tx, base::Timestamp now) {
  std::vector<std::string> expired;
  TRY(tx.run("SELECT upload_id FROM artifact_uploads WHERE expires_at <= ?1 LIMIT ?2",
             {now, artifacts_at_a_time},
             [&](const Row& row) { expired.push_back(row.string(0)); }));
  for (const std::string& upload : expired) TRY(delete_upload(tx, upload));
  return {};
}

base::Result<> drop_unused_artifacts(Tx& tx, base::Timestamp now) {
  std::vector<std::pair<std::string, std::string>> unused;
  TRY(
      tx.run("SELECT a.org_id, a.sha256 FROM artifacts a WHERE a.created_at < ?1 AND NOT EXISTS "
             "(SELECT 1 FROM flow_versions v WHERE v.org_id = a.org_id AND v.artifact_uri = ?2 || "
             "a.sha256) LIMIT ?3",
             {now - base::limits::artifact_unused_ttl, artifact_uri(""), artifacts_at_a_time},
             [&](const Row& row) { unused.emplace_back(row.string(0), row.string(1)); }));
  for (const auto& [org_id, sha256] : unused) {
    TRY(tx.run("DELETE FROM artifact_parts WHERE org_id = ?1 AND sha256 = ?2", {org_id, sha256}));
    TRY(tx.run("DELETE FROM artifacts WHERE org_id = ?1 AND sha256 = ?2", {org_id, sha256}));
  }
  return {};
}

base::Result<bool> is_object_named(Tx& tx, const std::string& sha256) {
  bool named = false;
  for (const char* sql : {"SELECT 1 FROM artifact_parts WHERE object = ?1 LIMIT 1",
                          "SELECT 1 FROM artifact_upload_parts WHERE object = ?1 LIMIT 1",
                          "SELECT 1 FROM run_live WHERE parameters LIKE '%' || ?1 || '%' LIMIT 1",
                          "SELECT 1 FROM journal WHERE facts LIKE '%' || ?1 || '%' LIMIT 1",
                          "SELECT 1 FROM run WHERE parameters LIKE '%' || ?1 || '%' OR tasks LIKE "
                          "'%' || ?1 || '%' LIMIT 1",
                          "SELECT 1 FROM run_tasks WHERE tasks LIKE '%' || ?1 || '%' LIMIT 1",
                          "SELECT 1 FROM task_cache WHERE output LIKE '%' || ?1 || '%' LIMIT 1"})
    if (!named) TRY(tx.run(sql, {sha256}, [&](const Row&) { named = true; }));
  return named;
}

}  // namespace store
