// What a connection's tasks are given, with its password. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "auth/sealing.h"
#include "clients/sql.h"
#include "store/connections.h"
#include "store/store.h"

namespace runtime {

class Connections {
 public:
  /// `permitted` is what the operator allows: http_allow, allowed_paths and data_directory of it.
  Connections(store::Store& store, const auth::Sealer& sealer, clients::DatabaseAccess permitted);

  /// By its name. `not_found`.
  base::Result<clients::DatabaseAccess> access(const std::string& org_id,
                                               const std::string& name) const;
  base::Result<clients::DatabaseAccess> access(const store::ConnectionRow& row) const;
  std::string seal_password(const store::ConnectionRow& row, std::string_view password) const;
  /// In the transaction that stores the sealed password.
  base::Result<> mark_key(store::Tx& tx) const { return sealer_.mark_key(tx); }
  /// Adds what the operator allows.
  void permit(clients::DatabaseAccess& access) const;

 private:
  store::Store& store_;
  const auth::Sealer& sealer_;
  const clients::DatabaseAccess permitted_;
};

}  // namespace runtime
