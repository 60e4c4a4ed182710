// What only PostgreSQL has: servers that are refused, the node's fence, the pool, the session.
#include <atomic>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "store/engine_sql.h"
#include "store/migrations.h"
#include "store/postgres_batch.h"
#include "store/postgres_pool.h"
#include "test_store.h"

namespace store {
namespace {

class PostgresTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<Store>> open(int connections_max = 8) {
    return open_postgres({.url = database_.url(),
                          .connections_max = connections_max,
                          .taken_over = [this] { ++taken_over_; }},
                         clock_);
  }
  std::unique_ptr<Store> open_node(const std::string& instance) {
    auto store = open();
    EXPECT_TRUE(store) << store.error().message;
    auto other = (*store)->membership()->acquire({instance, instance + ":8000"});
    EXPECT_TRUE(other && !*other);
    return std::move(*store);
  }
  EngineBatch new_run(std::int64_t id, std::optional<std::string> key = {}) {
    EngineBatch batch;
    LiveRunRow row;
    row.id = base::RunId(id);
    row.org_id = "org_a";
    row.flow_name = "f";
    row.flow_version = "1";
    row.trigger_type = "api";
    row.parameters = model::Value::inline_json("{}");
    row.created_by = "a@b";
    row.created_at = clock_.now();
    std::optional<IdempotencyRow> claim;
    if (key) claim = {"org_a", "usr", "/runs", *key, "body", base::RunId(id), clock_.now()};
    batch.created.emplace_back(row, claim);
    batch.journal.push_back({row.id, 1, "{}"});
    return batch;
  }
  std::string rows(const std::string& table) {
    return database_.execute("SELECT COUNT(*) FROM " + table);
  }

  base::SystemClock clock_;
  std::atomic<int> taken_over_ = 0;
  PostgresDatabase database_;
};

void expect_refusal(const base::Result<std::unique_ptr<Store>>& opened, base::ErrorCode code,
                    const std::string& word) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, code);
  EXPECT_NE(opened.error().message.find(word), std::string::npos) << opened.error().message;
}

// ---- opening ----

TEST_F(PostgresTest, ManyServersMigrateOnce) {
  std::vector<std::thread> servers;
  for (int i = 0; i < 6; ++i)
    servers.emplace_back([&] {
      auto store = open();
      EXPECT_TRUE(store) << store.error().message;
    });
  for (std::thread& each : servers) each.join();
  EXPECT_EQ(rows("schema_migrations"), std::to_string(migrations().size()));
}

TEST_F(PostgresTest, ANewerSchemaIsRefused) {
  ASSERT_TRUE(open());
  database_.execute("INSERT INTO schema_migrations VALUES (999, 'later', 'x', 0)");
  expect_refusal(open(), base::ErrorCode::conflict, "999");
}

TEST_F(PostgresTest, AChangedMigrationIsRefused) {
  ASSERT_TRUE(open());
  database_.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
  expect_refusal(open(), base::ErrorCode::conflict, "first schema");
}

TEST_F(PostgresTest, AnotherProgramsTablesAreNotTakenForOurs) {
  database_.execute("CREATE TABLE users (id INT)");
  expect_refusal(open(), base::ErrorCode::conflict, "users");
  EXPECT_EQ(database_.execute("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
}

TEST_F(PostgresTest, AReplicaIsRefused) {
  database_.execute("ALTER DATABASE " + database_.name() +
                    " SET default_transaction_read_only = on");
  expect_refusal(open(), base::ErrorCode::unavailable, "read-only");
}

TEST_F(PostgresTest, AnotherEncodingIsRefused) {
  PostgresDatabase latin("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
  expect_refusal(open_postgres({.url = latin.url()}, clock_), base::ErrorCode::conflict, "LATIN1");
}

TEST_F(PostgresTest, WhoMayNotMakeTablesIsTold) {
  std::string role = database_.name() + "_guest";
  database_.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'guest'");
  std::string url = database_.url();
  url.replace(url.find("//") + 2, url.find('@') - url.find("//") - 2, role + ":guest");
  expect_refusal(open_postgres({.url = url}, clock_), base::ErrorCode::internal, "permission");
  database_.execute("DROP ROLE " + role);
}

TEST_F(PostgresTest, AWrongPasswordIsRefusedAndNotRepeated) {
  std::string url = database_.url();
  std::size_t at = url.find('@');
  url.insert(at, "wr0ng");
  auto opened = open_postgres({.url = url}, clock_);
  expect_refusal(opened, base::ErrorCode::unavailable, "password");
  EXPECT_EQ(opened.error().message.find("wr0ng"), std::string::npos);
}

TEST_F(PostgresTest, AUrlThatCannotBeReadIsNotRepeated) {
  auto opened = open_postgres({.url = "postgresql://u:s3cret@h:port/%zz?x=y"}, clock_);
  expect_refusal(opened, base::ErrorCode::invalid, "DAGY_DATABASE_URL");
  EXPECT_EQ(opened.error().message.find("s3cret"), std::string::npos);
}

TEST_F(PostgresTest, SessionsHaveTheirLimits) {
  for (auto [use, plans] :
       {std::pair{PostgresUse::requests, "auto"}, {PostgresUse::engine, "force_generic_plan"}}) {
    auto connection = PostgresConnection::open(database_.url(), use);
    ASSERT_TRUE(connection);
    (*connection)->begin(PostgresIsolation::read_committed);
    auto shown = [&](const std::string& name) {
      std::string value;
      EXPECT_TRUE((*connection)->run("SELECT current_setting(?1)", {name}, [&](const Row& row) {
        value = row.string(0);
      }));
      return value;
    };
    EXPECT_EQ(shown("statement_timeout"), "30s");
    EXPECT_EQ(shown("lock_timeout"), "10s");
    EXPECT_EQ(shown("idle_in_transaction_session_timeout"), "3s");
    EXPECT_EQ(shown("synchronous_commit"), "on");
    EXPECT_EQ(shown("client_encoding"), "UTF8");
    EXPECT_EQ(shown("application_name"), "dagy");
    EXPECT_EQ(shown("enable_seqscan"), "off");
    EXPECT_EQ(shown("enable_bitmapscan"), "off");
    EXPECT_EQ(shown("plan_cache_mode"), plans);
    (*connection)->roll_back();
  }
}

TEST_F(PostgresTest, StatementsAreTranslated) {
  EXPECT_EQ(postgres_dialect("SELECT ?1, '?2', ?12"), "SELECT $1, '?2', $12");
  EXPECT_EQ(postgres_dialect("CREATE TABLE t (a TEXT NOT NULL, b BLOB)"),
            "CREATE TABLE t (a TEXT COLLATE \"C\" NOT NULL, b BYTEA)");
  EXPECT_EQ(postgres_dialect("SELECT CAST(a AS TEXT)"), "SELECT CAST(a AS TEXT)");
}

// ---- nodes ----

TEST_F(PostgresTest, OneNodeWorksTheOthersStandBy) {
  auto first = open_node("one");
  auto second = *open();
  auto other = second->membership()->acquire({"two", "two:8000"});
  ASSERT_TRUE(other && *other);
  EXPECT_EQ((*other)->address, "one:8000");
  first->membership()->release();
  other = second->membership()->acquire({"two", "two:8000"});
  ASSERT_TRUE(other);
  EXPECT_FALSE(*other);
  EXPECT_NE(first->membership()->node(), second->membership()->node());
}

TEST_F(PostgresTest, AReleaseIsHeardAtOnce) {
  auto first = open_node("one");
  auto second = *open();
  ASSERT_TRUE(second->membership()->acquire({"two", ""})->has_value());
  std::thread releasing([&] { first->membership()->release(); });
  std::optional<WorkingNode> other = WorkingNode{};
  for (int i = 0; other && i < 3; ++i) {
    second->membership()->wait_for_change();
    other = *second->membership()->acquire({"two", ""});
  }
  releasing.join();
  EXPECT_FALSE(other);
}

// A server that was killed and comes again on its data directory waits for nobody.
TEST_F(PostgresTest, TheSameNodeSucceedsItself) {
  auto dead = open_node("one");
  ASSERT_TRUE(dead->commit(new_run(1)));
  auto again = open_node("one");
  EXPECT_EQ(dead->membership()->node(), again->membership()->node());
  base::Result<CommitResult> late = dead->commit(new_run(2));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::ErrorCode::unavailable);
  EXPECT_EQ(rows("run_live"), "1");
  EXPECT_EQ(rows("journal"), "1");
  EXPECT_EQ(taken_over_, 1);
  EXPECT_TRUE(again->commit(new_run(3)));
}

TEST_F(PostgresTest, RunsPassToTheNodeThatTakesOver) {
  auto first = open_node("one");
  ASSERT_TRUE(first->commit(new_run(1)));
  first->membership()->release();
  auto second = open_node("two");
  EXPECT_EQ(database_.execute("SELECT owner_node FROM run_live"),
            std::to_string(second->membership()->node()));
  EXPECT_FALSE(first->commit(new_run(2)));
  EXPECT_EQ(rows("run_live"), "1");
}

// A batch that reaches the server after its node has begun a new generation finds no fence.
TEST_F(PostgresTest, ALateBatchOfAnOlderGenerationIsNotWritten) {
  auto store = open_node("one");
  Fence fence{store->membership()->node(),
              std::stoll(database_.execute("SELECT generation FROM nodes"))};
  auto connection = PostgresConnection::open(database_.url(), PostgresUse::engine);
  ASSERT_TRUE(connection);
  EXPECT_EQ(commit_batch(**connection, new_run(1), fence).commit, PostgresConnection::Commit::done);
  database_.execute("UPDATE nodes SET generation = generation + 1");
  BatchEnd late = commit_batch(**connection, new_run(2, "key"), fence);
  EXPECT_EQ(late.commit, PostgresConnection::Commit::failed);
  EXPECT_TRUE(late.fenced);
  EXPECT_EQ(rows("run_live"), "1");
}

// ---- the engine's batches ----

TEST_F(PostgresTest, AKeysTableThatIsGoneIsMadeAgain) {
  auto store = open_node("one");
  ASSERT_TRUE(store->commit(new_run(1, "a")));
  database_.execute("DROP TABLE " + idempotency_table(clock_.now()));
  auto committed = store->commit(new_run(2, "a"));
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_TRUE(committed->duplicates.empty());
  EXPECT_EQ(store->commit(new_run(3, "a"))->duplicates.size(), 1u);
}

TEST_F(PostgresTest, ABatchGoesOnOverAConnectionThatWasEnded) {
  auto store = open_node("one");
  for (int i = 1; i <= 10; ++i) {
    PostgresDatabase::execute_on_server(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '" +
        database_.name() + "'");
    auto committed = store->commit(new_run(i));
    ASSERT_TRUE(committed) << committed.error().message;
    ASSERT_TRUE(store->write([](Tx& tx) -> base::Result<> {
      TRY(tx.run("UPDATE users SET email = email", {}));
      return {};
    }));
    ASSERT_TRUE(store->check());
  }
  EXPECT_EQ(rows("run_live"), "10");
}

TEST_F(PostgresTest, WhatWasWrittenIsFoundOut) {
  auto store = open_node("one");
  EngineBatch batch = new_run(1);
  auto was_written = [&](const EngineBatch& asked) {
    bool found = false;
    EXPECT_TRUE(store->read([&](Tx& tx) -> base::Result<> {
      found = TRY(batch_was_written(tx, asked));
      return {};
    }));
    return found;
  };
  EngineBatch journal, logs, end, audit;
  journal.journal.push_back({base::RunId(1), 2, "{}"});
  logs.logs.push_back({base::RunId(1), 3, 0, 0, 1, 1, "bytes"});
  audit.audit.push_back({.audit_id = "aud_1"});
  end.finished.push_back(
      {base::RunId(1), model::RunStatus::succeeded, {}, clock_.now(), {}, {"[]"}, 1});
  for (const EngineBatch* each : {&batch, &journal, &logs, &audit, &end}) {
    EXPECT_FALSE(was_written(*each));
    ASSERT_TRUE(store->commit(*each));
    EXPECT_TRUE(was_written(*each));
  }
  EXPECT_FALSE(was_written(new_run(2)));
}

// ---- the pool ----

TEST_F(PostgresTest, ABorrowerWaitsAndIsThenRefused) {
  ASSERT_TRUE(open());
  PostgresPool pool(database_.url(), 1, clock_);
  auto held = pool.borrow();
  ASSERT_TRUE(held);
  base::SteadyTime begin = clock_.steady();
  auto refused = pool.borrow();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::unavailable);
  EXPECT_NE(refused.error().message.find("all 1 connections"), std::string::npos);
  EXPECT_GE(clock_.steady() - begin, base::limits::postgres_borrow_timeout);
  pool.give_back(std::move(*held));
  EXPECT_TRUE(pool.borrow());
}

TEST_F(PostgresTest, ADatabaseThatIsAwayIsNotAskedAgainAtOnce) {
  PostgresPool pool("postgresql://u@127.0.0.1:1/d", 4, clock_);
  ASSERT_FALSE(pool.borrow());
  base::SteadyTime begin = clock_.steady();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(pool.borrow());
  EXPECT_LT(clock_.steady() - begin, std::chrono::seconds(1));
}

}  // namespace
}  // namespace store
