#include "store/connections.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace store {

namespace limits = base::limits;

namespace {

constexpr std::string_view columns =
    "connection_id, org_id, name, type, config, password, created_by, created_at, updated_at";

ConnectionRow read_row(const Row& row) {
  return {row.string(0), row.string(1), row.string(2),    row.string(3),   row.string(4),
          row.string(5), row.string(6), row.timestamp(7), row.timestamp(8)};
}

base::Result<ConnectionRow> find_one(Tx& tx, std::string_view column, const std::string& org_id,
                                     const std::string& value) {
  std::optional<ConnectionRow> found;
  TRY(tx.run(
      fmt::format("SELECT {} FROM connections WHERE org_id = ?1 AND {} = ?2", columns, column),
      {org_id, value}, [&](const Row& row) { found = read_row(row); }));
  if (!found) return base::not_found(fmt::format("no connection {}", value));
  return std::move(*found);
}

base::Result<> check_name(Tx& tx, const ConnectionRow& row) {
  bool taken = false;
  TRY(tx.run("SELECT 1 FROM connections WHERE org_id = ?1 AND name = ?2 AND connection_id <> ?3",
             {row.org_id, row.name, row.connection_id}, [&](const Row&) { taken = true; }));
  if (taken) return base::conflict(fmt::format("a connection {} exists", row.name));
  return {};
}

}  // namespace

base::Result<> insert_connection(Tx& tx, const ConnectionRow& row) {
  std::int64_t present = 0;
  TRY(tx.run("SELECT COUNT(*) FROM connections WHERE org_id = ?1", {row.org_id},
             [&](const Row& count) { present = count.integer(0); }));
  if (present >= static_cast<std::int64_t>(limits::connections_of_organization_max))
    return base::conflict(fmt::format("an organization has at most {} connections",
                                      limits::connections_of_organization_max));
  TRY(check_name(tx, row));
  TRY(
      tx.run("INSERT INTO connections (connection_id, org_id, name, type, config, password, "
             "created_by, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
             {row.connection_id, row.org_id, row.name, row.type, row.config, row.password,
              row.created_by, row.created_at, row.updated_at}));
  return {};
}

base::Result<> update_connection(Tx& tx, const ConnectionRow& row) {
  TRY(check_name(tx, row));
  TRY(
      tx.run("UPDATE connections SET name = ?2, config = ?3, password = ?4, updated_at = ?5 WHERE "
             "connection_id = ?1",
             {row.connection_id, row.name, row.config, row.password, row.updated_at}));
  return {};
}

base::Result<> delete_connection(Tx& tx, const ConnectionRow& row) {
  TRY(tx.run("DELETE FROM connections WHERE connection_id = ?1", {row.connection_id}));
  return {};
}

base::Result<ConnectionRow> find_connection(Tx& tx, const std::string& org_id,
                                            const std::string& connection_id) {
  return find_one(tx, "connection_id", org_id, connection_id);
}

base::Result<ConnectionRow> find_connection_named(Tx& tx, const std::string& org_id,
                                                  const std::string& name) {
  return find_one(tx, "name", org_id, name);
}

base::Result<std::vector<ConnectionRow>> list_connections(Tx& tx, const std::string& org_id,
                                                          const std::optional<std::string>& before,
                                                          std::size_t limit) {
  std::vector<ConnectionRow> rows;
  TRY(tx.run(fmt::format("SELECT {} FROM connections WHERE org_id = ?1 AND (?2 IS NULL OR "
                         "connection_id < ?2) ORDER BY connection_id DESC LIMIT ?3",
                         columns),
             {org_id, before, limit}, [&](const Row& row) { rows.push_back(read_row(row)); }));
  return rows;
}

}  // namespace store
