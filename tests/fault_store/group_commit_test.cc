// The disk fails at the N-th call of a transaction that several callers share: who was told of
// success has all of its rows, who was told of an error none, and the neighbours are not touched.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <latch>
#include <thread>

#include "fault_store/fault_vfs.h"
#include "store/test_store.h"

namespace faults {
namespace {

using base::Result;
using store::Tx;

constexpr int callers = 4;
constexpr int rows_each[callers] = {3, 40, 3, 3};  // the second does not fit into the cache
constexpr int gives_up = 2;                        // takes its own work back

class GroupCommitTest : public testing::TestWithParam<VfsFault> {
 protected:
  ~GroupCommitTest() override { disk_.disarm(); }

  void open() {
    store_.reset();
    auto opened = store::open_sqlite({path_}, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }

  // With a cache of a few pages statements write to the disk before their transaction's end.
  void prepare() {
    open();
    ASSERT_TRUE(store_->write([](Tx& tx) -> Result<> {
      TRY(tx.run("CREATE TABLE IF NOT EXISTS item (round BIGINT, caller BIGINT, text TEXT)", {}));
      TRY(tx.run("PRAGMA cache_size = 8", {}, [](const store::Row&) {}));
      TRY(tx.run("PRAGMA cache_spill = 8", {}, [](const store::Row&) {}));
      return {};
    }));
  }

  Result<> insert(Tx& tx, int round, int caller) {
    for (int i = 0; i < rows_each[caller]; ++i)
      TRY(tx.run("INSERT INTO item (round, caller, text) VALUES (?1, ?2, ?3)",
                 {round, caller, std::string(2000, 'x')}));
    if (caller == gives_up) return base::conflict("given up");
    return {};
  }

  // The first caller leads; its function waits until the others are about to join.
  std::array<Result<>, callers> write_together(int round) {
    std::array<Result<>, callers> told;
    std::latch leading(1), coming(callers - 1);
    std::vector<std::thread> threads;
    std::thread::id leader;
    for (int caller = 0; caller < callers; ++caller)
      threads.emplace_back([&, caller] {
        bool leads = caller == 0;
        bool waited = false;
        if (!leads) leading.wait();
        if (!leads) coming.count_down();
        told[std::size_t(caller)] = store_->write([&](Tx& tx) {
          if (leads && !std::exchange(waited, true)) {
            leader = std::this_thread::get_id();
            leading.count_down();
            coming.wait();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // likelier, never needed
          }
          joined_ += !leads && std::this_thread::get_id() == leader;
          return insert(tx, round, caller);
        });
        if (leads && !waited) leading.count_down();  // its transaction did not even begin
      });
    for (std::thread& thread : threads) thread.join();
    return told;
  }

  std::int64_t count(int round, int caller) {
    std::int64_t found = -1;
    Result<> read = store_->read([&](Tx& tx) -> Result<> {
      TRY(tx.run("SELECT COUNT(*) FROM item WHERE round = ?1 AND caller = ?2", {round, caller},
                 [&](const store::Row& row) { found = row.integer(0); }));
      return {};
    });
    EXPECT_TRUE(read) << read.error().message;
    return found;
  }

  void check(int round, const std::array<Result<>, callers>& told) {
    for (int caller = 0; caller < callers; ++caller) {
      const Result<>& result = told[std::size_t(caller)];
      EXPECT_EQ(count(round, caller), result ? rows_each[caller] : 0) << "caller " << caller;
      bool gave_up = !result && result.error().code == base::ErrorCode::conflict;
      EXPECT_TRUE(result || gave_up || result.error().code == base::ErrorCode::unavailable)
          << result.error().message;
      EXPECT_TRUE(!gave_up || caller == gives_up);
    }
  }

  base::TemporaryDirectory directory_{"/dev/shm"};
  std::string path_ = directory_.path() + "/dagy.db";
  store::StillClock clock_;  // so a transaction's slice of time never ends
  FaultVfs& disk_ = FaultVfs::instance();
  std::unique_ptr<store::Store> store_;
  std::atomic<int> joined_ = 0;  // functions that ran in the leader's transaction
};

TEST_P(GroupCommitTest, NeighboursNeitherLoseNorGain) {
  prepare();
  int round = 0;
  for (bool failed = true; failed;) {
    SCOPED_TRACE(++round);
    disk_.arm(GetParam(), round, round);
    std::array<Result<>, callers> told = write_together(round);
    disk_.disarm();
    failed = disk_.failed() > 0;
    int errors = int(std::ranges::count_if(told, [](const Result<>& each) { return !each; }));
    EXPECT_LE(errors, 2);  // who gives up, and the one that the disk failed
    check(round, told);
    prepare();  // as the disk has it
    check(round, told);
    if (HasFailure()) return;
  }
  EXPECT_GT(round, 20);
  EXPECT_GT(joined_, round);  // else nothing was shared
}

INSTANTIATE_TEST_SUITE_P(Faults, GroupCommitTest,
                         testing::Values(VfsFault::io_error, VfsFault::disk_full,
                                         VfsFault::torn_write, VfsFault::unheard_write),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace faults
