#include "auth/api_keys.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace auth {

namespace limits = base::limits;

namespace {

constexpr std::string_view columns =
    "key_id, org_id, user_id, name, key_prefix, scopes, created_at, expires_at, last_used_at";

// Names, separated by spaces; nothing where the role alone decides.
std::string scopes_text(const model::Scopes& scopes) {
  std::string text;
  for (const base::EnumName& name : enum_names(model::Permission{}))
    if (scopes.is_listed(static_cast<model::Permission>(name.value)))
      text += (text.empty() ? "" : " ") + std::string(name.name);
  return text;
}

// A scope that this program does not know gives nothing.
model::Scopes scopes_from_text(std::string_view text) {
  model::Scopes scopes;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(' '), text.size());
    scopes.restrict();
    if (auto known = base::enum_from_name<model::Permission>(text.substr(0, end)))
      scopes.add(*known);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return scopes;
}

ApiKey read_key(const store::Row& row) {
  return {row.string(0),
          row.string(1),
          row.string(2),
          row.string(3),
          row.string(4),
          scopes_from_text(row.text(5)),
          row.timestamp(6),
          row.optional_timestamp(7),
          row.optional_timestamp(8)};
}

}  // namespace

base::Result<> insert_key(store::Tx& tx, const ApiKey& key, const std::string& key_hash) {
  std::int64_t present = 0;
  TRY(tx.run("SELECT COUNT(*) FROM api_keys WHERE org_id = ?1", {key.org_id},
             [&](const store::Row& row) { present = row.integer(0); }));
  if (present >= static_cast<std::int64_t>(limits::api_keys_max))
    return base::conflict(fmt::format("an organization has at most {} keys", limits::api_keys_max));
  TRY(
      tx.run("INSERT INTO api_keys (key_id, org_id, user_id, name, key_hash, key_prefix, scopes, "
             "created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
             {key.key_id, key.org_id, key.user_id, key.name, key_hash, key.key_prefix,
              scopes_text(key.scopes), key.created_at, key.expires_at}));
  return {};
}

base::Result<ApiKey> find_key(store::Tx& tx, const std::string& org_id, const std::string& key_id) {
  std::optional<ApiKey> found;
  TRY(tx.run(fmt::format("SELECT {} FROM api_keys WHERE org_id = ?1 AND key_id = ?2", columns),
             {org_id, key_id}, [&](const store::Row& row) { found = read_key(row); }));
  if (!found) return base::not_found("no API key " + key_id);
  return std::move(*found);
}

base::Result<> delete_key(store::Tx& tx, const std::string& org_id, const std::string& key_id) {
  TRY(tx.run("DELETE FROM api_keys WHERE org_id = ?1 AND key_id = ?2", {org_id, key_id}));
  return {};
}

base::Result<std::vector<ApiKey>> list_keys(store::Tx& tx, const std::string& org_id,
                                            const std::optional<std::string>& before,
                                            std::size_t limit) {
  std::vector<ApiKey> keys;
  TRY(tx.run(fmt::format("SELECT {} FROM api_keys WHERE org_id = ?1 AND (?2 IS NULL OR key_id < "
                         "?2) ORDER BY key_id DESC LIMIT ?3",
                         columns),
             {org_id, before, limit},
             [&](const store::Row& row) { keys.push_back(read_key(row)); }));
  return keys;
}

base::Result<> set_last_used(store::Tx& tx, const std::string& key_id, base::Timestamp at) {
  TRY(tx.run("UPDATE api_keys SET last_used_at = ?2 WHERE key_id = ?1", {key_id, at}));
  return {};
}

base::Result<std::optional<std::pair<Identity, base::Timestamp>>> find_identity(
    store::Tx& tx, const std::string& key_hash, base::Timestamp now) {
  std::optional<std::pair<Identity, base::Timestamp>> found;
  TRY(
      tx.run("SELECT u.user_id, u.email, m.org_id, o.name, m.role, k.key_id, k.scopes, "
             "k.expires_at FROM api_keys k JOIN users u ON u.user_id = k.user_id "
             "JOIN memberships m ON m.user_id = k.user_id AND m.org_id = k.org_id "
             "JOIN organizations o ON o.org_id = k.org_id "
             "WHERE k.key_hash = ?1 AND (k.expires_at IS NULL OR k.expires_at > ?2)",
             {key_hash, now}, [&](const store::Row& row) {
               Identity identity{
                   row.string(0),
                   row.string(1),
                   row.string(2),
                   row.string(3),
                   base::enum_from_name<model::Role>(row.text(4)).value_or(model::Role::viewer),
                   /*super_admin=*/false};  // that is for people
               identity.api_key_id = row.string(5);
               identity.scopes = scopes_from_text(row.text(6));
               found.emplace(std::move(identity),
                             row.optional_timestamp(7).value_or(base::Timestamp::max()));
             }));
  return found;
}

}  // namespace auth
