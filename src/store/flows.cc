#include "store/flows.h"

#include <fmt/format.h>

#include "base/json.h"

namespace store {

namespace {

constexpr std::string_view columns =
    "v.org_id, v.flow_name, v.serial, v.flow_version, v.namespace, v.tags, v.spec, v.identity, "
    "v.status, v.created_by, v.created_at, v.artifact_uri, f.flow_id, f.status";

constexpr std::string_view versions =
    "flow_versions v JOIN flows f ON f.org_id = v.org_id AND f.flow_name = v.flow_name";

FlowVersionRow read_row(const Row& row) {
  return {row.string(0),  row.string(1),           row.integer(2),
          row.string(3),  row.optional_string(4),  row.string(5),
          row.string(6),  row.string(7),           row.text(8) == "DELETED",
          row.string(9),  row.timestamp(10),       row.optional_string(11),
          row.string(12), row.text(13) == "active"};
}

base::Result<std::optional<FlowVersionRow>> find_one(Tx& tx, const std::string& condition,
                                                     std::initializer_list<Bind> binds) {
  std::optional<FlowVersionRow> found;
  TRY(tx.run(fmt::format("SELECT {} FROM {} WHERE v.org_id = ?1 AND v.flow_name = ?2 "
                         "AND {} ORDER BY v.serial DESC LIMIT 1",
                         columns, versions, condition),
             binds, [&](const Row& row) { found = read_row(row); }));
  return found;
}

// The next free number: labels that an author gave may look like numbers too.
base::Result<std::string> next_number(Tx& tx, const FlowVersionRow& row) {
  for (std::int64_t number = row.serial;; ++number) {
    auto taken = TRY(
        find_one(tx, "v.flow_version = ?3", {row.org_id, row.flow_name, std::to_string(number)}));
    if (!taken) return std::to_string(number);
  }
}

base::Result<> insert_version(Tx& tx, const FlowVersionRow& row) {
  TRY(
      tx.run("INSERT INTO flow_versions (org_id, flow_name, serial, flow_version, namespace, tags, "
             "spec, identity, status, created_by, created_at, artifact_uri) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'ACTIVE', ?9, ?10, ?11)",
             {row.org_id, row.flow_name, row.serial, row.flow_version, row.namespace_name, row.tags,
              row.spec, row.identity, row.created_by, row.created_at, row.artifact_uri}));
  return {};
}

bool tag_matches(const FlowVersionRow& row, const FlowFilter& filter) {
  if (!filter.tag) return true;
  auto document = base::JsonDocument::parse(row.tags);
  if (!document) return false;
  auto value = (*document)->root().find(filter.tag->first);
  return value && (!filter.tag->second || value->string_equals(*filter.tag->second));
}

}  // namespace

namespace {

base::Result<RegisteredFlow> revived(Tx& tx, FlowVersionRow row) {
  if (!row.deleted) return RegisteredFlow{std::move(row), false};
  TRY(
      tx.run("UPDATE flow_versions SET status = 'ACTIVE' WHERE org_id = ?1 AND flow_name = ?2 AND "
             "serial = ?3",
             {row.org_id, row.flow_name, row.serial}));
  row.deleted = false;
  return RegisteredFlow{std::move(row), true};
}

}  // namespace

base::Result<RegisteredFlow> register_flow(Tx& tx, FlowVersionRow row,
                                           const std::string& new_flow_id) {
  std::optional<FlowVersionRow> same;
  if (row.flow_version.empty()) {
    same = TRY(find_one(tx, "v.identity = ?3", {row.org_id, row.flow_name, row.identity}));
  } else {
    same = TRY(find_one(tx, "v.flow_version = ?3", {row.org_id, row.flow_name, row.flow_version}));
    if (same && same->identity != row.identity)
      return base::conflict(
          fmt::format("version {} of flow {} {} with another specification or "
                      "artifact; a version never changes",
                      row.flow_version, row.flow_name, same->deleted ? "existed" : "exists"));
  }
  if (same) return revived(tx, std::move(*same));
  TRY(
      tx.run("INSERT INTO flows (org_id, flow_name, flow_id, versions, created_at, updated_at) "
             "VALUES (?1, ?2, ?3, 1, ?4, ?4) ON CONFLICT (org_id, flow_name) DO UPDATE SET "
             "versions = flows.versions + 1, updated_at = excluded.updated_at",
             {row.org_id, row.flow_name, new_flow_id, row.created_at}));
  TRY(
      tx.run("SELECT versions, flow_id, status FROM flows WHERE org_id = ?1 AND "
             "flow_name = ?2",
             {row.org_id, row.flow_name}, [&](const Row& found) {
               row.serial = found.integer(0);
               row.workflow_id = found.string(1);
               row.active = found.text(2) == "active";
             }));
  if (row.flow_version.empty()) row.flow_version = TRY(next_number(tx, row));
  TRY(insert_version(tx, row));
  return RegisteredFlow{std::move(row), true};
}

base::Result<FlowVersionRow> find_flow_version(Tx& tx, const std::string& org_id,
                                               const std::string& flow_name,
                                               const std::optional<std::string>& version,
                                               Deleted deleted) {
  std::string condition = version ? "v.flow_version = ?3" : "?3 IS NULL";
  if (deleted == Deleted::hidden) condition += " AND v.status <> 'DELETED'";
  auto found = TRY(find_one(tx, condition, {org_id, flow_name, version}));
  if (found) return std::move(*found);
  return base::not_found(version ? fmt::format("no version {} of flow {}", *version, flow_name)
                                 : fmt::format("no flow {}", flow_name));
}

base::Result<> delete_flow_version(Tx& tx, const std::string& org_id, const std::string& flow_name,
                                   const std::string& version) {
  TRY(find_flow_version(tx, org_id, flow_name, version));
  std::string bound;
  TRY(
      tx.run("SELECT deployment_name FROM deployments WHERE org_id = ?1 AND flow_name = ?2 AND "
             "flow_version = ?3 LIMIT 1",
             {org_id, flow_name, version}, [&](const Row& row) { bound = row.string(0); }));
  if (!bound.empty())
    return base::conflict(
        fmt::format("deployment {} is bound to version {} of flow {}", bound, version, flow_name));
  TRY(
      tx.run("UPDATE flow_versions SET status = 'DELETED' WHERE org_id = ?1 AND flow_name = ?2 AND "
             "flow_version = ?3",
             {org_id, flow_name, version}));
  return {};
}

base::Result<std::vector<FlowVersionRow>> list_flows(Tx& tx, const std::string& org_id,
                                                     const FlowFilter& filter,
                                                     const std::optional<std::string>& before,
                                                     std::size_t limit) {
  std::vector<FlowVersionRow> flows;
  TRY(tx.run(
      fmt::format("SELECT {} FROM {} AND v.serial = (SELECT MAX(serial) FROM flow_versions AS "
                  "newest WHERE newest.org_id = f.org_id AND newest.flow_name = f.flow_name AND "
                  "newest.status <> 'DELETED') WHERE f.org_id = ?1 AND (?2 IS NULL OR v.namespace "
                  "= ?2) AND (?3 IS NULL OR CASE f.status WHEN 'active' THEN 1 ELSE 0 END = ?3) "
                  "AND (?4 IS NULL OR "
                  "f.flow_id < ?4) ORDER BY f.flow_id DESC LIMIT ?5",
                  columns, versions),
      {org_id, filter.namespace_name, filter.active, before,
       filter.tag ? INT64_MAX : static_cast<std::int64_t>(limit)},  // tags are looked at here
      [&](const Row& row) {
        if (flows.size() == limit) return;
        FlowVersionRow version = read_row(row);
        if (tag_matches(version, filter)) flows.push_back(std::move(version));
      }));
  return flows;
}

base::Result<std::vector<FlowVersionRow>> list_flow_versions(Tx& tx, const std::string& org_id,
                                                             const std::string& flow_name,
                                                             std::optional<std::int64_t> before,
                                                             std::size_t limit) {
  TRY(find_flow_version(tx, org_id, flow_name, std::nullopt));
  std::vector<FlowVersionRow> rows;
  TRY(tx.run(fmt::format("SELECT {} FROM {} WHERE v.org_id = ?1 AND v.flow_name = ?2 AND v.status "
                         "<> 'DELETED' AND (?3 IS NULL OR v.serial < ?3) ORDER BY v.serial DESC "
                         "LIMIT ?4",
                         columns, versions),
             {org_id, flow_name, before, limit},
             [&](const Row& row) { rows.push_back(read_row(row)); }));
  return rows;
}

base::Result<WorkflowRow> find_workflow(Tx& tx, const std::string& org_id,
                                        const std::string& workflow_id) {
  std::optional<WorkflowRow> found;
  TRY(
      tx.run("SELECT flow_id, flow_name, status, description, versions, created_at, updated_at "
             "FROM flows WHERE org_id = ?1 AND flow_id = ?2",
             {org_id, workflow_id}, [&](const Row& row) {
               found = WorkflowRow{row.string(0),  row.string(1),    row.string(2),   row.string(3),
                                   row.integer(4), row.timestamp(5), row.timestamp(6)};
             }));
  if (!found) return base::not_found(fmt::format("no workflow {}", workflow_id));
  return std::move(*found);
}

base::Result<> update_workflow(Tx& tx, const WorkflowRow& row) {
  TRY(tx.run("UPDATE flows SET status = ?2, description = ?3, updated_at = ?4 WHERE flow_id = ?1",
             {row.workflow_id, row.status, row.description, row.updated_at}));
  return {};
}

}  // namespace store
