#include "auth/accounts.h"

#include <algorithm>

#include "base/limits.h"
#include "store/environments.h"

namespace auth {

namespace {

// What an address needs to be one; whether it exists only a letter to it can tell.
bool is_email(std::string_view text) {
  std::size_t at = text.find('@');
  if (text.size() > base::limits::email_bytes_max || at == std::string_view::npos || at == 0)
    return false;
  if (at + 1 == text.size() || text.find('@', at + 1) != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

}  // namespace

const base::TextRule email_rule{"must be an e-mail address", "^[^@\\s]+@[^@\\s]+$", is_email};

std::string normalized_email(std::string_view email) {
  std::string lower(email);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

base::Result<bool> has_users(store::Tx& tx) {
  bool any = false;
  TRY(tx.run("SELECT 1 FROM users LIMIT 1", {}, [&](const store::Row&) { any = true; }));
  return any;
}

base::Result<std::optional<User>> find_user(store::Tx& tx, const std::string& email) {
  std::optional<User> user;
  TRY(
      tx.run("SELECT user_id, email, password_hash, one_time_password, super_admin FROM users "
             "WHERE email = ?1",
             {normalized_email(email)}, [&](const store::Row& row) {
               user = User{row.string(0), row.string(1), row.string(2), row.integer(3) != 0,
                           row.integer(4) != 0};
             }));
  return user;
}

base::Result<> insert_organization(store::Tx& tx, Tenancy tenancy, const std::string& org_id,
                                   const std::string& name, const std::string& slug,
                                   base::Timestamp now) {
  bool first = true;
  TRY(tx.run("SELECT 1 FROM organizations LIMIT 1", {}, [&](const store::Row&) { first = false; }));
  if (!first && tenancy == Tenancy::one)
    return base::conflict(
        "tasks of two organizations are not isolated from each other on this machine: set "
        "DAGY_ALLOW_UNISOLATED=1 to allow it");
  std::int64_t written =
      TRY(tx.run("INSERT INTO organizations (org_id, name, slug, created_at) "
                 "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                 {org_id, name, slug, now}));
  if (written == 0) return base::conflict("an organization '" + slug + "' exists");
  return store::insert_first_environments(tx, org_id, now);
}

base::Result<std::optional<std::string>> find_organization(store::Tx& tx, const std::string& slug) {
  std::optional<std::string> org_id;
  TRY(tx.run("SELECT org_id FROM organizations WHERE slug = ?1", {slug},
             [&](const store::Row& row) { org_id = row.string(0); }));
  return org_id;
}

base::Result<> insert_user(store::Tx& tx, const User& user, base::Timestamp now) {
  std::int64_t written = TRY(
      tx.run("INSERT INTO users (user_id, email, password_hash, one_time_password, super_admin, "
             "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
             {user.user_id, normalized_email(user.email), user.password_hash,
              user.one_time_password, user.super_admin, now}));
  if (written == 0) return base::conflict("a user " + user.email + " exists");
  return {};
}

base::Result<> set_role(store::Tx& tx, const std::string& org_id, const std::string& user_id,
                        model::Role role, base::Timestamp now) {
  TRY(
      tx.run("INSERT INTO memberships (org_id, user_id, role, joined_at) VALUES (?1, ?2, ?3, ?4) "
             "ON CONFLICT (org_id, user_id) DO UPDATE SET role = excluded.role",
             {org_id, user_id, base::name_of(role), now}));
  return {};
}

base::Result<> set_super_admin(store::Tx& tx, const std::string& user_id, bool super_admin) {
  TRY(tx.run("UPDATE users SET super_admin = ?2 WHERE user_id = ?1", {user_id, super_admin}));
  return {};
}

base::Result<> set_password(store::Tx& tx, const std::string& user_id, const std::string& hash) {
  TRY(tx.run("UPDATE users SET password_hash = ?2, one_time_password = 0 WHERE user_id = ?1",
             {user_id, hash}));
  TRY(tx.run("DELETE FROM access_tokens WHERE user_id = ?1", {user_id}));
  return {};
}

base::Result<std::optional<Identity>> find_membership(store::Tx& tx, const User& user,
                                                      const std::optional<std::string>& org_id) {
  std::optional<Identity> identity;
  TRY(tx.run(
      "SELECT m.org_id, o.name, m.role FROM memberships m JOIN organizations o ON o.org_id "
      "= m.org_id WHERE m.user_id = ?1 AND (?2 IS NULL OR m.org_id = ?2) "
      "ORDER BY m.joined_at, m.org_id LIMIT 1",
      {user.user_id, org_id}, [&](const store::Row& row) {
        identity =
            Identity{user.user_id,
                     user.email,
                     row.string(0),
                     row.string(1),
                     base::enum_from_name<model::Role>(row.text(2)).value_or(model::Role::viewer),
                     user.super_admin};
      }));
  return identity;
}

base::Result<> insert_token(store::Tx& tx, const std::string& token_hash, const Identity& identity,
                            base::Timestamp now, base::Timestamp expires_at) {
  TRY(
      tx.run("INSERT INTO access_tokens (token_hash, user_id, org_id, created_at, expires_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5)",
             {token_hash, identity.user_id, identity.org_id, now, expires_at}));
  return {};
}

base::Result<> delete_token(store::Tx& tx, const std::string& token_hash) {
  TRY(tx.run("DELETE FROM access_tokens WHERE token_hash = ?1", {token_hash}));
  return {};
}

base::Result<std::optional<std::pair<Identity, base::Timestamp>>> find_token(
    store::Tx& tx, const std::string& token_hash, base::Timestamp now) {
  std::optional<std::pair<Identity, base::Timestamp>> found;
  TRY(tx.run(
      "SELECT u.user_id, u.email, m.org_id, o.name, m.role, u.super_admin, t.expires_at "
      "FROM access_tokens t JOIN users u ON u.user_id = t.user_id "
      "JOIN memberships m ON m.user_id = t.user_id AND m.org_id = t.org_id "
      "JOIN organizations o ON o.org_id = t.org_id "
      "WHERE t.token_hash = ?1 AND t.expires_at > ?2",
      {token_hash, now}, [&](const store::Row& row) {
        found.emplace(
            Identity{row.string(0), row.string(1), row.string(2), row.string(3),
                     base::enum_from_name<model::Role>(row.text(4)).value_or(model::Role::viewer),
                     row.integer(5) != 0},
            row.timestamp(6));
      }));
  return found;
}

base::Result<> delete_expired_tokens(store::Tx& tx, base::Timestamp now) {
  TRY(tx.run("DELETE FROM access_tokens WHERE expires_at <= ?1", {now}));
  return {};
}

}  // namespace auth
