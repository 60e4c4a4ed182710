// Transactions of the store: all or nothing, many callers in one commit, errors told apart.
#include <atomic>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "test_store.h"

namespace store {
namespace {

base::Result<> insert(Tx& tx, std::string_view key, std::int64_t value) {
  TRY(tx.run("INSERT INTO item (name, value) VALUES (?1, ?2)", {key, value}));
  return {};
}

class TransactionTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_TRUE(store_->write([](Tx& tx) -> base::Result<> {
      TRY(tx.run("CREATE TABLE item (name TEXT PRIMARY KEY, value BIGINT)", {}));
      return {};
    }));
  }
};

TEST_P(TransactionTest, WhatFailsLeavesNothing) {
  base::Result<> result = store_->write([](Tx& tx) -> base::Result<> {
    TRY(insert(tx, "a", 1));
    return base::invalid("no");
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "no");
  EXPECT_EQ(*count("item"), 0);
}

TEST_P(TransactionTest, ABrokenKeyIsAConflict) {
  ASSERT_TRUE(store_->write([](Tx& tx) { return insert(tx, "a", 1); }));
  base::Result<> again = store_->write([](Tx& tx) { return insert(tx, "a", 2); });
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, base::ErrorCode::conflict);
}

TEST_P(TransactionTest, AWrongStatementIsInternal) {
  base::Result<> result = store_->write([](Tx& tx) -> base::Result<> {
    TRY(tx.run("INSERT INTO nothing VALUES (1)", {}));
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::ErrorCode::internal);
}

// `?2` before `?1` must still bind by number, and a number used twice takes one value.
TEST_P(TransactionTest, PlaceholdersBindByNumber) {
  std::string got;
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT ?2 || ?1 || ?2", {"a", "b"}, [&](const Row& row) { got = row.string(0); }));
    return {};
  }));
  EXPECT_EQ(got, "bab");
}

TEST_P(TransactionTest, ValuesComeBackAsTheyWere) {
  std::string bytes("\x00\xff\x01'", 4);
  std::int64_t big = INT64_MAX;
  ASSERT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT ?1, ?2, ?3, ?4", {Blob{bytes}, big, nullptr, "é"}, [&](const Row& row) {
      EXPECT_EQ(row.text(0), bytes);
      EXPECT_EQ(row.integer(1), big);
      EXPECT_TRUE(row.is_null(2));
      EXPECT_EQ(row.text(3), "é");
    }));
    return {};
  }));
}

TEST_P(TransactionTest, ReadersSeeOnlyWhatIsCommitted) {
  ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
    TRY(insert(tx, "a", 1));
    if (GetParam() != Backend::sqlite_memory) {
      EXPECT_EQ(*count("item"), 0);
    }
    return {};
  }));
  EXPECT_EQ(*count("item"), 1);
}

TEST_P(TransactionTest, AReaderCannotWrite) {
  if (GetParam() == Backend::sqlite_memory) return;  // its one connection is the writer's
  base::Result<> result = store_->read([](Tx& tx) { return insert(tx, "a", 1); });
  ASSERT_FALSE(result);
  EXPECT_EQ(*count("item"), 0);
}

// Callers that share a commit do not share a fate.
TEST_P(TransactionTest, ManyCallersEachWithTheirOwnResult) {
  constexpr int threads = 8;
  constexpr int each = 100;
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (int t = 0; t < threads; ++t)
    writers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        std::string name = std::to_string(t) + "-" + std::to_string(i);
        base::Result<> result = store_->write([&](Tx& tx) -> base::Result<> {
          TRY(insert(tx, name, i));
          if (i % 3 == 0) return base::conflict("given up");
          return {};
        });
        if (!result) ++failed;
        EXPECT_EQ(static_cast<bool>(result), i % 3 != 0);
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, threads * ((each + 2) / 3));
  EXPECT_EQ(*count("item"), threads * each - failed);
}

// A full database rolls the whole transaction back by itself: the callers that shared it with the
// one that did not fit are run again and keep their work.
TEST_P(TransactionTest, AFullDatabaseHurtsOnlyWhoDoesNotFit) {
  if (GetParam() == Backend::postgres) return;  // tests/fault fills its disk
  std::int64_t pages = 0;
  ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
    TRY(tx.run("PRAGMA page_count", {}, [&](const Row& row) { pages = row.integer(0); }));
    TRY(tx.run("PRAGMA max_page_count = " + std::to_string(pages + 20), {}, [](const Row&) {}));
    return {};
  }));
  std::atomic<int> small_failed = 0;
  std::atomic<int> large_failed = 0;
  std::vector<std::thread> writers;
  for (int t = 0; t < 6; ++t)
    writers.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        std::string name = std::to_string(t) + "-" + std::to_string(i);
        if (t == 0) name += std::string(1 << 20, 'x');
        base::Result<> result = store_->write([&](Tx& tx) { return insert(tx, name, i); });
        if (result) continue;
        EXPECT_EQ(result.error().code, base::ErrorCode::unavailable) << result.error().message;
        ++(t == 0 ? large_failed : small_failed);
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(large_failed, 20);
  EXPECT_EQ(small_failed, 0);
  EXPECT_EQ(*count("item"), 100);
}

// The log is copied into the database while writers go on, so it stays near its hard limit.
TEST_P(TransactionTest, TheWriteAheadLogIsBounded) {
  if (GetParam() != Backend::sqlite_file) return;
  constexpr std::size_t page_bytes = 4096;
  std::string value(10 * page_bytes, 'x');
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t)
    writers.emplace_back([&, t] {
      for (int i = 0; i < 1500; ++i) {
        std::string name = std::to_string(t) + "-" + std::to_string(i) + value;
        EXPECT_TRUE(store_->write([&](Tx& tx) { return insert(tx, name, i); }));
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_LT(std::filesystem::file_size(directory_.path() + "/dagy.db-wal"),
            2 * page_bytes * std::size_t{base::limits::checkpoint_pages_hard});
}

// Readers that follow one another without a gap must not keep the log from beginning anew.
TEST_P(TransactionTest, TheWriteAheadLogIsBoundedBesideReaders) {
  if (GetParam() != Backend::sqlite_file) return;
  constexpr std::size_t page_bytes = 4096;
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < base::limits::readers_max; ++t)
    readers.emplace_back([&] {
      while (!stop) {
        EXPECT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
          for (int i = 0; i < 5; ++i) {
            TRY(tx.run("SELECT value FROM item LIMIT 1", {}, [](const Row&) {}));
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
          ++reads;
          return {};
        }));
      }
    });
  std::size_t largest = 0;
  for (int i = 0; i < 2500; ++i) {
    std::string name = std::to_string(i) + std::string(10 * page_bytes, 'x');
    EXPECT_TRUE(store_->write([&](Tx& tx) { return insert(tx, name, i); }));
    largest = std::max<std::size_t>(largest,
                                    std::filesystem::file_size(directory_.path() + "/dagy.db-wal"));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(reads, 100);
  EXPECT_LT(largest, 3 * page_bytes * std::size_t{base::limits::checkpoint_pages_hard});
}

INSTANTIATE_TEST_SUITE_P(Stores, TransactionTest, every_backend, backend_name);

}  // namespace
}  // namespace store
