// PostgreSQL under the server: a database of its own on a server that is there. All processes of
// that server count; it should have nothing else to do.
#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/check.h"
#include "database.h"
#include "processes.h"

namespace bench {

namespace {

// Its processes report what they did a second after the last report, or 10 seconds after they have
// become idle.
constexpr std::chrono::seconds report_time(11);

class Session {
 public:
  explicit Session(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    if (PQstatus(connection_) == CONNECTION_OK) return;
    std::fprintf(stderr, "%s", PQerrorMessage(connection_));
    std::exit(1);
  }
  ~Session() { PQfinish(connection_); }
  Session(const Session&) = delete;

  /// The first column of the first row, or "".
  std::string ask(const std::string& sql) {
    PGresult* result = PQexec(connection_, sql.c_str());
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      std::fprintf(stderr, "%s%s\n", PQerrorMessage(connection_), sql.c_str());
      std::exit(1);
    }
    std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return value;
  }
  std::uint64_t number(const std::string& sql) {
    return std::strtoull(ask(sql).c_str(), nullptr, 10);
  }

 private:
  PGconn* connection_;
};

class HeldReader : public Held {
 public:
  explicit HeldReader(const std::string& url) : session_(url) {
    session_.ask("BEGIN ISOLATION LEVEL REPEATABLE READ");
    session_.ask("SELECT COUNT(*) FROM run");
  }

 private:
  Session session_;
};

class PostgresDatabase : public Database {
 public:
  // The observer's session is in another database, whose transactions are not counted.
  explicit PostgresDatabase(const std::string& superuser_url) : observer_(superuser_url) {
    static int made = 0;
    name_ = fmt::format("bench_{}_{}", getpid(), ++made);
    std::size_t end = superuser_url.rfind("/postgres");
    CHECK(end != std::string::npos);
    url_ = superuser_url.substr(0, end + 1) + name_;
    observer_.ask("CREATE DATABASE " + name_);
    // The first line of that file in the data directory.
    postmaster_ = std::atoi(observer_.ask("SELECT pg_read_file('postmaster.pid')").c_str());
    CHECK(postmaster_ > 0);
  }
  ~PostgresDatabase() override { observer_.ask("DROP DATABASE " + name_ + " WITH (FORCE)"); }

  std::string_view name() const override { return "PostgreSQL"; }
  Goals goals() const override {
    return {.w1_ms = 1.5,
            .w1_syncs = 4,
            .w2_rate = 6'000,
            .w2_cpu_ms = 0.20,
            .w2_syncs = 0.1,
            .w3_ms = 12,
            .w4_ms = 10,
            .w4_processes_ms = 45};
  }
  std::string url() const override { return url_; }
  bool is_inside() const override { return false; }

  double cpu_seconds() const override {
    double seconds = ended_children_cpu_seconds(postmaster_);
    for (pid_t pid : with_children(postmaster_)) seconds += own_cpu_seconds(pid);
    return seconds;
  }

  std::uint64_t syncs() override {
    std::this_thread::sleep_for(report_time);
    return observer_.number("SELECT wal_sync FROM pg_stat_wal");
  }

  std::uint64_t transactions() override {
    std::this_thread::sleep_for(report_time);
    return observer_.number(fmt::format(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{}'", name_));
  }

  std::unique_ptr<Held> hold_reader() override { return std::make_unique<HeldReader>(url_); }

 private:
  Session observer_;
  std::string name_;
  std::string url_;
  pid_t postmaster_ = 0;
};

}  // namespace

std::unique_ptr<Database> postgres_database(const std::string& superuser_url) {
  return std::make_unique<PostgresDatabase>(superuser_url);
}

}  // namespace bench
