#include "runtime/connections.h"

namespace runtime {

namespace {

std::string context_of(const store::ConnectionRow& row) {
  return "connection\n" + row.org_id + '\n' + row.connection_id;
}

}  // namespace

Connections::Connections(store::Store& store, const auth::Sealer& sealer,
                         clients::DatabaseAccess permitted)
    : store_(store), sealer_(sealer), permitted_(std::move(permitted)) {}

void Connections::permit(clients::DatabaseAccess& access) const {
  access.http_allow = permitted_.http_allow;
  access.allowed_paths = permitted_.allowed_paths;
  access.data_directory = permitted_.data_directory;
}

base::Result<clients::DatabaseAccess> Connections::access(const std::string& org_id,
                                                          const std::string& name) const {
  store::ConnectionRow row;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_connection_named(tx, org_id, name));
    return {};
  }));
  return access(row);
}

base::Result<clients::DatabaseAccess> Connections::access(const store::ConnectionRow& row) const {
  auto config = TRY(base::JsonDocument::parse(row.config));
  auto access = TRY(base::read_struct<clients::DatabaseAccess>(config->root()));
  if (!row.password.empty()) access.password = TRY(sealer_.unseal(row.password, context_of(row)));
  permit(access);
  return access;
}

std::string Connections::seal_password(const store::ConnectionRow& row,
                                       std::string_view password) const {
  return password.empty() ? "" : sealer_.seal(password, context_of(row));
}

}  // namespace runtime
