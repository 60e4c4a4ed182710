// API keys as rows. Functions of one transaction. A key acts as the person who made it: its rights
// are its scopes within that person's present role, and it ends with their membership.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/accounts.h"

namespace auth {

struct ApiKey {
  std::string key_id;
  std::string org_id;
  std::string user_id;
  std::string name;
  std::string key_prefix;  // what a person knows it by
  model::Scopes scopes;
  base::Timestamp created_at;
  std::optional<base::Timestamp> expires_at;
  std::optional<base::Timestamp> last_used_at;  // to ten seconds
};

/// Error `conflict` beyond api_keys_max of the organization.
base::Result<> insert_key(store::Tx& tx, const ApiKey& key, const std::string& key_hash);
/// `not_found`.
base::Result<ApiKey> find_key(store::Tx& tx, const std::string& org_id, const std::string& key_id);
base::Result<> delete_key(store::Tx& tx, const std::string& org_id, const std::string& key_id);
/// Newest first, with a key_id below `before`.
base::Result<std::vector<ApiKey>> list_keys(store::Tx& tx, const std::string& org_id,
                                            const std::optional<std::string>& before,
                                            std::size_t limit);
base::Result<> set_last_used(store::Tx& tx, const std::string& key_id, base::Timestamp at);

/// The identity behind a key that has not expired, with its maker's present role, and when it ends.
base::Result<std::optional<std::pair<Identity, base::Timestamp>>> find_identity(
    store::Tx& tx, const std::string& key_hash, base::Timestamp now);

}  // namespace auth
