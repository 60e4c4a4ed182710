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
  /// `http_allow` and `allowed_paths` are the settings of those names.
  Connections(store::Store& store, const auth::Sealer& sealer, std::string http_allow,
              std::vector<std::string> allowed_paths);

  /// By its name. `not_found`.
  base::Result<clients::DatabaseAccess> access(const std::string& org_id,
                                               const std::string& name) const;
  base::Result<clients::DatabaseAccess> access(const store::ConnectionRow& row) const;
  std::string seal_password(const store::ConnectionRow& row, std::string_view password) const;
  /// In the transaction that stores the sealed password.
  base::Result<> mark_key(store::Tx& tx) const { return sealer_.mark_key(tx); }
  const std::vector<std::string>& allowed_paths() const { return allowed_paths_; }

 private:
  store::Store& store_;
  const auth::Sealer& sealer_;
  const std::string http_allow_;
  const std::vector<std::string> allowed_paths_;
};

}  // namespace runtime
