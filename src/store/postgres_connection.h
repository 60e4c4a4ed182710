// One connection to PostgreSQL with its prepared statements, always in libpq's pipeline mode; with
// postgres_value.h the only place that knows libpq. Statements are those of tx.h; the differences
// of dialect are in postgres_connection.cc.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/libpq.h"
#include "store/postgres_value.h"
#include "store/tx.h"

namespace store {

/// What a connection is for decides its session's limits and plans.
enum class PostgresUse {
  requests,  // many small transactions of people and services
  engine,    // the batches of a shard
  setup,     // migrations: no time limit
};

enum class PostgresIsolation { read_committed, snapshot, serializable };

struct PostgresResultClear {
  void operator()(PGresult* result) const { pq().clear(result); }
};
using PostgresResult = std::unique_ptr<PGresult, PostgresResultClear>;

/// Used by one thread at a time. Every wait ends after postgres_silence_max without a byte; the
/// connection is then lost.
class PostgresConnection : public Tx {
 public:
  /// `url` is libpq's connection URI. Errors: `invalid` for one that cannot be read (the text does
  /// not repeat it: it may hold a password), `unavailable`.
  static base::Result<std::unique_ptr<PostgresConnection>> open(const std::string& url,
                                                                PostgresUse use);
  ~PostgresConnection() override;

  // ---- transactions ----

  /// Begins with the first statement, in the same message.
  void begin(PostgresIsolation isolation);
  base::Result<std::int64_t> run(std::string_view sql, std::initializer_list<Bind> binds,
                                 const RowFunction& each = {}) override;
  base::Result<std::vector<std::string>> table_names(std::string_view prefix) override;
  enum class Commit {
    done,
    failed,   // failure() says why; nothing was kept
    unknown,  // the connection was lost meanwhile
  };
  Commit commit();
  /// Does not wait for the answer.
  void roll_back();

  /// Why the transaction cannot go on. Stays until the next begin().
  const std::optional<base::Error>& failure() const { return failure_; }
  /// The failure's SQLSTATE; "" when the server did not say one.
  const std::string& sqlstate() const { return sqlstate_; }
  /// The same transaction, begun again, may do: a serialization failure or a deadlock.
  bool may_retry() const { return sqlstate_ == "40001" || sqlstate_ == "40P01"; }
  /// Of a serializable transaction that has begun: what pg_xact_status() takes.
  const std::string& transaction_id() const { return transaction_id_; }

  // ---- statements that are on their way together ----

  void send(std::string_view sql, const std::vector<PostgresValue>& values = {});
  /// Asks the server for all answers so far.
  base::Result<> flush();
  /// The answer to the oldest statement that was sent, after flush(). Its error is the
  /// transaction's failure, too.
  base::Result<PostgresResult> receive();
  /// Sends COMMIT behind the statements and asks for all answers, to be received one by one; the
  /// transaction is then ended by commit().
  base::Result<> send_commit();

  // ---- the rest ----

  /// False when it is lost; finds out without asking the server.
  bool is_usable();
  bool is_lost() const { return lost_; }
  /// From when this becomes true it waits for the server only for postgres_silence_stopping.
  void hurry_on(const std::atomic<bool>& flag) { hurries_ = &flag; }
  /// Waits for a notification of a channel that was listened to. False after `limit`.
  base::Result<bool> wait_for_notification(std::chrono::milliseconds limit);

 private:
  enum class Pending { prepare, execute, sync };
  struct Sent {
    Pending what;
    std::string statement;  // its key in names_
  };

  explicit PostgresConnection(PGconn* connection) : connection_(connection) {}
  base::Result<> configure(PostgresUse use);
  void start();
  void enqueue(std::string_view sql, const std::vector<PostgresValue>& values);
  const std::string* prepare(std::string_view sql, const std::vector<PostgresValue>& values);
  void send_sync();
  base::Result<PostgresResult> receive_one();
  base::Result<> drain();
  base::Result<PostgresResult> next_result();
  base::Result<> wait(short events);
  base::Result<> write_out();
  base::Error lose(std::string_view why);
  base::Error fail(const PGresult* result);

  PGconn* connection_;
  bool lost_ = false;
  int silence_ms_ = -1;
  const std::atomic<bool>* hurries_ = nullptr;
  std::optional<PostgresIsolation> isolation_;  // of a transaction under way
  bool started_ = false;                        // its BEGIN has been sent
  bool commit_sent_ = false;
  int answers_before_ = 0;  // of the statements that start() has sent, not yet received
  std::optional<base::Error> failure_;
  std::string sqlstate_;
  std::string transaction_id_;
  std::deque<Sent> sent_;
  std::unordered_map<std::string, std::string> names_;  // of statements: text and types -> name
  std::uint64_t statements_made_ = 0;
};

/// Runs `fn` in a transaction, once; read-committed and durable when it returns.
base::Result<> transact(PostgresConnection& connection,
                        const std::function<base::Result<>(Tx&)>& fn);

/// The present row of a result, as tx.h has it.
class PostgresRow : public Row {
 public:
  PostgresRow(const PGresult* result, int row) : result_(result), row_(row) {}
  bool is_null(int column) const override;
  std::int64_t integer(int column) const override;
  std::string_view text(int column) const override;

 private:
  const PGresult* result_;
  int row_;
};

/// A statement of tx.h as PostgreSQL has it.
std::string postgres_dialect(std::string_view sql);
/// `invalid` for what libpq cannot read; the text does not repeat it.
base::Result<> check_postgres_url(const std::string& url);

}  // namespace store
