#include "store/postgres_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace store {

namespace limits = base::limits;

namespace {

constexpr std::string_view begin_of(PostgresIsolation isolation) {
  switch (isolation) {
    case PostgresIsolation::read_committed:
      return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    case PostgresIsolation::snapshot:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    case PostgresIsolation::serializable:
      return "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";
  }
  return "";
}

constexpr std::string_view roll_back_text = "ROLLBACK";
constexpr std::string_view transaction_id_text = "SELECT CAST(pg_current_xact_id() AS TEXT)";

// Classes of SQLSTATE: appendix A of PostgreSQL's manual.
base::ErrorCode code_of(std::string_view sqlstate) {
  std::string_view of_class = sqlstate.substr(0, 2);
  if (of_class == "23" || sqlstate == "42P07") return base::ErrorCode::conflict;
  if (sqlstate == "22021" || sqlstate == "22P05") return base::ErrorCode::invalid;
  constexpr std::array unavailable = {"08", "40", "53", "57", "58"};
  bool may_pass = std::find(unavailable.begin(), unavailable.end(), of_class) != unavailable.end();
  if (may_pass || sqlstate == "55P03" || sqlstate == "25P03" || sqlstate == "25006")
    return base::ErrorCode::unavailable;
  return base::ErrorCode::internal;
}

// The server closes the connection after these.
bool ends_connection(std::string_view sqlstate) {
  return sqlstate.substr(0, 2) == "08" || sqlstate == "57P01" || sqlstate == "57P02" ||
         sqlstate == "57P03" || sqlstate == "57P05" || sqlstate == "25P03";
}

constexpr int milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(time.count());
}

// libpq adds advice on further lines.
std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

bool is_readable_type(unsigned type) {
  using namespace postgres_type;
  constexpr std::array types = {boolean, bytea, name, int8, int2, int4, text, varchar};
  return std::find(types.begin(), types.end(), type) != types.end();
}

base::Result<> check_columns(const PGresult* result, std::string_view sql) {
  for (int column = 0; column < pq().nfields(result); ++column)
    if (!is_readable_type(pq().ftype(result, column)))
      return base::internal_error(fmt::format("column {} has type {}, which is not read, in {}",
                                              column, pq().ftype(result, column),
                                              sql.substr(0, 200)));
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

// Numbered placeholders are $N. Text orders by its bytes, as in SQLite.
std::string postgres_dialect(std::string_view sql) {
  std::string out;
  bool quoted = false;
  for (char c : sql) {
    if (c == '\'') quoted = !quoted;
    out += c == '?' && !quoted ? '$' : c;
  }
  if (!sql.starts_with("CREATE TABLE") && !sql.starts_with("ALTER TABLE") &&
      !sql.starts_with("\nCREATE TABLE") && !sql.starts_with("\nALTER TABLE"))
    return out;
  replace_all(out, " TEXT", " TEXT COLLATE \"C\"");
  replace_all(out, " BLOB", " BYTEA");
  return out;
}

base::Result<> check_postgres_url(const std::string& url) {
  TRY(load_libpq());
  char* ignored = nullptr;  // its text may repeat the URL
  PQconninfoOption* options = pq().conninfo_parse(url.c_str(), &ignored);
  bool readable = options != nullptr;
  pq().conninfo_free(options);
  pq().freemem(ignored);
  if (!readable) return base::invalid("DAGY_DATABASE_URL is not a connection URI of PostgreSQL");
  return {};
}

// ---- opening ----

base::Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const std::string& url,
                                                                           PostgresUse use) {
  TRY(check_postgres_url(url));
  auto in_seconds = [](auto time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count());
  };
  std::string connect_timeout = in_seconds(limits::postgres_connect_timeout);
  std::string tcp_timeout = in_seconds(limits::postgres_silence_max) + "000";
  const char* keywords[] = {
      "dbname",          "client_encoding",     "fallback_application_name", "connect_timeout",
      "keepalives_idle", "keepalives_interval", "tcp_user_timeout",          nullptr};
  const char* values[] = {url.c_str(),         "UTF8", "dagy", connect_timeout.c_str(), "10", "5",
                          tcp_timeout.c_str(), nullptr};
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(pq().connectdb_params(keywords, values, /*expand_dbname=*/1)));
  if (pq().status(connection->connection_) != CONNECTION_OK)
    return base::unavailable(
        fmt::format("database: {}", first_line(pq().error_message(connection->connection_))));
  TRY(connection->configure(use));
  return connection;
}

base::Result<> PostgresConnection::configure(PostgresUse use) {
  pq().set_notice_processor(
      connection_, [](void*, const char*) {}, nullptr);
  if (pq().setnonblocking(connection_, 1) != 0 || pq().enter_pipeline_mode(connection_) != 1)
    return lose("it has no pipeline mode");
  auto set = [this](std::string_view name, std::string_view value) {
    enqueue(fmt::format("SET {} = {}", name, value), {});
  };
  auto ms = [](auto time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  };
  if (use != PostgresUse::setup) {
    silence_ms_ = milliseconds(limits::postgres_silence_max);
    set("statement_timeout", ms(limits::postgres_statement_timeout));
    set("lock_timeout", ms(limits::postgres_lock_timeout));
  }
  set("idle_in_transaction_session_timeout", ms(limits::postgres_idle_transaction_timeout));
  // The database, too, finds out that the other end is gone: it holds our locks until then.
  set("tcp_keepalives_idle", "10");
  set("tcp_keepalives_interval", "5");
  set("tcp_keepalives_count", "3");
  set("synchronous_commit", "on");
  set("jit", "off");
  if (use != PostgresUse::setup) {
    // Live tables come and go: statistics from when they were empty would have them scanned, and
    // only a plain index scan learns to pass over rows that are gone until the next vacuum.
    set("enable_seqscan", "off");
    set("enable_bitmapscan", "off");
  }
  if (use == PostgresUse::engine) set("plan_cache_mode", "force_generic_plan");
  send_sync();
  TRY(write_out());
  while (!sent_.empty() && sent_.front().what != Pending::sync) TRY(receive_one());
  return drain();
}

PostgresConnection::~PostgresConnection() {
  pq().finish(connection_);
}

// ---- statements ----

const std::string* PostgresConnection::prepare(std::string_view sql,
                                               const std::vector<PostgresValue>& values) {
  std::string key(sql);
  std::vector<Oid> types;
  for (const PostgresValue& value : values) {
    Oid type = types.emplace_back(value.type());
    key.append(reinterpret_cast<const char*>(&type), sizeof type);
  }
  auto [found, is_new] = names_.try_emplace(key);
  if (!is_new) return &found->second;
  found->second = fmt::format("s{}", ++statements_made_);
  if (pq().send_prepare(connection_, found->second.c_str(), postgres_dialect(sql).c_str(),
                        static_cast<int>(types.size()), types.data()) != 1)
    return nullptr;
  sent_.push_back({Pending::prepare, std::move(key)});
  return &found->second;
}

void PostgresConnection::send(std::string_view sql, const std::vector<PostgresValue>& values) {
  start();
  enqueue(sql, values);
}

void PostgresConnection::enqueue(std::string_view sql, const std::vector<PostgresValue>& values) {
  if (lost_) return;
  const std::string* name = prepare(sql, values);
  std::vector<const char*> bytes;
  std::vector<int> lengths;
  for (const PostgresValue& value : values) {
    std::string_view text = value.bytes();
    bytes.push_back(value.is_null() ? nullptr : text.empty() ? "" : text.data());
    lengths.push_back(static_cast<int>(text.size()));
  }
  std::vector<int> formats(values.size(), 1);
  bool sent = name != nullptr &&
              pq().send_query_prepared(connection_, name->c_str(), static_cast<int>(values.size()),
                                       bytes.data(), lengths.data(), formats.data(), 1) == 1;
  if (!sent) {
    lose(pq().error_message(connection_));
    return;
  }
  sent_.push_back({Pending::execute, {}});
}

void PostgresConnection::send_sync() {
  if (lost_) return;
  if (pq().pipeline_sync(connection_) != 1) {
    lose(pq().error_message(connection_));
    return;
  }
  sent_.push_back({Pending::sync, {}});
}

base::Result<> PostgresConnection::flush() {
  if (!lost_ && pq().send_flush_request(connection_) != 1)
    return lose(pq().error_message(connection_));
  return write_out();
}

base::Result<> PostgresConnection::write_out() {
  while (!lost_) {
    int left = pq().flush(connection_);
    if (left == 0) return {};
    if (left < 0) return lose(pq().error_message(connection_));
    TRY(wait(POLLIN | POLLOUT));
  }
  return *failure_;
}

// In slices, so that the end of a server that stops does not wait for a silent database.
base::Result<> PostgresConnection::wait(short events) {
  pollfd descriptor{pq().socket(connection_), events, 0};
  constexpr int slice = milliseconds(limits::postgres_silence_stopping);
  int ready = 0;
  for (int waited = 0; ready == 0 && (silence_ms_ < 0 || waited < silence_ms_); waited += slice) {
    if (waited > 0 && hurries_ && *hurries_) break;
    do {
      ready = poll(&descriptor, 1, slice);
    } while (ready < 0 && errno == EINTR);
  }
  if (ready == 0) return lose("no answer for too long");
  if (ready < 0) return lose("poll failed");
  if ((descriptor.revents & ~POLLOUT) != 0 && pq().consume_input(connection_) != 1)
    return lose(pq().error_message(connection_));
  return {};
}

// The next result of the connection; null at the end of those of one statement.
base::Result<PostgresResult> PostgresConnection::next_result() {
  if (lost_) return *failure_;
  while (pq().is_busy(connection_) == 1) TRY(wait(POLLIN));
  return PostgresResult(pq().get_result(connection_));
}

base::Result<PostgresResult> PostgresConnection::receive() {
  for (; answers_before_ > 0; --answers_before_) {
    PostgresResult result = TRY(receive_one());
    if (pq().ntuples(result.get()) == 1) transaction_id_ = PostgresRow(result.get(), 0).text(0);
  }
  return receive_one();
}

base::Result<PostgresResult> PostgresConnection::receive_one() {
  while (true) {
    if (lost_) return *failure_;
    CHECK(!sent_.empty());
    Sent sent = std::move(sent_.front());
    sent_.pop_front();
    PostgresResult result = TRY(next_result());
    if (!result) return lose("an answer is missing");
    if (sent.what == Pending::sync) continue;
    PostgresResult end = TRY(next_result());
    if (end) return lose("an answer too many");
    ExecStatusType status = pq().result_status(result.get());
    bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (sent.what == Pending::prepare) {
      if (!done) names_.erase(sent.statement);
      if (status == PGRES_FATAL_ERROR) fail(result.get());
      continue;  // the statement's own answer says that it was left out
    }
    if (done) return result;
    if (status == PGRES_PIPELINE_ABORTED && failure_) return *failure_;
    return fail(result.get());
  }
}

// Reads what is still to come of earlier transactions.
base::Result<> PostgresConnection::drain() {
  while (!lost_ && !sent_.empty()) {
    Sent sent = std::move(sent_.front());
    sent_.pop_front();
    PostgresResult result = TRY(next_result());
    if (!result) return lose("an answer is missing");
    if (sent.what == Pending::sync) continue;
    bool done = pq().result_status(result.get()) == PGRES_COMMAND_OK ||
                pq().result_status(result.get()) == PGRES_TUPLES_OK;
    if (sent.what == Pending::prepare && !done) names_.erase(sent.statement);
    if (TRY(next_result())) return lose("an answer too many");
  }
  if (lost_) return *failure_;
  return {};
}

base::Error PostgresConnection::lose(std::string_view why) {
  if (!lost_) {
    lost_ = true;
    if (!failure_)
      failure_ = base::unavailable(
          fmt::format("the connection to the database was lost: {}", first_line(why)));
  }
  return *failure_;
}

base::Error PostgresConnection::fail(const PGresult* result) {
  const char* state = pq().result_error_field(result, PG_DIAG_SQLSTATE);
  const char* message = pq().result_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr) return lose(pq().result_error_message(result));
  if (failure_) return *failure_;
  sqlstate_ = state;
  base::ErrorCode code = code_of(sqlstate_);
  std::string text =
      fmt::format("database: {} ({})", first_line(message ? message : ""), sqlstate_);
  if (code == base::ErrorCode::invalid)
    text = "text must be UTF-8 without U+0000, as the database requires";
  failure_ = code == base::ErrorCode::unavailable ? base::unavailable(text)
                                                  : base::Error{code, std::move(text)};
  if (ends_connection(sqlstate_)) lost_ = true;
  return *failure_;
}

// ---- transactions ----

void PostgresConnection::begin(PostgresIsolation isolation) {
  isolation_ = isolation;
  started_ = commit_sent_ = false;
  transaction_id_.clear();
  if (lost_) return;
  failure_.reset();
  sqlstate_.clear();
  (void)drain();  // a connection that is lost meanwhile has that as its failure
}

void PostgresConnection::start() {
  if (started_ || !isolation_) return;
  started_ = true;
  enqueue(begin_of(*isolation_), {});
  answers_before_ = 1;
  if (*isolation_ != PostgresIsolation::serializable) return;
  enqueue(transaction_id_text, {});
  answers_before_ = 2;
}

base::Result<std::int64_t> PostgresConnection::run(std::string_view sql,
                                                   std::initializer_list<Bind> binds,
                                                   const RowFunction& each) {
  if (failure_) return *failure_;
  send(sql, {binds.begin(), binds.end()});
  TRY(flush());
  PostgresResult result = TRY(receive());
  if (pq().result_status(result.get()) != PGRES_TUPLES_OK)
    return std::int64_t{std::atoll(pq().cmd_tuples(result.get()))};
  if (base::Result<> readable = check_columns(result.get(), sql); !readable) {
    failure_ = readable.error();
    return *failure_;
  }
  for (int row = 0; each && row < pq().ntuples(result.get()); ++row)
    each(PostgresRow(result.get(), row));
  // Of a statement that returns rows it changed, they are counted.
  bool changes = std::string_view(pq().cmd_status(result.get())).substr(0, 6) != "SELECT";
  return changes ? std::int64_t{pq().ntuples(result.get())} : 0;
}

base::Result<std::vector<std::string>> PostgresConnection::table_names(std::string_view prefix) {
  std::vector<std::string> names;
  TRY(
      run("SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'r' AND "
          "pg_catalog.pg_table_is_visible(oid) AND pg_catalog.starts_with(CAST(relname AS TEXT), "
          "?1)",
          {prefix}, [&](const Row& row) { names.push_back(row.string(0)); }));
  return names;
}

base::Result<> PostgresConnection::send_commit() {
  enqueue("COMMIT", {});
  commit_sent_ = true;
  send_sync();
  return write_out();
}

PostgresConnection::Commit PostgresConnection::commit() {
  if (!started_) {
    isolation_.reset();
    return failure_ ? Commit::failed : Commit::done;
  }
  if (failure_ && !commit_sent_) {
    roll_back();
    return Commit::failed;
  }
  if (!commit_sent_) (void)send_commit();
  isolation_.reset();
  started_ = false;
  if (!failure_) {
    base::Result<PostgresResult> result = receive();
    if (result && std::string_view(pq().cmd_status(result->get())) == "COMMIT") return Commit::done;
    if (result && !failure_) failure_ = base::internal_error("the transaction was rolled back");
  }
  if (lost_) return Commit::unknown;
  // Behind a statement that failed COMMIT is left out, and the transaction still open.
  enqueue(roll_back_text, {});
  send_sync();
  (void)write_out();
  return Commit::failed;
}

void PostgresConnection::roll_back() {
  bool was_started = std::exchange(started_, false);
  isolation_.reset();
  answers_before_ = 0;
  if (lost_ || !was_started) return;
  send_sync();  // ends the skipping that follows an error
  enqueue(roll_back_text, {});
  send_sync();
  (void)write_out();
}

// ---- the rest ----

bool PostgresConnection::is_usable() {
  if (lost_ || !drain()) return false;
  // Nothing was asked: what has come is a notice, or the server's word that it closes.
  pollfd descriptor{pq().socket(connection_), POLLIN, 0};
  if (poll(&descriptor, 1, 0) <= 0) return true;
  bool open = pq().consume_input(connection_) == 1 && poll(&descriptor, 1, 0) == 0;
  if (!open || pq().status(connection_) != CONNECTION_OK) lose("it was closed");
  return !lost_;
}

base::Result<bool> PostgresConnection::wait_for_notification(std::chrono::milliseconds limit) {
  if (lost_) return *failure_;
  auto take = [this] {
    bool any = false;
    while (PGnotify* each = pq().notifies(connection_)) {
      pq().freemem(each);
      any = true;
    }
    return any;
  };
  if (take()) return true;
  pollfd descriptor{pq().socket(connection_), POLLIN, 0};
  if (poll(&descriptor, 1, static_cast<int>(limit.count())) <= 0) return false;
  if (pq().consume_input(connection_) != 1) return lose(pq().error_message(connection_));
  return take();
}

base::Result<> transact(PostgresConnection& connection,
                        const std::function<base::Result<>(Tx&)>& fn) {
  connection.begin(PostgresIsolation::read_committed);
  base::Result<> result = fn(connection);
  if (!result) {
    connection.roll_back();
    return result;
  }
  if (connection.commit() == PostgresConnection::Commit::done) return {};
  return *connection.failure();
}

// ---- rows ----

bool PostgresRow::is_null(int column) const {
  return pq().getisnull(result_, row_, column) == 1;
}

std::int64_t PostgresRow::integer(int column) const {
  return read_integer(text(column));
}

std::string_view PostgresRow::text(int column) const {
  return {pq().getvalue(result_, row_, column),
          static_cast<std::size_t>(pq().getlength(result_, row_, column))};
}

}  // namespace store
