// A database of a test's own on the PostgreSQL server that DAGY_TEST_POSTGRES names.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace store {

class PostgresDatabase {
 public:
  explicit PostgresDatabase(const std::string& options = "") {
    static std::atomic<int> counter{0};
    name_ = "test_" + std::to_string(getpid()) + "_" + std::to_string(counter++);
    execute_on_server("CREATE DATABASE " + name_ + " " + options);
  }
  ~PostgresDatabase() { execute_on_server("DROP DATABASE " + name_ + " WITH (FORCE)"); }
  PostgresDatabase(const PostgresDatabase&) = delete;

  std::string url() const {
    std::string server = server_url();
    return server.substr(0, server.rfind('/') + 1) + name_;
  }
  const std::string& name() const { return name_; }
  /// The first column of the first row, or "".
  std::string execute(const std::string& sql) const { return execute_at(url(), sql); }
  static std::string execute_on_server(const std::string& sql) {
    return execute_at(server_url(), sql);
  }

 private:
  static std::string server_url() {
    const char* url = std::getenv("DAGY_TEST_POSTGRES");
    EXPECT_NE(url, nullptr) << "DAGY_TEST_POSTGRES names no server: ./dev test starts one";
    return url == nullptr ? "" : url;
  }
  static std::string execute_at(const std::string& url, const std::string& sql) {
    PGconn* connection = PQconnectdb(url.c_str());
    PGresult* result = PQexec(connection, sql.c_str());
    ExecStatusType status = PQresultStatus(result);
    EXPECT_TRUE(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        << PQerrorMessage(connection);
    std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    PQfinish(connection);
    return value;
  }

  std::string name_;
};

}  // namespace store
