// Housekeeping on a real store and a real directory.
#include "runtime/janitor.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/test_directory.h"
#include "store/artifacts.h"
#include "store/engine_rows.h"
#include "store/flows.h"

namespace runtime {
namespace {

// The files' times are the system's, so the clock starts there and is moved on.
class MovedClock : public base::Clock {
 public:
  base::Timestamp now() const override { return system_.now() + ahead_; }
  base::SteadyTime steady() const override { return system_.steady() + ahead_; }
  void advance(base::Duration by) { ahead_ += by; }

 private:
  base::SystemClock system_;
  base::Duration ahead_{0};
};

class JanitorTest : public testing::Test {
 protected:
  store::LiveRunRow run(std::int64_t id, model::Value parameters) {
    store::LiveRunRow row;
    row.id = base::RunId(id);
    row.org_id = "org";
    row.parameters = std::move(parameters);
    row.created_at = clock_.now();
    return row;
  }

  MovedClock clock_;
  base::TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
  std::unique_ptr<store::Store> store_ = *store::open_sqlite({""}, clock_);
  store::ObjectDirectory objects_{root_ + "/objects"};
  Janitor janitor_{*store_, objects_, clock_};
};

TEST_F(JanitorTest, RemovesOldObjectsThatNothingNames) {
  std::string named = *objects_.put("named");
  std::string unnamed = *objects_.put("unnamed");
  store::EngineBatch batch;
  batch.created.emplace_back(run(1, model::Value::reference(named, 5)), std::nullopt);
  ASSERT_TRUE(store_->commit(batch));
  ASSERT_TRUE(janitor_.round());
  EXPECT_TRUE(objects_.get(unnamed)) << "it is younger than a day";
  clock_.advance(std::chrono::hours(25));
  ASSERT_TRUE(janitor_.round());
  EXPECT_FALSE(objects_.get(unnamed));
  EXPECT_TRUE(objects_.get(named));
}

TEST_F(JanitorTest, KeepsThePartsOfUploadsAndArtifactsAsLongAsThose) {
  std::string part = *objects_.put("part");
  std::string whole = *objects_.put("whole");
  store::UploadRow upload{.upload_id = "up_1", .org_id = "org", .size_bytes = 4, .part_size = 4};
  upload.created_at = clock_.now();
  upload.expires_at = clock_.now() + std::chrono::hours(30);
  store::UploadRow done = upload;
  done.upload_id = "up_2";
  done.sha256 = whole;
  ASSERT_TRUE(store_->write([&](store::Tx& tx) -> base::Result<> {
    for (const auto& each : {upload, done}) TRY(store::insert_upload(tx, each));
    TRY(store::put_part(tx, "up_1", {1, part}));
    TRY(store::put_part(tx, "up_2", {1, whole}));
    return store::finish_upload(tx, done, clock_.now());
  }));
  clock_.advance(std::chrono::hours(25));
  ASSERT_TRUE(janitor_.round());
  EXPECT_TRUE(objects_.get(part));
  clock_.advance(std::chrono::hours(25));
  ASSERT_TRUE(janitor_.round());
  EXPECT_FALSE(objects_.get(part)) << "the upload's time is over";
  EXPECT_TRUE(objects_.get(whole));
  clock_.advance(std::chrono::hours(24 * 7));
  ASSERT_TRUE(janitor_.round());
  EXPECT_FALSE(objects_.get(whole)) << "no flow version names it";
}

TEST_F(JanitorTest, KeepsTheArtifactOfAFlowVersion) {
  std::string whole = *objects_.put("whole");
  store::UploadRow upload{
      .upload_id = "up_1", .org_id = "org", .size_bytes = 5, .sha256 = whole, .part_size = 5};
  upload.expires_at = clock_.now() + std::chrono::hours(1);
  ASSERT_TRUE(store_->write([&](store::Tx& tx) -> base::Result<> {
    TRY(store::insert_upload(tx, upload));
    TRY(store::put_part(tx, "up_1", {1, whole}));
    TRY(store::finish_upload(tx, upload, clock_.now()));
    store::FlowVersionRow row{.org_id = "org", .flow_name = "f", .spec = "{}", .identity = "1"};
    row.artifact_uri = store::artifact_uri(whole);
    TRY(store::register_flow(tx, row, "wf_1"));
    return {};
  }));
  clock_.advance(std::chrono::hours(24 * 30));
  ASSERT_TRUE(janitor_.round());
  EXPECT_TRUE(objects_.get(whole));
}

TEST_F(JanitorTest, RemovesTheJournalOfRunsThatNoLongerLive) {
  store::EngineBatch batch;
  batch.created.emplace_back(run(1, {}), std::nullopt);
  for (std::int64_t seq = 1; seq <= 2000; ++seq) {
    batch.journal.push_back({base::RunId(1), seq, "{}"});
    batch.journal.push_back({base::RunId(2), seq, "{}"});  // of a run that ended
  }
  ASSERT_TRUE(store_->commit(batch));
  ASSERT_TRUE(janitor_.round());
  std::int64_t rows = 0;
  ASSERT_TRUE(store_->read([&](store::Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT COUNT(*) FROM journal WHERE run_id = 1", {},
               [&](const store::Row& row) { rows = row.integer(0); }));
    EXPECT_EQ(rows, 2000);
    TRY(tx.run("SELECT COUNT(*) FROM journal", {},
               [&](const store::Row& row) { rows = row.integer(0); }));
    return {};
  }));
  EXPECT_EQ(rows, 2000);
}

TEST_F(JanitorTest, StartsAndStops) {
  janitor_.start();
  janitor_.stop();
  janitor_.stop();
}

}  // namespace
}  // namespace runtime
