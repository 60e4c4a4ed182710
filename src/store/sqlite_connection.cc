#include "store/sqlite_connection.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "store/failed_sync.h"

namespace store {

namespace {

constexpr int busy_milliseconds = 5000;

class SqliteRow : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  std::int64_t integer(int column) const override {
    return sqlite3_column_int64(statement_, column);
  }
  std::string_view text(int column) const override {
    auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
  }

 private:
  sqlite3_stmt* statement_;
};

int bind_one(sqlite3_stmt* statement, int index, const Bind& bind) {
  if (auto* n = std::get_if<std::int64_t>(&bind.value()))
    return sqlite3_bind_int64(statement, index, *n);
  if (auto* text = std::get_if<std::string_view>(&bind.value()))
    return sqlite3_bind_text64(statement, index, text->data() ? text->data() : "", text->size(),
                               SQLITE_STATIC, SQLITE_UTF8);
  if (auto* blob = std::get_if<Blob>(&bind.value()))
    return sqlite3_bind_blob64(statement, index, blob->bytes.data() ? blob->bytes.data() : "",
                               blob->bytes.size(), SQLITE_STATIC);
  return sqlite3_bind_null(statement, index);
}

// The one difference of dialect in our schema: tables whose key is their storage order.
std::string in_dialect(std::string_view sql) {
  std::string text(sql);
  constexpr std::string_view mark = "/*without_rowid*/";
  if (std::size_t at = text.find(mark); at != std::string::npos)
    text.replace(at, mark.size(), "WITHOUT ROWID");
  return text;
}

// Resets a statement on every way out, so that it holds no lock and no borrowed memory.
class ResetOnExit {
 public:
  explicit ResetOnExit(sqlite3_stmt* statement) : statement_(statement) {}
  ~ResetOnExit() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  ResetOnExit(const ResetOnExit&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

base::Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path,
                                                                       SqliteMode mode) {
  sqlite3* db = nullptr;
  bool in_memory = path.empty();
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int code = sqlite3_open_v2(in_memory ? ":memory:" : path.c_str(), &db, flags, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(db));
  if (code != SQLITE_OK)
    return base::unavailable(fmt::format("cannot open database {}: {}", path, sqlite3_errmsg(db)));
  TRY(connection->configure(mode, in_memory));
  return connection;
}

base::Result<> SqliteConnection::configure(SqliteMode mode, bool in_memory) {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, busy_milliseconds);
  TRY(execute("PRAGMA foreign_keys = OFF"));
  TRY(execute("PRAGMA temp_store = MEMORY"));
  if (mode == SqliteMode::reader) return execute("PRAGMA query_only = ON");
  if (!in_memory) TRY(execute("PRAGMA journal_mode = WAL"));
  TRY(execute("PRAGMA synchronous = FULL"));
  TRY(execute("PRAGMA wal_autocheckpoint = 0"));
  sqlite3_wal_hook(
      db_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteConnection*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  return {};
}

SqliteConnection::~SqliteConnection() {
  statements_.clear();
  sqlite3_close_v2(db_);
}

base::Error SqliteConnection::error(std::string_view sql) const {
  int code = sqlite3_extended_errcode(db_);
  std::string text = fmt::format("{} ({})", sqlite3_errmsg(db_), code);
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return base::conflict(text);
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
      return base::unavailable("database: " + text);
    default:
      break;
  }
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) end_after_failed_sync(text);
  if ((code & 0xff) == SQLITE_IOERR) return base::unavailable("database: " + text);
  return base::internal_error(fmt::format("database: {} in {}", text, sql.substr(0, 200)));
}

base::Result<sqlite3_stmt*> SqliteConnection::prepare(std::string_view sql) {
  std::string text = in_dialect(sql);
  auto found = statements_.find(text);
  if (found != statements_.end()) return found->second.get();
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(db_, text.data(), static_cast<int>(text.size()),
                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return error(sql);
  statements_.emplace(std::move(text), Statement(statement));
  return statement;
}

base::Result<std::int64_t> SqliteConnection::run(std::string_view sql,
                                                 std::initializer_list<Bind> binds,
                                                 const RowFunction& each) {
  base::Result<std::int64_t> result = step(sql, binds, each);
  if (!result && !failure_) failure_ = result.error();
  return result;
}

base::Result<std::int64_t> SqliteConnection::step(std::string_view sql,
                                                  std::initializer_list<Bind> binds,
                                                  const RowFunction& each) {
  for (const Bind& bind : binds)
    if (auto* text = std::get_if<std::string_view>(&bind.value());
        text && text->find('\0') != std::string_view::npos)
      return base::invalid("text must be UTF-8 without U+0000, as the database requires");
  sqlite3_stmt* statement = TRY(prepare(sql));
  ResetOnExit reset(statement);
  CHECK(static_cast<int>(binds.size()) == sqlite3_bind_parameter_count(statement));
  int index = 0;
  for (const Bind& bind : binds) CHECK(bind_one(statement, ++index, bind) == SQLITE_OK);
  std::int64_t before = total_changes();
  SqliteRow row(statement);
  while (true) {
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return total_changes() - before;
    if (code != SQLITE_ROW) return error(sql);
    if (each) each(row);
  }
}

base::Result<> SqliteConnection::execute(std::string_view sql) {
  TRY(run(sql, {}));
  return {};
}

base::Result<std::vector<std::string>> SqliteConnection::table_names(std::string_view prefix) {
  std::vector<std::string> names;
  TRY(
      run("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, length(?1)) = "
          "?1",
          {prefix}, [&](const Row& row) { names.push_back(row.string(0)); }));
  return names;
}

void SqliteConnection::checkpoint() {
  (void)checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

bool SqliteConnection::truncate_log() {
  sqlite3_busy_timeout(db_, 0);
  bool done = checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  sqlite3_busy_timeout(db_, busy_milliseconds);
  if (done) wal_pages_ = 0;
  return done;
}

bool SqliteConnection::checkpoint(int mode) {
  int code = sqlite3_wal_checkpoint_v2(db_, nullptr, mode, nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
    base::log_warning("checkpoint failed", {{"error", error("checkpoint").message}});
  return code == SQLITE_OK;
}

}  // namespace store
