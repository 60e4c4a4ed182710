// A database of each older version, with data in it, is brought up to date and keeps the data.
#include "store/migrations.h"
#include "store/postgres_connection.h"
#include "store/runs.h"
#include "store/sqlite_connection.h"
#include "test_store.h"

namespace store {
namespace {

class UpgradeTest : public StoreTest {
 protected:
  void SetUp() override {}

  // One transaction on a database that no store has opened yet.
  base::Result<> prepare(const TxFunction& fn) {
    if (GetParam() == Backend::sqlite_file) {
      auto connection =
          TRY(SqliteConnection::open(directory_.path() + "/dagy.db", SqliteMode::writer));
      TRY(connection->execute("BEGIN"));
      TRY(fn(*connection));
      return connection->execute("COMMIT");
    }
    database_.emplace();
    auto connection = TRY(PostgresConnection::open(database_->url(), PostgresUse::setup));
    connection->begin(PostgresIsolation::read_committed);
    TRY(fn(*connection));
    if (connection->commit() == PostgresConnection::Commit::done) return {};
    return *connection->failure();
  }
};

// Columns that version 1 had.
base::Result<> insert_runs(Tx& tx) {
  TRY(tx.run("INSERT INTO organizations VALUES ('org_a', 'A', 'a', 1)", {}));
  TRY(
      tx.run("INSERT INTO run_live (run_id, org_id, flow_name, flow_version, status, trigger_type, "
             "parameters, created_by, owner_node, created_at) VALUES (8, 'org_a', 'f', '1', "
             "'RUNNING', 'api', '{}', 'a@b', 0, 1)",
             {}));
  TRY(tx.run("INSERT INTO journal VALUES (8, 1, '{}')", {}));
  TRY(
      tx.run("INSERT INTO run (run_id, org_id, flow_name, flow_version, status, trigger_type, "
             "parameters, created_by, created_at, finished_at, chunks, tasks) VALUES (7, 'org_a', "
             "'f', '1', 'SUCCEEDED', 'api', '{}', 'a@b', 1, 2, 1, '[]')",
             {}));
  return {};
}

TEST_P(UpgradeTest, FromEachOlderVersion) {
  for (const Migration& migration : migrations()) {
    SCOPED_TRACE(migration.name);
    std::filesystem::remove(directory_.path() + "/dagy.db");
    base::Result<> prepared = prepare([&](Tx& tx) -> base::Result<> {
      TRY(migrate(tx, clock_, migration.version));
      return insert_runs(tx);
    });
    ASSERT_TRUE(prepared) << prepared.error().message;
    open();
    std::vector<RunRow> runs;
    ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
      runs = TRY(list_runs(tx, "org_a", {}, std::nullopt, 10));
      return {};
    }));
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].run.status, model::RunStatus::running);
    EXPECT_EQ(runs[1].run.priority, 0);
    auto live = store_->load_run(base::RunId(8));
    ASSERT_TRUE(live && *live);
    EXPECT_EQ((*live)->journal.size(), 1u);
    EXPECT_EQ(*count("schema_migrations"), std::ssize(migrations()));
    store_.reset();
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, UpgradeTest,
                         testing::Values(Backend::sqlite_file, Backend::postgres), backend_name);

}  // namespace
}  // namespace store
