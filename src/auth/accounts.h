// Organizations, users and their access tokens, as rows. Functions of one transaction.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "model/permission.h"
#include "store/tx.h"

namespace auth {

/// Who a request comes from: one person in one organization.
struct Identity {
  std::string user_id;
  std::string email;
  std::string org_id;
  std::string org_name;
  model::Role role = model::Role::viewer;
  bool super_admin = false;
  std::string api_key_id = {};  // empty: a person's own credential
  model::Scopes scopes = {};    // of the key

  bool may(model::Permission permission) const {
    return model::has_permission(role, permission) && scopes.allows(permission);
  }
};

struct User {
  std::string user_id;
  std::string email;
  std::string password_hash;
  bool one_time_password = false;
  bool super_admin = false;
};

/// Lower case, as accounts are keyed.
std::string normalized_email(std::string_view email);
extern const base::TextRule email_rule;

base::Result<bool> has_users(store::Tx& tx);
base::Result<std::optional<User>> find_user(store::Tx& tx, const std::string& email);
/// How many organizations a server may have. One, where their tasks are not isolated from each
/// other, unless DAGY_ALLOW_UNISOLATED=1.
enum class Tenancy { one, several };

/// Error `conflict` when the slug is taken, or when there is one already and no more are allowed.
base::Result<> insert_organization(store::Tx& tx, Tenancy tenancy, const std::string& org_id,
                                   const std::string& name, const std::string& slug,
                                   base::Timestamp now);
base::Result<std::optional<std::string>> find_organization(store::Tx& tx, const std::string& slug);
/// Error `conflict` when the e-mail is taken.
base::Result<> insert_user(store::Tx& tx, const User& user, base::Timestamp now);
/// Adds the membership or changes its role.
base::Result<> set_role(store::Tx& tx, const std::string& org_id, const std::string& user_id,
                        model::Role role, base::Timestamp now);
base::Result<> set_super_admin(store::Tx& tx, const std::string& user_id, bool super_admin);
/// Ends the one-time password and every access token of the user.
base::Result<> set_password(store::Tx& tx, const std::string& user_id, const std::string& hash);

/// The user's membership of `org_id`, or the oldest one; nothing when there is none.
base::Result<std::optional<Identity>> find_membership(store::Tx& tx, const User& user,
                                                      const std::optional<std::string>& org_id);

base::Result<> insert_token(store::Tx& tx, const std::string& token_hash, const Identity& identity,
                            base::Timestamp now, base::Timestamp expires_at);
base::Result<> delete_token(store::Tx& tx, const std::string& token_hash);
/// The identity behind a token that has not expired, with its present role.
base::Result<std::optional<std::pair<Identity, base::Timestamp>>> find_token(
    store::Tx& tx, const std::string& token_hash, base::Timestamp now);
base::Result<> delete_expired_tokens(store::Tx& tx, base::Timestamp now);

}  // namespace auth
