// SQLite under the server: part of its process, a file in its directory.
#include <sqlite3.h>

#include "base/check.h"
#include "database.h"

namespace bench {

namespace {

class HeldReader : public Held {
 public:
  explicit HeldReader(const std::string& path) {
    CHECK(sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    CHECK(sqlite3_exec(db_, "BEGIN; SELECT COUNT(*) FROM run", nullptr, nullptr, nullptr) ==
          SQLITE_OK);
  }
  ~HeldReader() override { sqlite3_close(db_); }
  HeldReader(const HeldReader&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

class SqliteDatabase : public Database {
 public:
  explicit SqliteDatabase(std::string path) : path_(std::move(path)) {}

  std::string_view name() const override { return "SQLite"; }
  Goals goals() const override {
    return {.w1_ms = 0.8,
            .w1_syncs = 4,
            .w2_rate = 15'000,
            .w2_cpu_ms = 0.10,
            .w2_syncs = 0.1,
            .w3_ms = 8,
            .w4_ms = 6,
            .w4_processes_ms = 35};
  }
  std::string url() const override { return ""; }
  bool is_inside() const override { return true; }
  double cpu_seconds() const override { return 0; }
  std::uint64_t syncs() override { return 0; }  // they are the server's own
  std::uint64_t transactions() override { return 0; }
  std::unique_ptr<Held> hold_reader() override { return std::make_unique<HeldReader>(path_); }

 private:
  std::string path_;
};

}  // namespace

std::unique_ptr<Database> sqlite_database(const std::string& directory) {
  return std::make_unique<SqliteDatabase>(directory + "/dagy.db");
}

}  // namespace bench
