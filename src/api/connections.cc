// Connections: how tasks reach databases. A password goes in and never comes out.
#include <fmt/format.h>

#include <fstream>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "clients/sql.h"
#include "nodes/node.h"
#include "store/connections.h"
#include "store/engine_sql.h"

namespace api {

using base::field;
using base::Fields;
using clients::DatabaseType;
namespace limits = base::limits;

namespace {

enum class TlsMode { disable, allow, prefer, require, verify_ca, verify_full };
std::span<const base::EnumName> enum_names(TlsMode) {
  static constexpr auto names =
      std::to_array<base::EnumName>({{int(TlsMode::disable), "disable"},
                                     {int(TlsMode::allow), "allow"},
                                     {int(TlsMode::prefer), "prefer"},
                                     {int(TlsMode::require), "require"},
                                     {int(TlsMode::verify_ca), "verify-ca"},
                                     {int(TlsMode::verify_full), "verify-full"}});
  return names;
}

/// What both requests may change.
struct ConnectionParts {
  std::optional<std::string> name;
  std::optional<DatabaseType> type;
  std::optional<std::string> host;
  std::optional<int> port;
  std::optional<std::string> database;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::optional<TlsMode> sslmode;
  std::optional<std::string> path;
  std::optional<bool> read_only;
};

std::vector<base::Field> part_fields() {
  using S = ConnectionParts;
  return {field<&S::host>("host", "postgresql: name or address").length(1, 255),
          field<&S::port>("port", "postgresql: 5432 when absent").range(1, 65535),
          field<&S::database>("database", "postgresql").length(1, 63),
          field<&S::user>("user", "postgresql").length(1, 63),
          field<&S::password>("password", "postgresql; shown to nobody, an empty one takes it away")
              .length(0, limits::password_bytes_max),
          field<&S::sslmode>("sslmode", "postgresql: as libpq has it; prefer when absent"),
          field<&S::path>("path", "sqlite: file in a directory of DAGY_ALLOWED_PATHS")
              .length(1, limits::text_bytes_max),
          field<&S::read_only>("read_only", "sqlite: false when absent")};
}

const Fields& request_fields() {
  static const Fields fields("ConnectionRequest", [] {
    using S = ConnectionParts;
    std::vector<base::Field> list = part_fields();
    list.insert(list.begin(),
                {field<&S::name>("name", "what sql tasks call it").required().rule(base::name_rule),
                 field<&S::type>("type", "").required()});
    return list;
  }());
  return fields;
}

const Fields& patch_fields() {
  static const Fields fields("ConnectionPatch", [] {
    std::vector<base::Field> list = part_fields();
    list.insert(list.begin(), field<&ConnectionParts::name>("name", "").rule(base::name_rule));
    return list;
  }());
  return fields;
}

struct ConnectionView {
  std::string connection_id;
  std::string name;
  DatabaseType type{};
  std::optional<std::string> host;
  std::optional<int> port;
  std::optional<std::string> database;
  std::optional<std::string> user;
  bool has_password = false;
  std::optional<std::string> sslmode;
  std::optional<std::string> path;
  std::optional<bool> read_only;
  std::string created_by;
  base::Timestamp created_at;
  base::Timestamp updated_at;
  static const Fields& fields() {
    using S = ConnectionView;
    static const Fields fields("Connection",
                               {field<&S::connection_id>("connection_id", "").required(),
                                field<&S::name>("name", "what sql tasks call it").required(),
                                field<&S::type>("type", "").required(),
                                field<&S::host>("host", "of postgresql").required(),
                                field<&S::port>("port", "of postgresql").required(),
                                field<&S::database>("database", "of postgresql").required(),
                                field<&S::user>("user", "of postgresql").required(),
                                field<&S::has_password>("has_password", "").required(),
                                field<&S::sslmode>("sslmode", "of postgresql").required(),
                                field<&S::path>("path", "of sqlite").required(),
                                field<&S::read_only>("read_only", "of sqlite").required(),
                                field<&S::created_by>("created_by", "e-mail").required(),
                                field<&S::created_at>("created_at", "").required(),
                                field<&S::updated_at>("updated_at", "").required()});
    return fields;
  }
};

struct ConnectionPage {
  std::vector<ConnectionView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = ConnectionPage;
    static const Fields fields("ConnectionPage",
                               {field<&S::items>("items", "newest first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

struct ConnectionTest {
  bool connected = false;
  std::string detail;
  static const Fields& fields() {
    using S = ConnectionTest;
    static const Fields fields("ConnectionTest",
                               {field<&S::connected>("connected", "").required(),
                                field<&S::detail>("detail", "why not, or empty").required()});
    return fields;
  }
};

base::Result<ConnectionParts> read_parts(const Call& call, const Fields& fields) {
  ConnectionParts parts;
  base::FieldErrors errors;
  fields.read(call.body->root(), &parts, base::Path{}, errors);
  if (!errors.empty()) return std::move(errors).error();
  return parts;
}

// Takes over what is given, and refuses what the other type has.
void apply(const ConnectionParts& parts, clients::DatabaseAccess& access,
           base::FieldErrors& errors) {
  bool is_postgresql = access.type == DatabaseType::postgresql;
  auto take = [&](const auto& from, auto& to, const char* name, bool is_own) {
    if (!from) return;
    to = *from;
    if (!is_own)
      errors.add(std::string("/") + name, fmt::format("a connection of type {} has no {}",
                                                      base::name_of(access.type), name));
  };
  take(parts.host, access.host, "host", is_postgresql);
  take(parts.port, access.port, "port", is_postgresql);
  take(parts.database, access.database, "database", is_postgresql);
  take(parts.user, access.user, "user", is_postgresql);
  take(parts.password, access.password, "password", is_postgresql);
  std::optional<std::string> sslmode;
  if (parts.sslmode) sslmode = base::name_of(*parts.sslmode);
  take(sslmode, access.sslmode, "sslmode", is_postgresql);
  take(parts.path, access.path, "path", !is_postgresql);
  take(parts.read_only, access.read_only, "read_only", !is_postgresql);
}

bool is_host(std::string_view text) {
  return text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:_") ==
         std::string_view::npos;
}

base::Result<> check(const Call& call, const ConnectionParts& parts,
                     clients::DatabaseAccess& access) {
  base::FieldErrors errors;
  apply(parts, access, errors);
  if (access.type == DatabaseType::postgresql) {
    for (const auto& [name, value] :
         {std::pair{"host", &access.host}, {"database", &access.database}, {"user", &access.user}})
      if (value->empty()) errors.add(std::string("/") + name, "is required");
    if (!is_host(access.host)) errors.add("/host", "must be one name or address");
  } else if (access.path.empty()) {
    errors.add("/path", "is required");
  }
  if (!errors.empty()) return std::move(errors).error();
  if (access.type == DatabaseType::postgresql) return {};
  clients::DatabaseAccess permitted = access;
  call.services.connections.permit(permitted);
  access.path = TRY(clients::allowed_file(permitted));
  return {};
}

ConnectionView view_of(const store::ConnectionRow& row, const clients::DatabaseAccess& access) {
  ConnectionView view;
  view.connection_id = row.connection_id;
  view.name = row.name;
  view.type = access.type;
  if (access.type == DatabaseType::postgresql) {
    view.host = access.host;
    view.port = access.port;
    view.database = access.database;
    view.user = access.user;
    view.sslmode = access.sslmode;
  } else {
    view.path = access.path;
    view.read_only = access.read_only;
  }
  view.has_password = !row.password.empty();
  view.created_by = row.created_by;
  view.created_at = row.created_at;
  view.updated_at = row.updated_at;
  return view;
}

base::Result<clients::DatabaseAccess> public_access(const store::ConnectionRow& row) {
  auto document = TRY(base::JsonDocument::parse(row.config));
  return base::read_struct<clients::DatabaseAccess>(document->root());
}

// Config and sealed password of the row, of what it is to become.
void put_access(const Call& call, clients::DatabaseAccess access, bool has_new_password,
                store::ConnectionRow& row) {
  if (has_new_password)
    row.password = call.services.connections.seal_password(row, access.password);
  access.password.clear();
  row.config = base::write_struct(access);
}

base::Result<Reply> create_connection(const Call& call) {
  auto parts = TRY(read_parts(call, request_fields()));
  clients::DatabaseAccess access;
  access.type = *parts.type;
  TRY(check(call, parts, access));
  store::ConnectionRow row;
  row.created_at = row.updated_at = call.services.clock.now();
  row.connection_id = base::new_id("con", row.created_at, call.services.random);
  row.org_id = call.identity->org_id;
  row.name = *parts.name;
  row.type = base::name_of(access.type);
  row.created_by = call.identity->email;
  put_access(call, access, parts.password.has_value(), row);
  store::AuditRow audit = call.audit("connection.create", "connection", row.connection_id, 201);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    if (!row.password.empty()) TRY(call.services.connections.mark_key(tx));
    TRY(store::insert_connection(tx, row));
    return store::insert_audit(tx, audit);
  }));
  return json_reply(201, view_of(row, access));
}

base::Result<Reply> list_connections(const Call& call) {
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> before = TRY(read_cursor(call, query.next_token));
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::ConnectionRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows = TRY(store::list_connections(tx, call.identity->org_id, before, limit + 1));
    return {};
  }));
  ConnectionPage page;
  page.next_token =
      cut_page(call, rows, limit, [](const auto& last) { return last.connection_id; });
  for (const store::ConnectionRow& row : rows)
    page.items.push_back(view_of(row, TRY(public_access(row))));
  return json_reply(200, page);
}

base::Result<store::ConnectionRow> named_row(const Call& call) {
  store::ConnectionRow row;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_connection(tx, call.identity->org_id, call.path[0]));
    return {};
  }));
  return row;
}

base::Result<Reply> get_connection(const Call& call) {
  store::ConnectionRow row = TRY(named_row(call));
  auto access = TRY(public_access(row));
  return json_reply(200, view_of(row, access));
}

// A password is for where it was given for: it does not follow a change of that.
base::Result<> check_destination(const ConnectionParts& parts, const store::ConnectionRow& row) {
  bool moves = parts.host || parts.port || parts.database || parts.user || parts.sslmode;
  if (!moves || parts.password || row.password.empty()) return {};
  constexpr const char* rule = "is needed again where host, port, database, user or sslmode change";
  return base::invalid(fmt::format("/password: {}", rule), {{"/password", rule}});
}

base::Result<Reply> patch_connection(const Call& call) {
  auto parts = TRY(read_parts(call, patch_fields()));
  store::AuditRow audit = call.audit("connection.update", "connection", call.path[0], 200);
  store::ConnectionRow row;
  clients::DatabaseAccess access;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_connection(tx, call.identity->org_id, call.path[0]));
    access = TRY(public_access(row));
    TRY(check_destination(parts, row));
    TRY(check(call, parts, access));
    if (parts.name) row.name = *parts.name;
    row.updated_at = call.services.clock.now();
    put_access(call, access, parts.password.has_value(), row);
    if (!row.password.empty()) TRY(call.services.connections.mark_key(tx));
    TRY(store::update_connection(tx, row));
    return store::insert_audit(tx, audit);
  }));
  return json_reply(200, view_of(row, access));
}

base::Result<Reply> delete_connection(const Call& call) {
  store::AuditRow audit = call.audit("connection.delete", "connection", call.path[0], 204);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    auto row = TRY(store::find_connection(tx, call.identity->org_id, call.path[0]));
    TRY(store::delete_connection(tx, row));
    return store::insert_audit(tx, audit);
  }));
  return empty_reply();
}

// The file is looked at, not opened as a database: that is for the processes of tasks.
ConnectionTest test_file(const clients::DatabaseAccess& access) {
  auto path = clients::allowed_file(access);
  if (!path) return {false, path.error().message};
  constexpr std::string_view magic("SQLite format 3\0", 16);
  std::string begin(magic.size(), '\0');
  std::ifstream file(*path, std::ios::binary);
  if (!file) return {!access.read_only, access.read_only ? "the file does not exist" : ""};
  file.read(begin.data(), std::ssize(begin));
  bool is_database = file.gcount() == 0 || begin == magic;
  return {is_database, is_database ? "" : "the file is no SQLite database"};
}

base::Result<Reply> test_connection(const Call& call) {
  store::ConnectionRow row = TRY(named_row(call));
  auto access = TRY(call.services.connections.access(row));
  if (access.type == DatabaseType::sqlite) return json_reply(200, test_file(access));
  exec::ProcessSpec process = nodes::sql_process({.access = access, .statement = "SELECT 1"});
  process.organization = row.org_id;
  return Reply{{}, [&attempts = call.services.attempts, process](Answer answer) {
                 auto done = [answer](exec::ProcessEnd end) {
                   nodes::Outcome outcome = nodes::sql_result(end);
                   ConnectionTest test{outcome.succeeded, outcome.failure.message};
                   answer.send(json_reply(200, test).response);
                 };
                 auto started = attempts.run_alone(process, done);
                 if (!started) answer.send_error(started.error());
               }};
}

}  // namespace

Category connections_category() {
  using model::Permission;
  auto route = [](Method method, std::string_view path, Permission permission,
                  std::string_view name, std::string_view summary, Handler handler) {
    return Route{.method = method,
                 .path = path,
                 .access = Access::need(permission),
                 .name = name,
                 .summary = summary,
                 .handler = handler};
  };
  constexpr std::string_view all = "/connections", one = "/connections/{connection_id}";
  Answers missing{404, "No such connection"};
  Answers taken{409, "The name is taken, or there are as many as there may be"};
  Route create = route(Method::post, all, Permission::connections_write, "createConnection",
                       "Describe how tasks reach a database", create_connection);
  create.body = request_fields;
  create.answers = {{201, "Created", ConnectionView::fields}, taken};
  Route list = route(Method::get, all, Permission::connections_read, "listConnections",
                     "List connections", list_connections);
  list.query = PageQuery::fields;
  list.answers = {{200, "A page of connections", ConnectionPage::fields}};
  Route get = route(Method::get, one, Permission::connections_read, "getConnection",
                    "One connection, without its password", get_connection);
  get.answers = {{200, "The connection", ConnectionView::fields}, missing};
  Route patch = route(Method::patch, one, Permission::connections_write, "updateConnection",
                      "Change what is given; the type stays", patch_connection);
  patch.body = patch_fields;
  patch.answers = {{200, "As it is now", ConnectionView::fields}, missing, taken};
  Route remove =
      route(Method::del, one, Permission::connections_write, "deleteConnection",
            "Delete a connection; tasks that name it fail from now on", delete_connection);
  remove.answers = {{204, "Deleted"}, missing};
  Route test =
      route(Method::post, "/connections/{connection_id}/test", Permission::connections_write,
            "testConnection", "Try to connect", test_connection);
  test.answers = {{200, "Whether it can be reached", ConnectionTest::fields}, missing};
  return {"Connections", "How tasks reach databases", {create, list, get, patch, remove, test}};
}

}  // namespace api
