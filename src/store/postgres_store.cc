// The Store on PostgreSQL: a pool for transactions of requests, one connection for the engine's
// batches, and the node that stands behind them.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/limits.h"
#include "base/log.h"
#include "store/engine_sql.h"
#include "store/migrations.h"
#include "store/postgres_batch.h"
#include "store/postgres_node.h"
#include "store/postgres_pool.h"
#include "store/sql_store.h"

namespace store {

namespace limits = base::limits;
using Commit = PostgresConnection::Commit;

namespace {

constexpr std::int64_t migration_lock = 0x6461677901;  // "dagy" 1
constexpr std::int64_t key_table_lock = 0x6461677902;

// Borrowed for a scope.
class Lent {
 public:
  Lent(PostgresPool& pool, std::unique_ptr<PostgresConnection> connection)
      : pool_(pool), connection_(std::move(connection)) {}
  ~Lent() { pool_.give_back(std::move(connection_)); }
  Lent(const Lent&) = delete;
  PostgresConnection& operator*() const { return *connection_; }
  PostgresConnection* operator->() const { return connection_.get(); }

 private:
  PostgresPool& pool_;
  std::unique_ptr<PostgresConnection> connection_;
};

base::Duration back_off(int attempt) {
  return std::chrono::milliseconds(std::min(1 << std::min(attempt, 10), 100));
}

class PostgresStore : public SqlStore {
 public:
  PostgresStore(PostgresOptions options, base::Clock& clock)
      : clock_(clock),
        pool_(options.url, options.connections_max, clock),
        node_(pool_, clock, std::move(options.taken_over)) {}

  base::Result<> write(const TxFunction& fn, Priority) override {
    base::Result<> result;
    for (int attempt = 0; attempt < limits::postgres_attempts_max; ++attempt) {
      if (attempt > 0) pause(back_off(attempt));
      bool again = false;
      result = write_once(fn, again);
      if (!again) return result;
    }
    return result;
  }

  base::Result<> read(const TxFunction& fn) override {
    Lent connection(pool_, TRY(pool_.borrow()));
    connection->begin(PostgresIsolation::snapshot);
    base::Result<> result = fn(*connection);
    connection->roll_back();
    if (result && connection->failure()) return *connection->failure();
    return result;
  }

  bool accepts_work() const override { return clock_.steady() >= disk_full_until_.load(); }

  base::Result<> check() override {
    TRY(read([](Tx& tx) -> base::Result<> {
      TRY(tx.run("SELECT version FROM schema_migrations", {}));
      return {};
    }));
    if (!accepts_work()) return base::unavailable("the database's disk is full");
    return {};
  }

  Membership* membership() override { return &node_; }

  void give_up_waiting() override {
    pool_.hurry();
    base::MutexLock lock(mutex_);
    gives_up_ = true;
    changed_.notify_all();
  }

  base::Result<CommitResult> commit(const EngineBatch& batch) override {
    base::MutexLock lock(engine_mutex_);
    for (int attempt = 0;; ++attempt) {
      if (attempt > 0) pause(back_off(attempt));
      if (base::Result<> ready = prepare_engine(batch); !ready) {
        bool again = attempt == 0 && engine_ && engine_->is_lost();
        if (!again) return ready.error();
        continue;
      }
      BatchEnd end = commit_batch(*engine_, batch, node_.fence());
      if (end.commit == Commit::unknown) {
        if (TRY(find_out(batch))) return std::move(end.result);
        continue;
      }
      if (end.commit == Commit::done) return std::move(end.result);
      if (end.fenced) return taken_over();
      note_disk(*engine_);
      if (engine_->sqlstate() == "42P01") key_table_.clear();  // dropped meanwhile, if it is that
      bool again = engine_->may_retry() || engine_->is_lost() ||
                   (engine_->sqlstate() == "42P01" && attempt == 0);
      if (!again || attempt + 1 >= limits::postgres_attempts_max) return end.error;
    }
  }

 private:
  void pause(base::Duration duration) {
    base::MutexLock lock(mutex_);
    if (!gives_up_) changed_.wait_for(mutex_, duration);
  }

  // One attempt; `again` says that nothing was kept and that another may do.
  base::Result<> write_once(const TxFunction& fn, bool& again) {
    Lent connection(pool_, TRY(pool_.borrow()));
    connection->begin(PostgresIsolation::serializable);
    base::Result<> result = fn(*connection);
    Commit end = Commit::failed;
    if (result && !connection->failure()) {
      end = connection->commit();
    } else {
      connection->roll_back();
    }
    if (end == Commit::done) return {};
    if (result && connection->failure()) result = *connection->failure();
    note_disk(*connection);
    if (end == Commit::unknown) return find_out(connection->transaction_id(), again);
    again = connection->may_retry() || (connection->is_lost() && connection->failure());
    return result;
  }

  // What became of a COMMIT whose answer was lost.
  base::Result<> find_out(const std::string& transaction_id, bool& again) {
    base::SteadyTime until = clock_.steady() + limits::postgres_outcome_max;
    for (int attempt = 0; clock_.steady() < until; ++attempt) {
      pause(back_off(attempt));
      std::string status;
      base::Result<> asked = read([&](Tx& tx) -> base::Result<> {
        TRY(tx.run("SELECT COALESCE(pg_xact_status(CAST(?1 AS xid8)), 'unknown')", {transaction_id},
                   [&](const Row& row) { status = row.string(0); }));
        return {};
      });
      if (!asked && asked.error().code != base::ErrorCode::unavailable) break;
      if (status == "committed") return {};
      again = status == "aborted";
      if (again) return base::unavailable("the transaction was rolled back");
    }
    return base::unavailable(
        "the database went away during the commit: whether it was done is not known");
  }

  void note_disk(const PostgresConnection& connection) {
    if (connection.sqlstate() == "53100")
      disk_full_until_ = clock_.steady() + limits::postgres_disk_full_pause;
  }

  // ---- the engine's door ----

  base::Result<> prepare_engine(const EngineBatch& batch) REQUIRES(engine_mutex_) {
    if (!engine_ || !engine_->is_usable()) {
      engine_.reset();
      engine_ = TRY(pool_.open(PostgresUse::engine));
    }
    for (const auto& [run, key] : batch.created)
      if (key) TRY(make_key_table(key->created_at));
    return {};
  }

  // The table of a day's keys, in a transaction of its own: made at once by two, it would fail.
  base::Result<> make_key_table(base::Timestamp day) REQUIRES(engine_mutex_) {
    std::string table = idempotency_table(day);
    if (table == key_table_) return {};
    TRY(transact(*engine_, [&](Tx& tx) -> base::Result<> {
      TRY(tx.run("SELECT CAST(pg_advisory_xact_lock(?1) AS TEXT)", {key_table_lock}));
      return create_key_table(tx, table);
    }));
    key_table_ = table;
    return {};
  }

  // Whether a batch whose COMMIT was not answered was written. Asks until it is known.
  base::Result<bool> find_out(const EngineBatch& batch) REQUIRES(engine_mutex_) {
    base::log_warning("the connection was lost during a commit: finding out what became of it");
    for (int attempt = 0;; ++attempt) {
      pause(back_off(attempt + 5));
      end_if_given_up();
      base::Result<> fenced = node_.begin_generation();
      if (!fenced && fenced.error().code == base::ErrorCode::conflict) return taken_over();
      if (!fenced) continue;
      base::Result<bool> written =
          reading<bool>(*this, [&](Tx& tx) { return batch_was_written(tx, batch); });
      if (written || written.error().code != base::ErrorCode::unavailable) return written;
    }
  }

  void end_if_given_up() {
    base::MutexLock lock(mutex_);
    if (!gives_up_) return;
    base::log_error("the outcome of a commit is not known, the process ends");
    std::_Exit(EXIT_FAILURE);
  }

  base::Error taken_over() {
    node_.end();
    return base::unavailable("another node has taken over the runs of this one");
  }

  base::Clock& clock_;
  PostgresPool pool_;
  base::Mutex engine_mutex_;
  std::unique_ptr<PostgresConnection> engine_ GUARDED_BY(engine_mutex_);
  std::string key_table_ GUARDED_BY(engine_mutex_);  // the newest that is known to be there
  std::atomic<base::SteadyTime> disk_full_until_{base::SteadyTime::min()};
  base::Mutex mutex_;
  base::CondVar changed_;
  bool gives_up_ GUARDED_BY(mutex_) = false;
  PostgresNode node_;
};

// ---- opening ----

base::Result<std::string> show(Tx& tx, std::string_view sql) {
  std::string value;
  TRY(tx.run(sql, {}, [&](const Row& row) { value = row.string(0); }));
  return value;
}

base::Result<> check_server(Tx& tx) {
  std::string version = TRY(show(tx, "SELECT current_setting('server_version_num')"));
  if (std::atoi(version.c_str()) < limits::postgres_version_min)
    return base::conflict(fmt::format("PostgreSQL {} is too old: Dagy needs {} or newer",
                                      std::atoi(version.c_str()) / 10000,
                                      limits::postgres_version_min / 10000));
  std::string encoding = TRY(show(tx, "SELECT current_setting('server_encoding')"));
  if (encoding != "UTF8")
    return base::conflict(fmt::format("the database has encoding {}: it must be UTF8", encoding));
  std::string replica = TRY(show(tx, "SELECT CAST(pg_is_in_recovery() AS TEXT)"));
  std::string read_only = TRY(show(tx, "SELECT current_setting('default_transaction_read_only')"));
  if (replica == "true" || read_only == "on")
    return base::unavailable("the database is read-only, a replica: name its primary");
  for (const char* name : {"fsync", "full_page_writes"}) {
    std::string value = TRY(show(tx, fmt::format("SELECT current_setting('{}')", name)));
    if (value == "off")
      base::log_warning("the database does not keep what it acknowledges", {{"off", name}});
  }
  return {};
}

base::Result<> prepare_database(PostgresConnection& connection, base::Clock& clock) {
  connection.begin(PostgresIsolation::snapshot);
  base::Result<> usable = check_server(connection);
  connection.roll_back();
  TRY(std::move(usable));
  return transact(connection, [&](Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT CAST(pg_advisory_xact_lock(?1) AS TEXT)", {migration_lock}));
    return migrate(tx, clock);
  });
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_postgres(PostgresOptions options, base::Clock& clock) {
  auto connection = TRY(PostgresConnection::open(options.url, PostgresUse::setup));
  TRY(prepare_database(*connection, clock));
  connection.reset();
  return std::unique_ptr<Store>(std::make_unique<PostgresStore>(std::move(options), clock));
}

}  // namespace store
