// API keys: credentials of servers, which act as the person who made them.
#include <fmt/format.h>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "auth/api_keys.h"
#include "base/ids.h"
#include "base/limits.h"
#include "store/engine_sql.h"

namespace api {

using base::field;
using base::Fields;
using model::Permission;
namespace limits = base::limits;

namespace {

constexpr std::size_t shown_bytes = 12;  // of a key: "dagy_sk_" and four more

struct KeyRequest {
  std::string name;
  std::vector<Permission> scopes;
  std::optional<base::Timestamp> expires_at;
  static const Fields& fields() {
    using S = KeyRequest;
    static const Fields fields(
        "ApiKeyRequest",
        {field<&S::name>("name", "for people").required().length(1, limits::label_bytes_max),
         field<&S::scopes>("scopes", "what it may do, within its maker's role; empty: all of that")
             .length(0, 100),
         field<&S::expires_at>("expires_at", "in the future; never when absent")});
    return fields;
  }
};

struct NewKey {
  std::string key_id;
  std::string name;
  std::string key;
  std::string key_prefix;
  std::vector<Permission> scopes;
  base::Timestamp created_at;
  std::optional<base::Timestamp> expires_at;
  static const Fields& fields() {
    using S = NewKey;
    static const Fields fields("NewApiKey", {field<&S::key_id>("key_id", "").required(),
                                             field<&S::name>("name", "").required(),
                                             field<&S::key>("key", "shown only here").required(),
                                             field<&S::key_prefix>("key_prefix", "").required(),
                                             field<&S::scopes>("scopes", "").required(),
                                             field<&S::created_at>("created_at", "").required(),
                                             field<&S::expires_at>("expires_at", "").required()});
    return fields;
  }
};

struct KeyView {
  std::string key_id;
  std::string name;
  std::string key_prefix;
  std::vector<Permission> scopes;
  base::Timestamp created_at;
  std::optional<base::Timestamp> last_used_at;
  std::optional<base::Timestamp> expires_at;
  static const Fields& fields() {
    using S = KeyView;
    static const Fields fields(
        "ApiKey",
        {field<&S::key_id>("key_id", "").required(), field<&S::name>("name", "").required(),
         field<&S::key_prefix>("key_prefix", "how it begins").required(),
         field<&S::scopes>("scopes", "empty: its maker's role alone decides").required(),
         field<&S::created_at>("created_at", "").required(),
         field<&S::last_used_at>("last_used_at", "to ten seconds").required(),
         field<&S::expires_at>("expires_at", "null: never").required()});
    return fields;
  }
};

struct KeyPage {
  std::vector<KeyView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = KeyPage;
    static const Fields fields("ApiKeyPage",
                               {field<&S::items>("items", "newest first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

std::vector<Permission> list_of(const model::Scopes& scopes) {
  std::vector<Permission> list;
  for (const base::EnumName& name : enum_names(Permission{}))
    if (auto permission = static_cast<Permission>(name.value); scopes.is_listed(permission))
      list.push_back(permission);
  return list;
}

// A key never gets more than the one who makes it has.
base::Result<model::Scopes> granted(const auth::Identity& maker, const KeyRequest& request) {
  model::Scopes scopes;
  for (Permission permission : request.scopes) {
    if (!maker.may(permission))
      return base::Error{
          base::ErrorCode::forbidden,
          fmt::format("scope {} is wider than your own rights", base::name_of(permission)),
          {{"/scopes", "has a scope that you do not have"}}};
    scopes.add(permission);
  }
  if (request.scopes.empty() && maker.scopes.is_restricted())
    return base::Error{base::ErrorCode::forbidden,
                       "a key with scopes makes no key without",
                       {{"/scopes", "must not be empty: yours are not"}}};
  return scopes;
}

base::Result<Reply> create_key(const Call& call) {
  auto request = TRY(call.read_body<KeyRequest>());
  auth::ApiKey key;
  key.created_at = call.services.clock.now();
  if (request.expires_at && *request.expires_at <= key.created_at)
    return base::invalid("/expires_at: must be in the future",
                         {{"/expires_at", "must be in the future"}});
  key.scopes = TRY(granted(*call.identity, request));
  key.key_id = base::new_id("key", key.created_at, call.services.random);
  key.org_id = call.identity->org_id;
  key.user_id = call.identity->user_id;
  key.name = request.name;
  key.expires_at = request.expires_at;
  std::string secret = "dagy_sk_" + base::random_token(call.services.random, 32);
  key.key_prefix = secret.substr(0, shown_bytes);
  store::AuditRow audit = call.audit("api_key.create", "api_key", key.key_id, 201);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(auth::insert_key(tx, key, base::sha256_hex(secret)));
    return store::insert_audit(tx, audit);
  }));
  return json_reply(201, NewKey{key.key_id, key.name, secret, key.key_prefix, list_of(key.scopes),
                                key.created_at, key.expires_at});
}

base::Result<Reply> list_keys(const Call& call) {
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> before = TRY(read_cursor(call, query.next_token));
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<auth::ApiKey> keys;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    keys = TRY(auth::list_keys(tx, call.identity->org_id, before, limit + 1));
    return {};
  }));
  KeyPage page;
  page.next_token = cut_page(call, keys, limit, [](const auto& last) { return last.key_id; });
  for (const auth::ApiKey& key : keys)
    page.items.push_back({key.key_id, key.name, key.key_prefix, list_of(key.scopes), key.created_at,
                          key.last_used_at, key.expires_at});
  return json_reply(200, page);
}

base::Result<Reply> delete_key(const Call& call) {
  store::AuditRow audit = call.audit("api_key.delete", "api_key", call.path[0], 204);
  TRY(call.services.authenticator.change([&](store::Tx& tx) -> base::Result<> {
    TRY(auth::find_key(tx, call.identity->org_id, call.path[0]));
    TRY(auth::delete_key(tx, call.identity->org_id, call.path[0]));
    return store::insert_audit(tx, audit);
  }));
  return empty_reply();
}

}  // namespace

Category api_keys_category() {
  return {"API Keys",
          "Credentials of servers; a key acts as the person who made it",
          {{.method = Method::post,
            .path = "/api-keys",
            .access = Access::need(Permission::api_keys_write),
            .name = "createApiKey",
            .summary = "Make a key; the answer is the only one that shows it",
            .handler = create_key,
            .body = KeyRequest::fields,
            .answers = {{201, "Made", NewKey::fields},
                        {409, "The organization has as many keys as it may"}}},
           {.method = Method::get,
            .path = "/api-keys",
            .access = Access::need(Permission::api_keys_read),
            .name = "listApiKeys",
            .summary = "List the organization's keys",
            .handler = list_keys,
            .query = PageQuery::fields,
            .answers = {{200, "A page of keys", KeyPage::fields}}},
           {.method = Method::del,
            .path = "/api-keys/{key_id}",
            .access = Access::need(Permission::api_keys_write),
            .name = "deleteApiKey",
            .summary = "Delete a key; it ends at once",
            .handler = delete_key,
            .answers = {{204, "Deleted"}, {404, "No such key"}}}}};
}

}  // namespace api
