// A store for a test: SQLite on a file in a directory of its own or in memory, or a database of its
// own on the PostgreSQL server that DAGY_TEST_POSTGRES names (`./dev test` starts one).
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/test_directory.h"
#include "postgres_database.h"
#include "store/store.h"

namespace store {

/// Time stands still until it is moved.
class StillClock : public base::Clock {
 public:
  base::Timestamp now() const override { return now_; }
  base::SteadyTime steady() const override { return base::SteadyTime(now_.time_since_epoch()); }
  void advance(base::Duration by) { now_ += by; }

 private:
  base::Timestamp now_ = *base::from_iso8601("2026-03-01T12:00:00Z");
};

enum class Backend { sqlite_file, sqlite_memory, postgres };

inline const auto every_backend =
    testing::Values(Backend::sqlite_file, Backend::sqlite_memory, Backend::postgres);
inline std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  constexpr const char* names[] = {"file", "memory", "postgres"};
  return names[static_cast<int>(info.param)];
}

/// Every conformance case runs on every backend.
class StoreTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override { open(); }
  void open() {
    store_.reset();
    auto opened = open_again();
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    Membership* membership = store_->membership();
    if (membership == nullptr) return;
    auto other = membership->acquire({"test", "here"});
    ASSERT_TRUE(other && !*other);
  }
  base::Result<std::unique_ptr<Store>> open_again() {
    if (GetParam() == Backend::postgres) {
      if (!database_) database_.emplace();
      return open_postgres({.url = database_->url()}, clock_);
    }
    SqliteOptions options;
    if (GetParam() == Backend::sqlite_file) options.path = directory_.path() + "/dagy.db";
    return open_sqlite(options, clock_);
  }

  base::Result<std::int64_t> count(const std::string& table) {
    std::int64_t rows = 0;
    base::Result<> read = store_->read([&](Tx& tx) -> base::Result<> {
      TRY(tx.run("SELECT COUNT(*) FROM " + table, {},
                 [&](const Row& row) { rows = row.integer(0); }));
      return {};
    });
    if (!read) return read.error();
    return rows;
  }

  StillClock clock_;
  base::TemporaryDirectory directory_;
  std::optional<PostgresDatabase> database_;
  std::unique_ptr<Store> store_;
};

}  // namespace store
