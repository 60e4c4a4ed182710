// A statement on a file of SQLite.
#include <fmt/format.h>
#include <sqlite3.h>

#include <cstdlib>
#include <memory>

#include "base/base64.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "clients/sql.h"

namespace clients {

namespace {

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

SqlFailure failure(sqlite3* database) {
  return {"sql", sqlite3_errmsg(database)};
}

// No other file is reached through this one.
int authorize(void*, int action, const char*, const char*, const char*, const char*) {
  return action == SQLITE_ATTACH || action == SQLITE_DETACH ? SQLITE_DENY : SQLITE_OK;
}

int bind(sqlite3_stmt* statement, int index, base::JsonView value) {
  switch (value.type()) {
    case base::JsonType::null:
      return sqlite3_bind_null(statement, index);
    case base::JsonType::boolean:
      return sqlite3_bind_int(statement, index, value.raw() == "true");
    case base::JsonType::number: {
      if (auto integer = value.integer()) return sqlite3_bind_int64(statement, index, *integer);
      std::string text(value.raw());
      bool is_whole = text.find_first_of(".eE") == std::string::npos;
      if (is_whole) return SQLITE_RANGE;  // it would lose digits
      return sqlite3_bind_double(statement, index, std::strtod(text.c_str(), nullptr));
    }
    default: {
      std::string text = value.is_string() ? value.string() : std::string(value.raw());
      return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    }
  }
}

// Empty for text that is not UTF-8.
std::string json_of(sqlite3_stmt* statement, int column) {
  auto bytes = [&] {
    const void* data = sqlite3_column_blob(statement, column);
    auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return std::string_view(static_cast<const char*>(data), data == nullptr ? 0 : size);
  };
  std::string json;
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return "null";
    case SQLITE_INTEGER:
      return fmt::to_string(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: {
      double number = sqlite3_column_double(statement, column);
      json = fmt::format("{}", number);
      bool is_json = json.find_first_not_of("0123456789.eE+-") == std::string::npos;
      return is_json ? json : '"' + json + '"';  // inf
    }
    case SQLITE_BLOB:
      base::append_json_string(json, base::encode_base64(bytes()));
      return json;
    default:
      if (!base::is_utf8(bytes())) return "";
      base::append_json_string(json, bytes());
      return json;
  }
}

std::optional<SqlFailure> step_through(sqlite3* database, sqlite3_stmt* statement, RowSink& rows) {
  int count = sqlite3_column_count(statement);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.emplace_back(sqlite3_column_name(statement, i));
  if (count > 0 && !rows.begin(std::move(names))) return std::nullopt;
  std::vector<std::string> values(static_cast<std::size_t>(count));
  bool wanted = true;
  int code = 0;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    if (!wanted) continue;  // to its end, so that what it changes is changed
    for (int i = 0; i < count; ++i) {
      std::string& value = values[static_cast<std::size_t>(i)];
      value = json_of(statement, i);
      if (value.empty())
        return SqlFailure{"sql", fmt::format("column {} has text that is not UTF-8",
                                             sqlite3_column_name(statement, i))};
    }
    wanted = rows.row(values);
    if (rows.is_too_large()) return std::nullopt;
  }
  if (code != SQLITE_DONE) return failure(database);
  rows.affected(sqlite3_changes64(database));
  return std::nullopt;
}

}  // namespace

std::optional<SqlFailure> run_on_sqlite(const SqlTask& task, RowSink& rows) {
  auto path = allowed_file(task.access);
  if (!path) return SqlFailure{"connection", path.error().message};
  int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
  flags |=
      task.access.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* opened = nullptr;
  int code = sqlite3_open_v2(path->c_str(), &opened, flags, nullptr);
  Database database(opened, sqlite3_close);
  if (code != SQLITE_OK) return SqlFailure{"connection", sqlite3_errmsg(opened)};
  sqlite3_busy_timeout(opened, static_cast<int>(base::limits::sql_busy_timeout.count()));
  sqlite3_set_authorizer(opened, authorize, nullptr);
  sqlite3_limit(opened, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  code = sqlite3_prepare_v2(opened, task.statement.c_str(), -1, &prepared, &rest);
  Statement statement(prepared, sqlite3_finalize);
  if (code != SQLITE_OK) return failure(opened);
  if (prepared == nullptr) return SqlFailure{"sql", "the statement is empty"};
  if (std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos)
    return SqlFailure{"sql", "one statement only: there is more after the first"};
  int wanted = sqlite3_bind_parameter_count(prepared);
  if (static_cast<std::size_t>(wanted) != task.parameters.size())
    return SqlFailure{"sql", fmt::format("the statement has {} parameters, {} are given", wanted,
                                         task.parameters.size())};
  for (int i = 0; i < wanted; ++i) {
    auto value = base::JsonDocument::parse(task.parameters[static_cast<std::size_t>(i)].text);
    if (!value || bind(prepared, i + 1, (*value)->root()) != SQLITE_OK)
      return SqlFailure{
          "sql", fmt::format("parameter {} does not fit: a whole number has 64 bits", i + 1)};
  }
  return step_through(opened, prepared, rows);
}

}  // namespace clients
