#include "store/migrations.h"

#include <fmt/format.h>

#include <array>

#include "base/ids.h"

namespace store {

namespace {

constexpr std::string_view first_schema = R"sql(
CREATE TABLE nodes (
  node_id BIGINT NOT NULL, generation BIGINT NOT NULL, started_at BIGINT NOT NULL,
  heartbeat_at BIGINT NOT NULL, PRIMARY KEY (node_id, generation));
CREATE TABLE organizations (
  org_id TEXT PRIMARY KEY, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL);
CREATE TABLE users (
  user_id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL,
  one_time_password INTEGER NOT NULL, super_admin INTEGER NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE memberships (
  org_id TEXT NOT NULL, user_id TEXT NOT NULL, role TEXT NOT NULL, joined_at BIGINT NOT NULL,
  PRIMARY KEY (org_id, user_id));
CREATE INDEX memberships_user ON memberships (user_id, joined_at);
CREATE TABLE access_tokens (
  token_hash TEXT PRIMARY KEY, user_id TEXT NOT NULL, org_id TEXT NOT NULL,
  created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX access_tokens_user ON access_tokens (user_id);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);
CREATE TABLE flows (
  org_id TEXT NOT NULL, flow_name TEXT NOT NULL, flow_id TEXT NOT NULL,
  versions BIGINT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (org_id, flow_name));
CREATE TABLE flow_versions (
  org_id TEXT NOT NULL, flow_name TEXT NOT NULL, serial BIGINT NOT NULL,
  flow_version TEXT NOT NULL, namespace TEXT, tags TEXT NOT NULL, spec TEXT NOT NULL,
  identity TEXT NOT NULL, status TEXT NOT NULL, created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL, PRIMARY KEY (org_id, flow_name, serial),
  UNIQUE (org_id, flow_name, flow_version));
CREATE TABLE run_live (
  run_id BIGINT PRIMARY KEY, org_id TEXT NOT NULL, flow_name TEXT NOT NULL,
  flow_version TEXT NOT NULL, status TEXT NOT NULL, trigger_type TEXT NOT NULL,
  parameters TEXT NOT NULL, created_by TEXT NOT NULL, owner_node BIGINT NOT NULL,
  created_at BIGINT NOT NULL, started_at BIGINT);
CREATE TABLE journal (
  run_id BIGINT NOT NULL, seq BIGINT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (run_id, seq))
  /*without_rowid*/;
CREATE TABLE run_commands (
  run_id BIGINT NOT NULL, seq BIGINT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (run_id, seq));
CREATE TABLE run (
  run_id BIGINT PRIMARY KEY, org_id TEXT NOT NULL, flow_name TEXT NOT NULL,
  flow_version TEXT NOT NULL, status TEXT NOT NULL, trigger_type TEXT NOT NULL,
  parameters TEXT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL,
  started_at BIGINT, finished_at BIGINT NOT NULL, failure TEXT, chunks BIGINT NOT NULL,
  tasks TEXT NOT NULL);
CREATE INDEX run_org ON run (org_id, run_id);
CREATE INDEX run_flow ON run (org_id, flow_name, run_id);
CREATE INDEX run_unsuccessful ON run (org_id, status, run_id) WHERE status <> 'SUCCEEDED';
CREATE TABLE run_tasks (
  run_id BIGINT NOT NULL, chunk BIGINT NOT NULL, tasks TEXT NOT NULL,
  PRIMARY KEY (run_id, chunk)) /*without_rowid*/;
CREATE TABLE log_chunks (
  run_id BIGINT NOT NULL, seq BIGINT NOT NULL, first_line BIGINT NOT NULL, task BIGINT NOT NULL,
  attempt BIGINT NOT NULL, lines BIGINT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (run_id, seq, first_line)) /*without_rowid*/;
CREATE TABLE audit_log (
  audit_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, actor_email TEXT NOT NULL,
  actor_type TEXT NOT NULL, action TEXT NOT NULL, resource_type TEXT NOT NULL,
  resource_id TEXT NOT NULL, http_method TEXT NOT NULL, http_path TEXT NOT NULL,
  status_code BIGINT NOT NULL, ip TEXT NOT NULL, changes TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE INDEX audit_log_org ON audit_log (org_id, audit_id);
)sql";

constexpr std::string_view whole_engine = R"sql(
ALTER TABLE run_live ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_live ADD COLUMN concurrency_key TEXT NOT NULL DEFAULT '';
ALTER TABLE run_live ADD COLUMN parent_run BIGINT;
ALTER TABLE run_live ADD COLUMN parent_task BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_live ADD COLUMN depth BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_live ADD COLUMN rerun_of BIGINT;
ALTER TABLE run ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN concurrency_key TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN parent_run BIGINT;
ALTER TABLE run ADD COLUMN parent_task BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN depth BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN rerun_of BIGINT;
ALTER TABLE run ADD COLUMN fingerprint TEXT;
ALTER TABLE run ADD COLUMN failed_task TEXT;
CREATE INDEX run_fingerprint ON run (org_id, fingerprint, run_id) WHERE fingerprint IS NOT NULL;
CREATE TABLE reruns (
  rerun_of BIGINT NOT NULL, run_id BIGINT NOT NULL, PRIMARY KEY (rerun_of, run_id))
  /*without_rowid*/;
CREATE TABLE approvals (
  run_id BIGINT NOT NULL, task BIGINT NOT NULL, org_id TEXT NOT NULL, flow_name TEXT NOT NULL,
  task_id TEXT NOT NULL, map_index BIGINT NOT NULL, message TEXT NOT NULL,
  assignees TEXT NOT NULL, form TEXT NOT NULL, created_at BIGINT NOT NULL, deadline BIGINT,
  PRIMARY KEY (run_id, task)) /*without_rowid*/;
CREATE INDEX approvals_org ON approvals (org_id, run_id, task);
CREATE TABLE task_cache (
  org_id TEXT NOT NULL, cache_key TEXT NOT NULL, output TEXT NOT NULL,
  expires_at BIGINT NOT NULL, PRIMARY KEY (org_id, cache_key)) /*without_rowid*/;
CREATE INDEX task_cache_expiry ON task_cache (expires_at);
)sql";

constexpr std::string_view several_nodes = R"sql(
ALTER TABLE nodes ADD COLUMN instance TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN address TEXT NOT NULL DEFAULT '';
CREATE TABLE objects (sha256 TEXT PRIMARY KEY, put_at BIGINT NOT NULL, data BLOB NOT NULL);
CREATE INDEX objects_age ON objects (put_at);
)sql";

// Organizations that exist get the environments that new ones begin with (store/environments.h);
// SQL makes no random ids, so theirs follow from the organization's.
constexpr std::string_view deployments = R"sql(
CREATE TABLE environments (
  environment_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '', color TEXT NOT NULL DEFAULT '', position BIGINT NOT NULL,
  is_protected INTEGER NOT NULL DEFAULT 0, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  UNIQUE (org_id, slug));
INSERT INTO environments (environment_id, org_id, slug, name, position, created_at, updated_at)
  SELECT 'env_' || substr(org_id, 5, 25) || '1', org_id, 'dev', 'Development', 1, created_at,
  created_at FROM organizations;
INSERT INTO environments (environment_id, org_id, slug, name, position, created_at, updated_at)
  SELECT 'env_' || substr(org_id, 5, 25) || '2', org_id, 'staging', 'Staging', 2, created_at,
  created_at FROM organizations;
INSERT INTO environments (environment_id, org_id, slug, name, position, created_at, updated_at)
  SELECT 'env_' || substr(org_id, 5, 25) || '3', org_id, 'prod', 'Production', 3, created_at,
  created_at FROM organizations;
CREATE TABLE deployments (
  deployment_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, environment_id TEXT NOT NULL,
  deployment_name TEXT NOT NULL, flow_name TEXT NOT NULL, flow_version TEXT NOT NULL,
  previous_flow_version TEXT, execution_mode TEXT NOT NULL, parameters TEXT NOT NULL,
  tags TEXT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL, UNIQUE (org_id, environment_id, deployment_name));
CREATE INDEX deployments_org ON deployments (org_id, deployment_id);
CREATE INDEX deployments_flow ON deployments (org_id, flow_name, flow_version);
UPDATE flows SET flow_id = 'wf_' || substr(flow_id, 5);
ALTER TABLE flows ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE flows ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE flows ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
UPDATE flows SET updated_at = created_at;
CREATE UNIQUE INDEX flows_id ON flows (flow_id);
ALTER TABLE flow_versions ADD COLUMN artifact_uri TEXT;
ALTER TABLE run_live ADD COLUMN deployment_name TEXT NOT NULL DEFAULT '';
ALTER TABLE run_live ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';
ALTER TABLE run_live ADD COLUMN execution_mode TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN deployment_name TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN execution_mode TEXT NOT NULL DEFAULT '';
CREATE INDEX run_deployment ON run (org_id, deployment_name, run_id) WHERE deployment_name <> '';
CREATE TABLE api_keys (
  key_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT NOT NULL,
  key_hash TEXT NOT NULL UNIQUE, key_prefix TEXT NOT NULL, scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL, expires_at BIGINT, last_used_at BIGINT);
CREATE INDEX api_keys_org ON api_keys (org_id, key_id);
ALTER TABLE audit_log ADD COLUMN api_key_id TEXT NOT NULL DEFAULT '';
)sql";

// Signed URLs are good as long as the key that signed them is here.
constexpr std::string_view artifacts = R"sql(
CREATE TABLE server_keys (
  name TEXT PRIMARY KEY, secret TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE artifact_uploads (
  upload_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, filename TEXT NOT NULL,
  content_type TEXT NOT NULL, size_bytes BIGINT NOT NULL, sha256 TEXT NOT NULL,
  part_size BIGINT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL);
CREATE INDEX artifact_uploads_org ON artifact_uploads (org_id);
CREATE INDEX artifact_uploads_expiry ON artifact_uploads (expires_at);
CREATE TABLE artifact_upload_parts (
  upload_id TEXT NOT NULL, part_number BIGINT NOT NULL, object TEXT NOT NULL,
  PRIMARY KEY (upload_id, part_number)) /*without_rowid*/;
CREATE INDEX artifact_upload_parts_object ON artifact_upload_parts (object);
CREATE TABLE artifacts (
  org_id TEXT NOT NULL, sha256 TEXT NOT NULL, filename TEXT NOT NULL,
  content_type TEXT NOT NULL, size_bytes BIGINT NOT NULL, created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL, PRIMARY KEY (org_id, sha256));
CREATE INDEX artifacts_age ON artifacts (created_at);
CREATE TABLE artifact_parts (
  org_id TEXT NOT NULL, sha256 TEXT NOT NULL, part_number BIGINT NOT NULL, object TEXT NOT NULL,
  PRIMARY KEY (org_id, sha256, part_number)) /*without_rowid*/;
CREATE INDEX artifact_parts_object ON artifact_parts (object);
CREATE INDEX flow_versions_artifact ON flow_versions (org_id, artifact_uri)
  WHERE artifact_uri IS NOT NULL;
)sql";

constexpr std::string_view connections = R"sql(
CREATE TABLE master_keys (sealed TEXT PRIMARY KEY);
CREATE TABLE connections (
  connection_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
  config TEXT NOT NULL, password TEXT NOT NULL, created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (org_id, name));
CREATE INDEX connections_org ON connections (org_id, connection_id);
)sql";

constexpr auto all = std::to_array<Migration>({{1, "first schema", first_schema},
                                               {2, "whole engine", whole_engine},
                                               {3, "several nodes", several_nodes},
                                               {4, "deployments", deployments},
                                               {5, "artifacts", artifacts},
                                               {6, "connections", connections}});

base::Result<> run_script(Tx& tx, std::string_view script) {
  while (!script.empty()) {
    std::size_t end = script.find(";\n");
    std::string statement(script.substr(0, end));
    script.remove_prefix(end == std::string_view::npos ? script.size() : end + 2);
    if (statement.find_first_not_of(" \n") == std::string::npos) continue;
    TRY(tx.run(statement, {}));
  }
  return {};
}

base::Result<> check_applied(Tx& tx) {
  std::string mismatch;
  int newest = 0;
  TRY(tx.run("SELECT version, checksum FROM schema_migrations ORDER BY version", {},
             [&](const Row& row) {
               int version = static_cast<int>(row.integer(0));
               newest = version;
               if (version > static_cast<int>(all.size())) return;
               const Migration& known = all[static_cast<std::size_t>(version) - 1];
               if (row.text(1) != base::sha256_hex(known.sql)) mismatch = known.name;
             }));
  if (newest > static_cast<int>(all.size()))
    return base::conflict(fmt::format(
        "the database has schema version {}, this program knows {}: use a newer program", newest,
        all.size()));
  if (!mismatch.empty())
    return base::conflict(fmt::format("migration '{}' was changed after it had run", mismatch));
  return {};
}

}  // namespace

std::span<const Migration> migrations() {
  return all;
}

base::Result<int> schema_version(Tx& tx) {
  TRY(
      tx.run("CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, "
             "name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)",
             {}));
  int version = 0;
  TRY(tx.run("SELECT COALESCE(MAX(version), 0) FROM schema_migrations", {},
             [&](const Row& row) { version = static_cast<int>(row.integer(0)); }));
  return version;
}

base::Result<> migrate(Tx& tx, base::Clock& clock, int last) {
  int version = TRY(schema_version(tx));
  TRY(check_applied(tx));
  for (const Migration& migration : all) {
    if (migration.version <= version || migration.version > last) continue;
    TRY(run_script(tx, migration.sql));
    TRY(
        tx.run("INSERT INTO schema_migrations (version, name, checksum, applied_at) "
               "VALUES (?1, ?2, ?3, ?4)",
               {migration.version, migration.name, base::sha256_hex(migration.sql), clock.now()}));
  }
  return {};
}

}  // namespace store
