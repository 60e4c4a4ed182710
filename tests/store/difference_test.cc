// What the two databases do differently by themselves, and the store must make the same.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

#include "store/flows.h"
#include "store/housekeeping.h"
#include "test_store.h"

namespace store {
namespace {

class DifferenceTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    execute("CREATE TABLE item (name TEXT PRIMARY KEY, value BIGINT, data BLOB)");
  }
  void execute(const std::string& sql) {
    ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
      TRY(tx.run(sql, {}));
      return {};
    }));
  }
  base::Result<> insert(std::string_view name, std::int64_t value) {
    return store_->write([&](Tx& tx) -> base::Result<> {
      TRY(tx.run("INSERT INTO item (name, value) VALUES (?1, ?2)", {name, value}));
      return {};
    });
  }
  std::int64_t number(const std::string& sql) {
    std::int64_t found = -1;
    EXPECT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
      TRY(tx.run(sql, {}, [&](const Row& row) { found = row.integer(0); }));
      return {};
    }));
    return found;
  }
  std::vector<std::string> names(const std::string& condition) {
    std::vector<std::string> found;
    EXPECT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
      TRY(tx.run("SELECT name FROM item WHERE " + condition, {},
                 [&](const Row& row) { found.push_back(row.string(0)); }));
      return {};
    }));
    return found;
  }
  // Runs `work` in so many threads that begin together.
  void together(int threads, const std::function<void(int)>& work) {
    std::barrier ready(threads);
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        ready.arrive_and_wait();
        work(t);
      });
    for (std::thread& each : running) each.join();
  }
};

// ---- text ----

TEST_P(DifferenceTest, TheNullCharacterIsRefused) {
  base::Result<> refused = insert(std::string_view("a\0b", 3), 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::invalid);
  EXPECT_NE(refused.error().message.find("U+0000"), std::string::npos);
  EXPECT_EQ(*count("item"), 0);
}

TEST_P(DifferenceTest, TextOrdersAndPagesByItsBytes) {
  std::vector<std::string> all = {"Zebra", "a b", "ab",   "a-b", "A",  "a",
                                  "é",     "e",   "_x",   "10",  "9",  "ä",
                                  "z",     "~",   "日本", "a.b", "aB", "\xf0\x9f\x98\x80"};
  for (const std::string& name : all) ASSERT_TRUE(insert(name, 0));
  std::sort(all.begin(), all.end());
  EXPECT_EQ(names("value = 0 ORDER BY name"), all);
  std::vector<std::string> paged;
  while (paged.size() < all.size()) {
    std::vector<std::string> page;
    std::string after = paged.empty() ? "" : paged.back();
    ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
      TRY(tx.run("SELECT name FROM item WHERE name > ?1 ORDER BY name LIMIT ?2", {after, 4},
                 [&](const Row& row) { page.push_back(row.string(0)); }));
      return {};
    }));
    ASSERT_FALSE(page.empty());
    paged.insert(paged.end(), page.begin(), page.end());
  }
  EXPECT_EQ(paged, all);
}

TEST_P(DifferenceTest, UpperAndLowerCaseAreDifferentNames) {
  ASSERT_TRUE(insert("name", 1));
  ASSERT_TRUE(insert("NAME", 2));
  EXPECT_EQ(names("name = 'Name'"), std::vector<std::string>{});
  EXPECT_EQ(names("name = 'NAME'"), std::vector<std::string>{"NAME"});
}

// Composed and decomposed letters look alike and are not.
TEST_P(DifferenceTest, TextIsNotNormalized) {
  ASSERT_TRUE(insert("\xc3\xa9", 1));
  ASSERT_TRUE(insert("e\xcc\x81", 2));
  EXPECT_EQ(*count("item"), 2);
}

TEST_P(DifferenceTest, LongTextIsWhole) {
  std::string text(3 << 20, 'x');
  ASSERT_TRUE(insert("long", 1));
  ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("UPDATE item SET data = ?1", {Blob{text}}));
    return {};
  }));
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT data, ?1 FROM item", {text}, [&](const Row& row) {
      EXPECT_EQ(row.text(0), text);
      EXPECT_EQ(row.text(1), text);
    }));
    return {};
  }));
}

// ---- numbers, bytes, nulls ----

TEST_P(DifferenceTest, NumbersKeepAll64Bits) {
  std::vector<std::int64_t> all = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, (1LL << 53) + 1, INT64_MAX};
  for (std::int64_t each : all) ASSERT_TRUE(insert(std::to_string(each), each));
  std::vector<std::int64_t> found;
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    for (std::int64_t each : all)
      TRY(tx.run("SELECT value FROM item WHERE value = ?1", {each},
                 [&](const Row& row) { found.push_back(row.integer(0)); }));
    return {};
  }));
  EXPECT_EQ(found, all);
  EXPECT_EQ(number("SELECT CAST(SUM(value) AS BIGINT) FROM item WHERE value BETWEEN -1 AND 1"), 0);
}

TEST_P(DifferenceTest, EveryByteIsStored) {
  std::string bytes;
  for (int i = 0; i < 512; ++i) bytes += static_cast<char>(i);
  ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("INSERT INTO item (name, data) VALUES ('b', ?1), ('empty', ?2)",
               {Blob{bytes}, Blob{""}}));
    return {};
  }));
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT data FROM item ORDER BY name", {}, [&](const Row& row) {
      EXPECT_FALSE(row.is_null(0));
      EXPECT_TRUE(row.text(0).empty() || row.text(0) == bytes);
    }));
    return {};
  }));
}

TEST_P(DifferenceTest, ANullOfAnyTypeCanBeCompared) {
  ASSERT_TRUE(insert("a", 1));
  for (auto name : {std::optional<std::string>(), std::optional<std::string>("a")})
    for (auto value : {std::optional<int>(), std::optional<int>(1)}) {
      std::int64_t rows = 0;
      base::Result<> read = store_->read([&](Tx& tx) -> base::Result<> {
        TRY(
            tx.run("SELECT 1 FROM item WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR value = "
                   "?2)",
                   {name, value}, [&](const Row&) { ++rows; }));
        TRY(tx.run("SELECT 1 FROM item WHERE ?1 IS NULL", {name}));
        return {};
      });
      EXPECT_TRUE(read) << read.error().message;
      EXPECT_EQ(rows, 1);
    }
}

TEST_P(DifferenceTest, ChangedRowsAreCounted) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(insert(std::to_string(i), i));
  ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
    EXPECT_EQ(TRY(tx.run("UPDATE item SET value = value + 1 WHERE value >= ?1", {3})), 2);
    EXPECT_EQ(TRY(tx.run("SELECT name FROM item", {})), 0);
    EXPECT_EQ(TRY(tx.run("INSERT INTO item (name) VALUES ('0') ON CONFLICT DO NOTHING", {})), 0);
    EXPECT_EQ(TRY(tx.run("DELETE FROM item WHERE value = ?1 RETURNING name", {0},
                         [](const Row& row) { EXPECT_EQ(row.text(0), "0"); })),
              1);
    EXPECT_EQ(TRY(tx.run("DELETE FROM item", {})), 4);
    return {};
  }));
}

TEST_P(DifferenceTest, TablesByTheBeginningOfTheirNames) {
  execute("CREATE TABLE prefix_a (x BIGINT)");
  execute("CREATE TABLE prefixXb (x BIGINT)");
  std::vector<std::string> found;
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    found = TRY(tx.table_names("prefix_"));
    return {};
  }));
  EXPECT_EQ(found, std::vector<std::string>{"prefix_a"});
}

// ---- transactions ----

// PostgreSQL ends a transaction at its first error, SQLite would go on.
TEST_P(DifferenceTest, NothingIsKeptAfterAnErrorThatWasIgnored) {
  ASSERT_TRUE(insert("taken", 1));
  base::Result<> result = store_->write([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("INSERT INTO item (name) VALUES ('before')", {}));
    (void)tx.run("INSERT INTO item (name) VALUES ('taken')", {});
    (void)tx.run("INSERT INTO item (name) VALUES ('after')", {});
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::ErrorCode::conflict);
  EXPECT_EQ(*count("item"), 1);
  EXPECT_TRUE(insert("next", 1));
}

TEST_P(DifferenceTest, AReadSeesOneInstant) {
  if (GetParam() == Backend::sqlite_memory) return;  // its reads go through the writer
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    std::int64_t before = -1, after = -1;
    TRY(tx.run("SELECT COUNT(*) FROM item", {}, [&](const Row& row) { before = row.integer(0); }));
    std::thread([&] { EXPECT_TRUE(insert("meanwhile", 1)); }).join();
    TRY(tx.run("SELECT COUNT(*) FROM item", {}, [&](const Row& row) { after = row.integer(0); }));
    EXPECT_EQ(before, after);
    return {};
  }));
  EXPECT_EQ(*count("item"), 1);
}

TEST_P(DifferenceTest, OneOfManyGetsAName) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> won = 0, lost = 0;
    together(6, [&](int t) {
      base::Result<> result = insert("name" + std::to_string(round), t);
      EXPECT_TRUE(result || result.error().code == base::ErrorCode::conflict);
      ++(result ? won : lost);
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 5);
  }
}

// Each looks whether another owner is left before it goes: together they must not all go.
TEST_P(DifferenceTest, TheLastOwnerStays) {
  for (int round = 0; round < 30; ++round) {
    for (int t = 0; t < 4; ++t)
      ASSERT_TRUE(insert(std::to_string(round) + "-" + std::to_string(t), round));
    together(4, [&](int t) {
      base::Result<> left = store_->write([&](Tx& tx) -> base::Result<> {
        std::int64_t owners = 0;
        TRY(tx.run("SELECT COUNT(*) FROM item WHERE value = ?1", {round},
                   [&](const Row& row) { owners = row.integer(0); }));
        if (owners < 2) return base::conflict("the last owner");
        TRY(tx.run("DELETE FROM item WHERE name = ?1",
                   {std::to_string(round) + "-" + std::to_string(t)}));
        return {};
      });
      EXPECT_TRUE(left || left.error().message == "the last owner");
    });
    EXPECT_EQ(number("SELECT COUNT(*) FROM item WHERE value = " + std::to_string(round)), 1);
  }
}

// The sum of what is there is looked at before something is added.
TEST_P(DifferenceTest, AQuotaHolds) {
  std::atomic<int> refused = 0;
  together(8, [&](int t) {
    for (int i = 0; i < 10; ++i) {
      base::Result<> added = store_->write([&](Tx& tx) -> base::Result<> {
        std::int64_t used = 0;
        TRY(tx.run("SELECT COALESCE(CAST(SUM(value) AS BIGINT), 0) FROM item", {},
                   [&](const Row& row) { used = row.integer(0); }));
        if (used + 3 > 100) return base::conflict("the quota is used up");
        TRY(tx.run("INSERT INTO item (name, value) VALUES (?1, 3)",
                   {std::to_string(t) + "-" + std::to_string(i)}));
        return {};
      });
      if (added) continue;
      EXPECT_EQ(added.error().message, "the quota is used up");
      ++refused;
    }
  });
  EXPECT_EQ(number("SELECT CAST(SUM(value) AS BIGINT) FROM item"), 99);
  EXPECT_EQ(refused, 80 - 33);
}

// Rows taken in different orders: one waits for the other, or is begun again.
TEST_P(DifferenceTest, OppositeOrdersBothGoThrough) {
  for (const char* name : {"a", "b"}) ASSERT_TRUE(insert(name, 0));
  together(4, [&](int t) {
    for (int i = 0; i < 25; ++i) {
      base::Result<> done = store_->write([&](Tx& tx) -> base::Result<> {
        for (const char* name : {t % 2 ? "a" : "b", t % 2 ? "b" : "a"})
          TRY(tx.run("UPDATE item SET value = value + 1 WHERE name = ?1", {name}));
        return {};
      });
      EXPECT_TRUE(done) << done.error().message;
    }
  });
  EXPECT_EQ(number("SELECT CAST(SUM(value) AS BIGINT) FROM item"), 4 * 25 * 2);
}

TEST_P(DifferenceTest, AFlowThatManyRegisterHasEachVersionOnce) {
  std::atomic<int> created = 0;
  together(6, [&](int t) {
    for (int i = 0; i < 5; ++i) {
      FlowVersionRow row;
      row.org_id = "org_a";
      row.flow_name = "f";
      row.spec = row.identity = "spec " + std::to_string(i);
      RegisteredFlow flow;
      base::Result<> done = store_->write([&](Tx& tx) -> base::Result<> {
        flow = TRY(register_flow(tx, row, "flw_" + std::to_string(t)));
        return {};
      });
      EXPECT_TRUE(done) << done.error().message;
      if (flow.created) ++created;
    }
  });
  EXPECT_EQ(*count("flows"), 1);
  EXPECT_EQ(*count("flow_versions"), 5);
  EXPECT_EQ(number("SELECT versions FROM flows"), 5);
  EXPECT_EQ(created, 5);
}

INSTANTIATE_TEST_SUITE_P(Stores, DifferenceTest, every_backend, backend_name);

}  // namespace
}  // namespace store
