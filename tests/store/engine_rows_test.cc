// The engine's door and the reads of what came through it.
#include <algorithm>

#include "store/engine_sql.h"
#include "store/housekeeping.h"
#include "store/runs.h"
#include "test_store.h"

namespace store {
namespace {

using base::RunId;
using model::RunStatus;

class EngineRowsTest : public StoreTest {
 protected:
  LiveRunRow run(std::int64_t id, const std::string& org = "org_a", const std::string& flow = "f") {
    LiveRunRow row;
    row.id = RunId(id);
    row.org_id = org;
    row.flow_name = flow;
    row.flow_version = "1";
    row.trigger_type = "api";
    row.parameters = model::Value::inline_json("{}");
    row.created_by = "a@b";
    row.created_at = clock_.now();
    return row;
  }
  void create(std::int64_t id, const std::string& org = "org_a", const std::string& flow = "f") {
    EngineBatch batch;
    batch.created.emplace_back(run(id, org, flow), std::nullopt);
    batch.journal.push_back({RunId(id), 1, "{}"});
    ASSERT_TRUE(store_->commit(batch));
  }
  FinishedRunRow end(std::int64_t id, RunStatus status = RunStatus::succeeded) {
    return {RunId(id), status, clock_.now(), clock_.now(), std::nullopt, {"[]", "[1]"}, 1};
  }
  void finish(std::int64_t id, RunStatus status = RunStatus::succeeded) {
    EngineBatch batch;
    batch.finished.push_back(end(id, status));
    ASSERT_TRUE(store_->commit(batch));
  }
  std::vector<std::int64_t> list(const RunFilter& filter, std::optional<RunId> before = {},
                                 std::size_t limit = 100) {
    std::vector<std::int64_t> ids;
    EXPECT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
      auto rows = TRY(list_runs(tx, "org_a", filter, before, limit));
      for (const RunRow& row : rows) ids.push_back(static_cast<std::int64_t>(row.run.id));
      return {};
    }));
    return ids;
  }
  IdempotencyRow key(std::int64_t id, const std::string& body) {
    return {"org_a", "usr", "/runs", "key", body, RunId(id), clock_.now()};
  }
};

TEST_P(EngineRowsTest, ALiveRunComesBackWithItsJournal) {
  create(7);
  EngineBatch batch;
  batch.journal.push_back({RunId(7), 2, "{\"x\":1}"});
  batch.statuses.push_back({RunId(7), RunStatus::running, clock_.now()});
  batch.logs.push_back(
      {RunId(7), 3, 0, 0, 1, 1, encode_log_chunk({{clock_.now(), false, false, "l"}})});
  ASSERT_TRUE(store_->commit(batch));
  auto stored = store_->load_run(RunId(7));
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ((*stored)->run.status, RunStatus::running);
  EXPECT_EQ((*stored)->journal, (std::vector<std::string>{"{}", "{\"x\":1}"}));
  EXPECT_EQ((*stored)->last_seq, 3);
  EXPECT_EQ(**store_->last_run(), RunId(7));
}

TEST_P(EngineRowsTest, TheEndMovesARunOnce) {
  create(7);
  finish(7, RunStatus::failed);
  EXPECT_EQ(*count("run_live"), 0);
  EXPECT_EQ(*count("journal"), 0);
  EXPECT_EQ(*count("run"), 1);
  EXPECT_EQ(*count("run_tasks"), 1);
  EngineBatch again;
  again.finished.push_back(end(7));
  EXPECT_FALSE(store_->commit(again));
  EXPECT_EQ(*count("run"), 1);
  EXPECT_FALSE(*store_->load_run(RunId(7)));
  EXPECT_EQ(**store_->last_run(), RunId(7));
}

TEST_P(EngineRowsTest, ABatchIsAllOrNothing) {
  create(7);
  EngineBatch batch;
  batch.created.emplace_back(run(8), std::nullopt);
  batch.journal.push_back({RunId(7), 1, "taken"});
  base::Result<CommitResult> committed = store_->commit(batch);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, base::ErrorCode::conflict);
  EXPECT_EQ(*count("run_live"), 1);
}

TEST_P(EngineRowsTest, ATakenKeyDropsTheRunWithAllItsRows) {
  EngineBatch first;
  first.created.emplace_back(run(7), key(7, "body"));
  ASSERT_TRUE(store_->commit(first));
  EngineBatch second;
  second.created.emplace_back(run(8), key(8, "body"));
  second.created.emplace_back(run(9), key(9, "other"));
  second.created.emplace_back(run(10), std::nullopt);
  for (std::int64_t id : {8, 9, 10}) second.journal.push_back({RunId(id), 1, "{}"});
  auto committed = store_->commit(second);
  ASSERT_TRUE(committed);
  ASSERT_EQ(committed->duplicates.size(), 2u);
  EXPECT_EQ(committed->duplicates[0].holder, RunId(7));
  EXPECT_TRUE(committed->duplicates[0].same_body);
  EXPECT_FALSE(committed->duplicates[1].same_body);
  EXPECT_EQ(*count("run_live"), 2);
  EXPECT_EQ(*count("journal"), 1);
}

TEST_P(EngineRowsTest, AKeyIsFoundBeforeItIsClaimed) {
  auto nothing = store_->find_key(key(8, "body"));
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->has_value());
  EngineBatch first;
  first.created.emplace_back(run(7), key(7, "body"));
  ASSERT_TRUE(store_->commit(first));
  auto same = store_->find_key(key(8, "body"));
  ASSERT_TRUE(same && same->has_value());
  EXPECT_EQ((*same)->holder, RunId(7));
  EXPECT_TRUE((*same)->same_body);
  EXPECT_FALSE((*store_->find_key(key(8, "other")))->same_body);
}

TEST_P(EngineRowsTest, KeysLiveTodayAndTomorrow) {
  EngineBatch batch;
  batch.created.emplace_back(run(7), key(7, "body"));
  ASSERT_TRUE(store_->commit(batch));
  auto lookup = [&] {
    std::optional<Duplicate> found;
    EXPECT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
      TRY(drop_old_keys(tx, clock_.now()));
      found = TRY(read_key_holder(tx, key(0, "body")));
      return {};
    }));
    return found;
  };
  ASSERT_TRUE(lookup());
  EXPECT_EQ(lookup()->holder, RunId(7));
  clock_.advance(std::chrono::hours(24));
  EXPECT_TRUE(lookup());
  clock_.advance(std::chrono::hours(24));
  EXPECT_FALSE(lookup());
  EXPECT_TRUE(store_->read([](Tx& tx) -> base::Result<> {
    EXPECT_EQ(TRY(tx.table_names("idempotency_")).size(), 0u);
    return {};
  }));
}

TEST_P(EngineRowsTest, ListsMixLiveAndFinishedNewestFirst) {
  for (std::int64_t id : {1, 2, 3, 4, 5}) create(id, "org_a", id % 2 ? "odd" : "even");
  create(6, "org_b");
  finish(2);
  finish(4, RunStatus::failed);
  EXPECT_EQ(list({}), (std::vector<std::int64_t>{5, 4, 3, 2, 1}));
  EXPECT_EQ(list({}, {}, 2), (std::vector<std::int64_t>{5, 4}));
  EXPECT_EQ(list({}, RunId(4)), (std::vector<std::int64_t>{3, 2, 1}));
  EXPECT_EQ(list({.flow_name = "even"}), (std::vector<std::int64_t>{4, 2}));
  EXPECT_EQ(list({.status = RunStatus::failed}), (std::vector<std::int64_t>{4}));
  EXPECT_EQ(list({.status = RunStatus::queued}), (std::vector<std::int64_t>{5, 3, 1}));
}

TEST_P(EngineRowsTest, AnotherOrganizationsRunIsNotFound) {
  create(7, "org_b");
  base::Result<> read = store_->read([&](Tx& tx) -> base::Result<> {
    TRY(find_run(tx, "org_a", RunId(7)));
    return {};
  });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, base::ErrorCode::not_found);
}

TEST_P(EngineRowsTest, ALongJournalIsDeletedInBatchesLater) {
  create(7);
  for (std::int64_t seq = 2; seq <= 1200; seq += 100) {
    EngineBatch batch;
    for (std::int64_t i = seq; i < seq + 100; ++i) batch.journal.push_back({RunId(7), i, "{}"});
    ASSERT_TRUE(store_->commit(batch));
  }
  EngineBatch batch;
  batch.finished.push_back(end(7));
  batch.finished[0].journal_rows = 1201;
  ASSERT_TRUE(store_->commit(batch));
  EXPECT_EQ(*count("journal"), 1201);
  int rounds = 0;
  for (bool more = true; more; ++rounds)
    ASSERT_TRUE(store_->write([&](Tx& tx) -> base::Result<> {
      more = TRY(delete_stale_journal(tx));
      return {};
    }));
  EXPECT_EQ(rounds, 4);
  EXPECT_EQ(*count("journal"), 0);
}

TEST_P(EngineRowsTest, LogLinesInOrderFromAnyPlaceAndOfOneTask) {
  create(7);
  auto record = [&](const std::string& text) {
    return LogRecord{clock_.now(), false, false, text};
  };
  EngineBatch batch;
  batch.logs.push_back({RunId(7), 2, 0, 0, 1, 2, encode_log_chunk({record("a"), record("b")})});
  batch.logs.push_back({RunId(7), 2, 2, 1, 1, 1, encode_log_chunk({record("c")})});
  batch.logs.push_back({RunId(7), 5, 0, 0, 1, 2, encode_log_chunk({record("d"), record("e")})});
  ASSERT_TRUE(store_->commit(batch));
  auto lines = [&](LogPosition after, std::optional<model::TaskIndex> task, std::size_t limit) {
    std::string text;
    EXPECT_TRUE(store_->read([&](Tx& tx) -> base::Result<> {
      for (const LogLineRow& line : TRY(read_log(tx, RunId(7), after, task, limit)))
        text += line.record.text + std::to_string(line.position.seq) + "." +
                std::to_string(line.position.line) + " ";
      return {};
    }));
    return text;
  };
  EXPECT_EQ(lines({}, {}, 100), "a2.0 b2.1 c2.2 d5.0 e5.1 ");
  EXPECT_EQ(lines({2, 1}, {}, 100), "c2.2 d5.0 e5.1 ");
  EXPECT_EQ(lines({2, 2}, {}, 1), "d5.0 ");
  EXPECT_EQ(lines({2, 0}, 0, 100), "b2.1 d5.0 e5.1 ");
  EXPECT_EQ(lines({5, 1}, {}, 100), "");
}

INSTANTIATE_TEST_SUITE_P(Stores, EngineRowsTest, every_backend, backend_name);

}  // namespace
}  // namespace store
