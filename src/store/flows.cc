#include "store/flows.h"

#include <fmt/format.h>

#include "base/json.h"

namespace store {

namespace {

constexpr std::string_view columns =
    "v.org_id, v.flow_name, v.serial, v.flow_version, v.namespace, v.tags, v.spec, v.identity, "
    "v.status, v.created_by, v.created_at";

FlowVersionRow read_row(const Row& row) {
  return {row.string(0),          row.string(1), row.integer(2),   row.string(3),
          row.optional_string(4), row.string(5), row.string(6),    row.string(7),
          row.string(8),          row.string(9), row.timestamp(10)};
}

base::Result<std::optional<FlowVersionRow>> find_one(Tx& tx, const std::string& condition,
                                                     std::initializer_list<Bind> binds) {
  std::optional<FlowVersionRow> found;
  TRY(tx.run(fmt::format("SELECT {} FROM flow_versions v WHERE v.org_id = ?1 AND v.flow_name = ?2 "
                         "AND {} ORDER BY v.serial DESC LIMIT 1",
                         columns, condition),
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
             "spec, identity, status, created_by, created_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
             {row.org_id, row.flow_name, row.serial, row.flow_version, row.namespace_name, row.tags,
              row.spec, row.identity, row.status, row.created_by, row.created_at}));
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

base::Result<RegisteredFlow> register_flow(Tx& tx, FlowVersionRow row,
                                           const std::string& new_flow_id) {
  std::optional<FlowVersionRow> same;
  if (row.flow_version.empty()) {
    same = TRY(find_one(tx, "v.identity = ?3", {row.org_id, row.flow_name, row.identity}));
  } else {
    same = TRY(find_one(tx, "v.flow_version = ?3", {row.org_id, row.flow_name, row.flow_version}));
    if (same && same->identity != row.identity)
      return base::conflict(fmt::format("version {} of flow {} exists with another specification",
                                        row.flow_version, row.flow_name));
  }
  if (same) return RegisteredFlow{std::move(*same), false};
  TRY(
      tx.run("INSERT INTO flows (org_id, flow_name, flow_id, versions, created_at) "
             "VALUES (?1, ?2, ?3, 1, ?4) "
             "ON CONFLICT (org_id, flow_name) DO UPDATE SET versions = flows.versions + 1",
             {row.org_id, row.flow_name, new_flow_id, row.created_at}));
  TRY(tx.run("SELECT versions FROM flows WHERE org_id = ?1 AND flow_name = ?2",
             {row.org_id, row.flow_name},
             [&](const Row& found) { row.serial = found.integer(0); }));
  if (row.flow_version.empty()) row.flow_version = TRY(next_number(tx, row));
  TRY(insert_version(tx, row));
  return RegisteredFlow{std::move(row), true};
}

base::Result<FlowVersionRow> find_flow_version(Tx& tx, const std::string& org_id,
                                               const std::string& flow_name,
                                               const std::optional<std::string>& version) {
  auto found = version ? TRY(find_one(tx, "v.flow_version = ?3", {org_id, flow_name, *version}))
                       : TRY(find_one(tx, "v.status = 'ACTIVE'", {org_id, flow_name}));
  if (found) return std::move(*found);
  return base::not_found(version ? fmt::format("no version {} of flow {}", *version, flow_name)
                                 : fmt::format("no flow {}", flow_name));
}

base::Result<std::vector<std::pair<std::string, FlowVersionRow>>> list_flows(
    Tx& tx, const std::string& org_id, const FlowFilter& filter,
    const std::optional<std::string>& before, std::size_t limit) {
  std::vector<std::pair<std::string, FlowVersionRow>> flows;
  TRY(tx.run(
      fmt::format("SELECT {}, f.flow_id FROM flows f JOIN flow_versions v ON "
                  "v.org_id = f.org_id AND v.flow_name = f.flow_name AND v.serial = "
                  "f.versions WHERE f.org_id = ?1 AND (?2 IS NULL OR v.namespace = ?2) AND "
                  "(?3 IS NULL OR v.status = ?3) AND (?4 IS NULL OR f.flow_id < ?4) "
                  "ORDER BY f.flow_id DESC LIMIT ?5",
                  columns),
      {org_id, filter.namespace_name, filter.status, before,
       filter.tag ? INT64_MAX : static_cast<std::int64_t>(limit)},  // tags are looked at here
      [&](const Row& row) {
        if (flows.size() == limit) return;
        FlowVersionRow version = read_row(row);
        if (tag_matches(version, filter)) flows.emplace_back(row.string(11), version);
      }));
  return flows;
}

base::Result<std::vector<FlowVersionRow>> list_flow_versions(Tx& tx, const std::string& org_id,
                                                             const std::string& flow_name,
                                                             std::optional<std::int64_t> before,
                                                             std::size_t limit) {
  TRY(find_flow_version(tx, org_id, flow_name, std::nullopt));
  std::vector<FlowVersionRow> versions;
  TRY(tx.run(fmt::format("SELECT {} FROM flow_versions v WHERE v.org_id = ?1 AND v.flow_name = ?2 "
                         "AND (?3 IS NULL OR v.serial < ?3) ORDER BY v.serial DESC LIMIT ?4",
                         columns),
             {org_id, flow_name, before, limit},
             [&](const Row& row) { versions.push_back(read_row(row)); }));
  return versions;
}

}  // namespace store
