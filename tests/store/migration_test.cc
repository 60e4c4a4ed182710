// Opening a database: fresh, again, newer than the program, or changed behind its back.
#include "store/migrations.h"
#include "store/sqlite_connection.h"
#include "test_store.h"

namespace store {
namespace {

class MigrationTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<Store>> open() { return open_sqlite({path_}, clock_); }
  void execute(const std::string& sql) {
    auto connection = SqliteConnection::open(path_, SqliteMode::writer);
    ASSERT_TRUE(connection);
    ASSERT_TRUE((*connection)->execute(sql));
  }

  StillClock clock_;
  base::TemporaryDirectory directory_;
  std::string path_ = directory_.path() + "/dagy.db";
};

TEST_F(MigrationTest, ASecondOpenChangesNothing) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(open());
  auto connection = SqliteConnection::open(path_, SqliteMode::reader);
  std::int64_t rows = 0;
  ASSERT_TRUE((*connection)->run("SELECT COUNT(*) FROM schema_migrations", {}, [&](const Row& row) {
    rows = row.integer(0);
  }));
  EXPECT_EQ(rows, std::ssize(migrations()));
}

TEST_F(MigrationTest, ANewerSchemaIsRefused) {
  ASSERT_TRUE(open());
  execute("INSERT INTO schema_migrations VALUES (999, 'later', 'x', 0)");
  auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::ErrorCode::conflict);
  EXPECT_NE(opened.error().message.find("999"), std::string::npos);
}

TEST_F(MigrationTest, AChangedMigrationIsRefused) {
  ASSERT_TRUE(open());
  execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
  auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("first schema"), std::string::npos);
}

TEST_F(MigrationTest, TheFileIsTheOwnersOnly) {
  ASSERT_TRUE(open());
  auto mode = std::filesystem::status(path_).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(MigrationTest, WhatIsNoDatabaseIsRefused) {
  execute("PRAGMA user_version = 1");
  std::filesystem::resize_file(path_, 0);
  FILE* file = fopen(path_.c_str(), "w");
  fputs(std::string(8192, 'x').c_str(), file);
  fclose(file);
  EXPECT_FALSE(open());
}

}  // namespace
}  // namespace store
