// The disk fails at the N-th call, for every N of a scripted flow: once, for a while, for good.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "fault_store/fault_vfs.h"
#include "fault_store/scripted_server.h"

namespace faults {
namespace {

constexpr int forever = 1 << 30;

class VfsTest : public testing::Test {
 protected:
  VfsTest() {
    base::set_log_level(base::LogLevel::off);
    disk_.disarm();
    open_and_close(directory_.path() + "/empty.db");
  }
  ~VfsTest() override { disk_.disarm(); }

  void open_and_close(const std::string& path) {
    store::StillClock clock;
    EXPECT_TRUE(store::open_sqlite({path}, clock));
  }
  // A migrated database of its own for each round.
  std::string new_database() {
    for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + ending);
    std::filesystem::copy_file(directory_.path() + "/empty.db", path_);
    return path_;
  }

  /// A server that is started again until it has followed the script.
  void serve(Told& told, int starts_max = 3) {
    for (int i = 0; i < starts_max && !told.ended; ++i) {
      store::StillClock clock;
      auto store = store::open_sqlite({path_}, clock);
      if (!store) {
        expect_clear(store.error());
        continue;
      }
      base::Result<> played = ScriptedServer(**store, clock, told).play();
      if (!played) expect_clear(played.error());
    }
  }
  static void expect_clear(const base::Error& error) {
    EXPECT_EQ(error.code, base::ErrorCode::unavailable) << error.message;
    EXPECT_FALSE(error.message.empty());
  }

  /// `length` calls fail, beginning with the N-th, for every `step`-th N.
  void fail_everywhere(VfsFault fault, int length, int step = 1) {
    for (int n = 1;; n += step) {
      SCOPED_TRACE(fmt::format("{}, {} calls from {} on", name_of(fault), length, n));
      new_database();
      Told told;
      disk_.arm(fault, n, length == forever ? forever : n + length - 1);
      serve(told);
      disk_.disarm();
      bool failed = disk_.failed() > 0;
      EXPECT_TRUE(told.ended || length > 1);
      check_promises(path_, told);
      if (HasFailure()) return;
      if (!failed) {
        EXPECT_TRUE(told.ended);
        EXPECT_GT(n, 20);
        return;
      }
    }
  }

  base::TemporaryDirectory directory_{"/dev/shm"};
  std::string path_ = directory_.path() + "/dagy.db";
  FaultVfs& disk_ = FaultVfs::instance();
};

TEST_F(VfsTest, AnyCallFailsOnce) {
  fail_everywhere(VfsFault::io_error, 1);
}
TEST_F(VfsTest, AnyWriteFindsTheDiskFull) {
  fail_everywhere(VfsFault::disk_full, 1);
}
TEST_F(VfsTest, AnyWriteIsTorn) {
  fail_everywhere(VfsFault::torn_write, 1);
}
TEST_F(VfsTest, AnyWriteIsDoneButNotHeardOf) {
  fail_everywhere(VfsFault::unheard_write, 1);
}
TEST_F(VfsTest, TheDiskFailsForAWhile) {
  fail_everywhere(VfsFault::io_error, 25);
}
TEST_F(VfsTest, TheDiskIsFullForAWhile) {
  fail_everywhere(VfsFault::disk_full, 25);
}
// Until it is replaced, and the server started again.
TEST_F(VfsTest, TheDiskFailsForGood) {
  fail_everywhere(VfsFault::io_error, forever, 3);
}
TEST_F(VfsTest, TheDiskIsFullForGood) {
  fail_everywhere(VfsFault::disk_full, forever, 3);
}

// The very first start: a database that was not made is made by the next.
TEST_F(VfsTest, AnyCallOfTheFirstStartFails) {
  for (int n = 1;; ++n) {
    SCOPED_TRACE(n);
    for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + ending);
    disk_.arm(VfsFault::io_error, n, n);
    store::StillClock clock;
    {
      auto store = store::open_sqlite({path_}, clock);
      if (!store) expect_clear(store.error());
    }
    disk_.disarm();
    bool failed = disk_.failed() > 0;
    check_promises(path_, {});
    if (HasFailure() || !failed) break;
  }
}

// After a failed sync nobody knows what the disk holds: the process ends, and the next one finds
// what was promised.
TEST_F(VfsTest, AnyFailedSyncEndsTheProcess) {
  int deaths = 0;
  for (int n = 1;; ++n) {
    SCOPED_TRACE(n);
    new_database();
    void* memory =
        mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    Told& told = *new (memory) Told;
    pid_t child = fork();
    if (child == 0) {
      disk_.arm(VfsFault::failed_sync, n, n);
      serve(told, 1);
      _exit(disk_.failed() > 0 ? 1 : 0);  // 1: it lived on
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    bool died = WIFSIGNALED(status);
    EXPECT_TRUE(!died || WTERMSIG(status) == SIGABRT);
    deaths += died;
    check_promises(path_, told);
    munmap(memory, sizeof(Told));
    if (HasFailure()) break;
    if (died) continue;
    EXPECT_EQ(WEXITSTATUS(status), 0) << "it went on after a failed sync";
    break;
  }
  EXPECT_GT(deaths, 10);
}

}  // namespace
}  // namespace faults
