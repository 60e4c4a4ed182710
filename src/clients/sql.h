// One SQL statement on somebody's database, in a process of its own: `dagy sql-task`. What a
// statement does to the process that runs it (memory, time, a file that is no database) stays
// there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"

namespace clients {

enum class DatabaseType { postgresql, sqlite };
std::span<const base::EnumName> enum_names(DatabaseType);

/// How to reach a database; the fields that its type has.
struct DatabaseAccess {
  DatabaseType type = DatabaseType::postgresql;
  std::string host;
  int port = 5432;
  std::string database;
  std::string user;
  std::string password;
  std::string sslmode = "prefer";
  std::string path;
  bool read_only = false;
  /// What the operator allows: DAGY_HTTP_ALLOW, and the directories of DAGY_ALLOWED_PATHS.
  std::string http_allow;
  std::vector<std::string> allowed_paths;
  std::string data_directory;  // of the server: nothing of it is a database of a task
  static const base::Fields& fields();
};

enum class Fetch { all, one, value, none };
std::span<const base::EnumName> enum_names(Fetch);

/// What the process reads from its standard input.
struct SqlTask {
  DatabaseAccess access;
  std::string statement;
  std::vector<base::RawJson> parameters;
  std::optional<Fetch> fetch;  // rows, if the statement has any, when absent
  static const base::Fields& fields();
};

/// Why a statement gave nothing: `kind` is `connection`, `forbidden_address`, `sql` or
/// `result_too_large`.
struct SqlFailure {
  std::string kind;
  std::string message;
};

/// Receives rows as they come and keeps them as JSON within the limits.
class RowSink {
 public:
  explicit RowSink(std::optional<Fetch> fetch) : fetch_(fetch) {}
  /// `columns` are the names; called once, before the first row. False when two are the same.
  bool begin(std::vector<std::string> columns);
  /// Values are JSON texts, one a column. False when no more are wanted or allowed.
  bool row(const std::vector<std::string>& values);
  /// What is wrong with the columns; empty when nothing is.
  const std::string& fault() const { return fault_; }
  void affected(std::int64_t rows) { affected_ = rows; }
  bool is_too_large() const { return too_large_; }
  /// The output: JSON.
  std::string output() const;

 private:
  std::optional<Fetch> fetch_;
  std::vector<std::string> columns_;
  std::string rows_;   // elements, separated by commas
  std::string first_;  // value of the first row's first column
  std::int64_t count_ = 0;
  std::int64_t affected_ = 0;
  bool too_large_ = false;
  std::string fault_;
};

std::optional<SqlFailure> run_on_postgresql(const SqlTask& task, RowSink& rows);
std::optional<SqlFailure> run_on_sqlite(const SqlTask& task, RowSink& rows);

/// The `path` with its links resolved; its directory must exist. `invalid` when that is not below
/// one of the allowed directories, or is the server's own.
base::Result<std::string> allowed_file(const DatabaseAccess& access);

/// Reads a SqlTask from standard input and writes {"result": …} or {"error": {kind, message}} to
/// file descriptor 3. The exit code.
int run_sql_task();

}  // namespace clients
