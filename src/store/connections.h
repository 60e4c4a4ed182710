// Connections: how an organization's tasks reach databases. Functions of one transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/tx.h"

namespace store {

struct ConnectionRow {
  std::string connection_id;
  std::string org_id;
  std::string name;
  std::string type;      // postgresql, sqlite
  std::string config;    // JSON object: what is no secret
  std::string password;  // sealed; empty: none
  std::string created_by;
  base::Timestamp created_at;
  base::Timestamp updated_at;
};

/// Error `conflict` when the name is taken, or the organization has as many as it may.
base::Result<> insert_connection(Tx& tx, const ConnectionRow& row);
/// Writes name, config, password and updated_at. `conflict` when the name is taken.
base::Result<> update_connection(Tx& tx, const ConnectionRow& row);
base::Result<> delete_connection(Tx& tx, const ConnectionRow& row);
/// `not_found`.
base::Result<ConnectionRow> find_connection(Tx& tx, const std::string& org_id,
                                            const std::string& connection_id);
base::Result<ConnectionRow> find_connection_named(Tx& tx, const std::string& org_id,
                                                  const std::string& name);
/// Newest first, with a connection_id below `before`.
base::Result<std::vector<ConnectionRow>> list_connections(Tx& tx, const std::string& org_id,
                                                          const std::optional<std::string>& before,
                                                          std::size_t limit);

}  // namespace store
