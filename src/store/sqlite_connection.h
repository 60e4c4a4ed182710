// One SQLite connection with its prepared statements; the only place that calls sqlite3_*.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "store/tx.h"

namespace store {

enum class SqliteMode { writer, reader };

/// Used by one thread at a time.
class SqliteConnection : public Tx {
 public:
  static base::Result<std::unique_ptr<SqliteConnection>> open(const std::string& path,
                                                              SqliteMode mode);
  ~SqliteConnection() override;

  base::Result<std::int64_t> run(std::string_view sql, std::initializer_list<Bind> binds,
                                 const RowFunction& each = {}) override;
  base::Result<std::vector<std::string>> table_names(std::string_view prefix) override;
  /// The error after which the transaction under way must not be committed; nothing of the next.
  std::optional<base::Error> take_failure() { return std::exchange(failure_, std::nullopt); }
  /// A statement without parameters or rows.
  base::Result<> execute(std::string_view sql);

  /// False outside a transaction: some errors (full disk, I/O, memory) roll it back by themselves.
  bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
  std::int64_t total_changes() const { return sqlite3_total_changes64(db_); }
  /// Pages in the write-ahead log after the last commit of this connection.
  int wal_pages() const { return wal_pages_; }
  /// Copies what it can of the log into the database, without waiting for anyone.
  void checkpoint();
  /// Copies all of the log and cuts its file to nothing; false when a reader is in the way.
  bool truncate_log();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit SqliteConnection(sqlite3* db) : db_(db) {}
  base::Result<> configure(SqliteMode mode, bool in_memory);
  base::Result<std::int64_t> step(std::string_view sql, std::initializer_list<Bind> binds,
                                  const RowFunction& each);
  base::Result<sqlite3_stmt*> prepare(std::string_view sql);
  bool checkpoint(int mode);
  base::Error error(std::string_view sql) const;

  sqlite3* db_;
  int wal_pages_ = 0;
  std::optional<base::Error> failure_;
  std::unordered_map<std::string, Statement> statements_;
};

}  // namespace store
