// The Store on SQLite: one writer thread, a few readers, each with its own connection.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <fmt/format.h>

#include <atomic>
#include <filesystem>

#include "base/limits.h"
#include "store/engine_sql.h"
#include "store/migrations.h"
#include "store/readers.h"
#include "store/sql_store.h"
#include "store/store.h"
#include "store/writer.h"

namespace store {

namespace limits = base::limits;

namespace {

class SqliteStore : public SqlStore {
 public:
  SqliteStore(SqliteOptions options, std::unique_ptr<SqliteConnection> writer, base::Clock& clock)
      : path_(std::move(options.path)),
        clock_(clock),
        readers_(path_),
        writer_(std::move(writer), readers_, clock) {}
  ~SqliteStore() override { readers_.close(); }  // before the writer's, which checkpoints

  base::Result<> write(const TxFunction& fn, Priority priority) override {
    return writer_.write(fn, priority);
  }

  // A database in memory belongs to one connection, so its readers go through the writer.
  base::Result<> read(const TxFunction& fn) override {
    if (path_.empty()) return writer_.write(fn, Priority::interactive);
    std::unique_ptr<SqliteConnection> reader = TRY(readers_.borrow());
    base::Result<> result = reader->execute("BEGIN");
    if (result) {
      (void)reader->take_failure();
      result = fn(*reader);
      if (auto failure = reader->take_failure(); failure && result) result = *failure;
      (void)reader->execute("ROLLBACK");
    }
    readers_.give_back(std::move(reader));
    return result;
  }

  bool accepts_work() const override {
    if (path_.empty()) return true;
    auto now = clock_.steady().time_since_epoch().count();
    auto checked = disk_checked_at_.load(std::memory_order_relaxed);
    if (now - checked > 1'000'000 && disk_checked_at_.compare_exchange_strong(checked, now))
      disk_low_ = free_disk_bytes() < limits::free_disk_bytes_min;
    return !disk_low_;
  }

  base::Result<> check() override {
    TRY(read([](Tx& tx) -> base::Result<> {
      TRY(tx.run("SELECT version FROM schema_migrations", {}));
      return {};
    }));
    if (!accepts_work()) return base::unavailable("less than 64 MiB of disk left");
    return {};
  }

  base::Result<CommitResult> commit(const EngineBatch& batch) override {
    CommitResult result;
    TRY(write(
        [&](Tx& tx) -> base::Result<> {
          result = TRY(write_batch(tx, batch));
          return {};
        },
        Priority::engine));
    return result;
  }

 private:
  std::uint64_t free_disk_bytes() const {
    struct statvfs info {};
    if (statvfs(path_.c_str(), &info) != 0) return UINT64_MAX;
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }

  const std::string path_;
  base::Clock& clock_;
  Readers readers_;
  Writer writer_;
  mutable std::atomic<std::int64_t> disk_checked_at_{0};
  mutable std::atomic<bool> disk_low_{false};
};

// Before a schema changes, the database is copied beside itself.
base::Result<> back_up(SqliteConnection& connection, const std::string& path, int version) {
  std::string copy = fmt::format("{}.v{}.bak", path, version);
  std::error_code ignored;
  std::filesystem::remove(copy, ignored);
  TRY(connection.run("VACUUM INTO ?1", {copy}));
  return {};
}

base::Result<> bring_up_to_date(SqliteConnection& connection, const std::string& path,
                                base::Clock& clock) {
  int version = TRY(schema_version(connection));
  int newest = migrations().back().version;
  if (version > 0 && version < newest && !path.empty()) TRY(back_up(connection, path, version));
  TRY(connection.execute("BEGIN IMMEDIATE"));
  base::Result<> migrated = migrate(connection, clock);
  if (!migrated) {
    (void)connection.execute("ROLLBACK");
    return migrated;
  }
  return connection.execute("COMMIT");
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options, base::Clock& clock) {
  auto writer = TRY(SqliteConnection::open(options.path, SqliteMode::writer));
  if (!options.path.empty()) chmod(options.path.c_str(), 0600);
  TRY(bring_up_to_date(*writer, options.path, clock));
  return std::unique_ptr<Store>(
      std::make_unique<SqliteStore>(std::move(options), std::move(writer), clock));
}

}  // namespace store
